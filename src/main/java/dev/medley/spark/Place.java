package dev.medley.spark;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Comparator;
import org.apache.spark.Partitioner;

/** A partition and a place in it as one number, by which rows are sorted: 2²³ by 2⁴⁰. */
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

  /** First by where rows go, then by where they come from: never by who was first. */
  static final class InOrder implements Comparator<long[]>, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public int compare(long[] one, long[] other) {
      return Arrays.compare(one, other);
    }
  }

  /** Sends each key, a place or several, to the partition that the first one names. */
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
      return partition(key instanceof long[] places ? places[0] : (long) key);
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
