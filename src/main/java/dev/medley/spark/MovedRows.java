package dev.medley.spark;

import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.function.Function;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.DeterministicLevel;
import org.apache.spark.rdd.RDD;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.sql.Row;
import scala.Tuple2;

/**
 * Sends each row to the partition that a plan has for its set, where rows lie set by set, has it
 * scored there, and sends it back to the partition and the place in it that it came from.
 *
 * <p>Which partition a row of a split set goes to must be the same when a lost task runs again, or
 * rows would come twice or not at all. Where the input comes in the same order again, which Spark
 * knows ({@code DETERMINATE}), the rows of a set are dealt out in that order, as evenly as can be.
 * Where only the order may differ, as behind a shuffle, what the row asks for decides, so that
 * equal requests stay together. An input that may differ altogether is recomputed as a whole, by
 * Spark. The place in the input is for the order alone: two rows that claim one place are both
 * there. In a partition rows lie by set and then by place, so that they meet the same rows in a
 * batch each time.
 *
 * @param keys {@link SetKeys}
 * @param plan an {@link AffinityPlan}
 * @param fields of the rows that go in
 * @param in rows that go in
 * @param out rows that come out
 * @param score one row out for each that goes in, in order
 */
record MovedRows(
    Broadcast<byte[]> keys,
    Broadcast<byte[]> plan,
    RequestFields fields,
    RowBytes in,
    RowBytes out,
    MapPartitionsFunction<Row, Row> score)
    implements Serializable {
  /** Fractions of multiples of these are even in [0, 1), at whatever number one stops. */
  private static final double GOLDEN = 0.6180339887498949;

  private static final double PLASTIC = 0.7548776662466927;

  /**
   * The rows of the input, scored, in the input's partitions and order.
   *
   * @param profile of the stage that scores; null for the application's
   */
  RDD<Row> scored(RDD<Row> input, ResourceProfile profile) {
    boolean inOrder = comesInOrder(input);
    Place.Named places = new Place.Named(input.getNumPartitions());
    JavaRDD<Tuple2<long[], byte[]>> sent =
        input
            .toJavaRDD()
            .mapPartitionsWithIndex((partition, rows) -> send(partition, rows, inOrder), false);
    JavaPairRDD<Long, byte[]> scored =
        JavaPairRDD.fromJavaRDD(sent)
            .repartitionAndSortWithinPartitions(places, new Place.InOrder())
            .mapPartitionsToPair(this::score);
    if (profile != null) {
      scored.rdd().withResources(profile);
    }
    return scored.repartitionAndSortWithinPartitions(places).mapPartitions(this::receive).rdd();
  }

  /** Whether a task that runs again gives its rows in the order that they had before. */
  static boolean comesInOrder(RDD<Row> input) {
    return input.outputDeterministicLevel().equals(DeterministicLevel.DETERMINATE());
  }

  /** Each with the place where it goes and the one where it comes from. */
  Iterator<Tuple2<long[], byte[]>> send(int partition, Iterator<Row> rows, boolean inOrder) {
    RowBytes.Writer writer = in.writer();
    Targets targets = new Targets(partition, inOrder);
    long[] index = {0};
    return map(
        rows,
        row ->
            new Tuple2<>(
                new long[] {targets.of(row), Place.of(partition, index[0]++)}, writer.write(row)));
  }

  private Iterator<Tuple2<Long, byte[]>> score(Iterator<Tuple2<long[], byte[]>> rows)
      throws Exception {
    RowBytes.Reader reader = in.reader();
    RowBytes.Writer writer = out.writer();
    ArrayDeque<Long> origins = new ArrayDeque<>(); // of rows whose results are still to come
    long[] returned = {0};
    Iterator<Row> scored =
        score.call(
            map(
                rows,
                row -> {
                  origins.add(row._1()[1]);
                  return reader.read(row._2());
                }));
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return scored.hasNext();
      }

      @Override
      public Tuple2<Long, byte[]> next() {
        try {
          byte[] row = writer.write(scored.next());
          returned[0]++;
          return new Tuple2<>(origins.remove(), row);
        } catch (ScoringException e) {
          long ahead = e.row() - returned[0];
          long origin = origins.stream().skip(ahead).findFirst().orElseThrow(() -> e);
          throw e.at(Place.partition(origin), Place.index(origin));
        }
      }
    };
  }

  private Iterator<Row> receive(Iterator<Tuple2<Long, byte[]>> rows) {
    RowBytes.Reader reader = out.reader();
    return map(rows, row -> reader.read(row._2()));
  }

  /** Where the rows of a partition go. */
  private final class Targets {
    private final SetKeys sets = JavaBytes.read(keys.value(), SetKeys.class);
    private final AffinityPlan places = JavaBytes.read(plan.value(), AffinityPlan.class);
    private final int partition;
    private final boolean inOrder;

    /** Rows so far, of split sets. */
    private final Map<AffinityPlan.Places, Long> dealt = new HashMap<>();

    Targets(int partition, boolean inOrder) {
      this.partition = partition;
      this.inOrder = inOrder;
    }

    /** Partition and number of the set, by which rows are sorted there. */
    long of(Row row) {
      String key = sets.of(fields.adapters(row));
      AffinityPlan.Places set = places.places(key);
      if (set == null) { // rare: the driver did not hear of it
        int hash = key.hashCode();
        int target = Math.floorMod(mixed(hash), places.partitions());
        return Place.of(target, places.sets() + (hash & 0xffffffffL));
      }
      if (set.size() == 1) {
        return Place.of(set.partition(0), set.number());
      }
      double at;
      if (inOrder) {
        long before = dealt.merge(set, 1L, Long::sum);
        at = (partition * PLASTIC + before * GOLDEN) % 1;
      } else {
        at = (mixed(fields.hash(row)) & 0xffffffffL) * 0x1p-32;
      }
      return Place.of(set.partition(at), set.number());
    }

    /** Spreads hash codes that differ little: the end of MurmurHash3. */
    private static int mixed(int hash) {
      int h = (hash ^ hash >>> 16) * 0x85ebca6b;
      h = (h ^ h >>> 13) * 0xc2b2ae35;
      return h ^ h >>> 16;
    }
  }

  private static <A, B> Iterator<B> map(Iterator<A> from, Function<A, B> with) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return from.hasNext();
      }

      @Override
      public B next() {
        return with.apply(from.next());
      }
    };
  }
}
