package dev.medley.spark;

import org.apache.spark.Partitioner;

/** A partition and a place in it as one number, by which Spark sorts: 2²³ by 2⁴⁰. */
final class Place {
  private static final int BITS = 40;
  private static final long LOW = (1L << BITS) - 1;

  private Place() {}

  static long of(int partition, long index) {
    return (long) partition << BITS | index;
  }

  static int partition(long place) {
    return (int) (place >>> BITS);
  }

  static long index(long place) {
    return place & LOW;
  }

  /** Sends each key to the partition that it names. */
  static final class Named extends Partitioner {
    private static final long serialVersionUID = 1L;

    private final int partitions;

    Named(int partitions) {
      this.partitions = partitions;
    }

    @Override
    public int numPartitions() {
      return partitions;
    }

    @Override
    public int getPartition(Object key) {
      return partition((long) key);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Named named && named.partitions == partitions;
    }

    @Override
    public int hashCode() {
      return partitions;
    }
  }
}
