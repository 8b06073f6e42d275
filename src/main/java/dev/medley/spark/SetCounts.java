package dev.medley.spark;

import static org.apache.spark.sql.functions.aggregate;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.octet_length;
import static org.apache.spark.sql.functions.sum;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.StructType;

/**
 * The counting pass: reads the adapter column and the lengths of texts, once, and aggregates by set
 * on the executors; the driver gets a row a set.
 */
final class SetCounts {
  /** The most costly sets that the driver hears of; rows of others are placed by their hash. */
  static final int MOST_SETS = 1 << 18;

  /** Sets that a task counts before it passes them on. */
  private static final int HELD = 1 << 16;

  private static final StructType COUNTS =
      StructType.fromDDL(
          "key string, rows bigint, errors bigint, tokens bigint, parts bigint, windows bigint");

  /**
   * How often a set comes.
   *
   * @param key as of {@link SetKeys}
   * @param errors rows of the base's that name no adapter that there is; each counts as a token
   * @param tokens of all its rows, as estimated
   * @param parts partitions that it is in
   * @param windows of the engine that it is in, over all partitions
   */
  record SetCount(String key, long rows, long errors, long tokens, long parts, long windows) {}

  private SetCounts() {}

  /**
   * Runs the pass.
   *
   * @param keys {@link SetKeys}
   */
  static List<SetCount> of(
      Dataset<Row> rows,
      ScoringColumns columns,
      Broadcast<byte[]> keys,
      TokenEstimate tokens,
      int windowRows) {
    StructType in = rows.schema();
    String[] numbers = IntStream.range(0, in.size()).mapToObj(i -> "c" + i).toArray(String[]::new);
    Dataset<Row> numbered = rows.toDF(numbers); // names may hold dots, or come twice
    Column adapter =
        columns.adapter() == null
            ? lit(null).cast("string")
            : col(numbers[in.fieldIndex(columns.adapter())]);
    Column bytes =
        Stream.of(columns.text(), columns.completion(), columns.messages())
            .filter(name -> name != null)
            .map(
                name -> {
                  Column column = col(numbers[in.fieldIndex(name)]);
                  return coalesce(
                      name.equals(columns.messages()) ? contents(column) : octet_length(column),
                      lit(0));
                })
            .reduce(Column::plus)
            .orElseThrow();
    Dataset<Row> pruned = numbered.select(adapter.as("adapter"), bytes.cast("bigint").as("bytes"));
    boolean isArray = pruned.schema().apply(0).dataType() instanceof ArrayType;
    RequestFields fields = new RequestFields(-1, -1, -1, -1, -1, -1, 0, isArray, -1);
    return pruned
        .mapPartitions(new Count(keys, fields, tokens, windowRows), Encoders.row(COUNTS))
        .groupBy("key")
        .agg(
            sum("rows").as("rows"),
            sum("errors").as("errors"),
            sum("tokens").as("tokens"),
            sum("parts").as("parts"),
            sum("windows").as("windows"))
        .orderBy(col("tokens").desc(), col("key"))
        .limit(MOST_SETS)
        .collectAsList()
        .stream()
        .map(
            r ->
                new SetCount(
                    r.getString(0),
                    r.getLong(1),
                    r.getLong(2),
                    r.getLong(3),
                    r.getLong(4),
                    r.getLong(5)))
        .toList();
  }

  private static Column contents(Column messages) {
    return aggregate(
        messages,
        lit(0),
        (sum, message) -> sum.plus(coalesce(octet_length(message.getField("content")), lit(0))));
  }

  /** Counts a partition. */
  private record Count(
      Broadcast<byte[]> keys, RequestFields fields, TokenEstimate tokens, int windowRows)
      implements MapPartitionsFunction<Row, Row> {

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      return rows.hasNext() ? new Counted(rows) : List.<Row>of().iterator();
    }

    /** Counts of the sets so far, passed on when there are many. */
    private final class Counted implements Iterator<Row> {
      private final Iterator<Row> rows;
      private final SetKeys sets = JavaBytes.read(keys.value(), SetKeys.class);
      private Iterator<Row> ready = List.<Row>of().iterator();
      private long row;

      Counted(Iterator<Row> rows) {
        this.rows = rows;
      }

      @Override
      public boolean hasNext() {
        return ready.hasNext() || rows.hasNext();
      }

      @Override
      public Row next() {
        if (!ready.hasNext()) {
          ready = count();
        }
        return ready.next();
      }

      private Iterator<Row> count() {
        Map<String, Tally> tallies = new HashMap<>();
        while (rows.hasNext() && tallies.size() < HELD) {
          Row next = rows.next();
          List<String> column = fields.adapters(next);
          String key = sets.of(column);
          Tally tally = tallies.computeIfAbsent(key, missing -> new Tally());
          long inWindow = row++ / windowRows;
          if (key.equals(SetKeys.BASE) && sets.isError(column)) {
            tally.errors++;
            tally.add(TokenEstimate.ERROR, inWindow);
          } else {
            tally.add(tokens.of(next.getLong(1)), inWindow);
          }
        }
        List<Row> counts = new ArrayList<>();
        tallies.forEach(
            (key, tally) ->
                counts.add(
                    RowFactory.create(
                        key, tally.rows, tally.errors, tally.tokens, 1L, tally.windows)));
        return counts.iterator();
      }
    }
  }

  private static final class Tally {
    long rows;
    long errors;
    long tokens;
    long windows;
    long window = -1;

    void add(long rowTokens, long inWindow) {
      rows++;
      tokens += rowTokens;
      windows += inWindow == window ? 0 : 1;
      window = inWindow;
    }
  }
}
