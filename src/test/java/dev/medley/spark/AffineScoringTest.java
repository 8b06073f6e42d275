package dev.medley.spark;

import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.FeatureExtraction;
import dev.medley.spark.AffinityPlan.Demand;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.Dependency;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.RDD;
import org.apache.spark.shuffle.FetchFailedException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;

/** Where rows are scored; what scores them here says no more than that. */
class AffineScoringTest {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");

  /** Adapters a0, a1, … of which nobody reads a file. */
  static EngineSpec spec(int adapters) {
    Map<String, AdapterSource> sources = new HashMap<>();
    IntStream.range(0, adapters).forEach(i -> sources.put("a" + i, AdapterSource.of("a" + i)));
    return EngineSpec.of("base", FeatureExtraction.AUTO, sources)
        .withSets(Map.of("both", List.of("a0", "a1")))
        .with(new Batching(32, 4096, 2048, 512, true));
  }

  /** Zipf's law: row i is of set k with probability 1/(k+1)^1.1. */
  static List<Row> zipf(int count, int sets, long seed) {
    double[] ends = new double[sets];
    double end = 0;
    for (int k = 0; k < sets; k++) {
      ends[k] = end += Math.pow(k + 1, -1.1);
    }
    Random random = new Random(seed);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int k = -Arrays.binarySearch(ends, random.nextDouble() * end) - 1;
      String text = i + " dog".repeat(1 + random.nextInt(60));
      rows.add(RowFactory.create(i, text, "a" + k));
    }
    return rows;
  }

  private static Dataset<Row> inParts(List<Row> rows, int parts) {
    return rows(rows).repartitionByRange(parts, functions.col("id"));
  }

  /** Adds the partition where a row is scored, and how many rows were before it there. */
  static final MapPartitionsFunction<Row, Row> WHERE =
      rows -> {
        int[] at = {0};
        List<Row> scored = new ArrayList<>();
        rows.forEachRemaining(row -> scored.add(and(row, TaskContext.getPartitionId(), at[0]++)));
        return scored.iterator();
      };

  private static Row and(Row row, Object... more) {
    List<Object> values = new ArrayList<>();
    for (int i = 0; i < row.size(); i++) {
      values.add(row.get(i));
    }
    values.addAll(Arrays.asList(more));
    return RowFactory.create(values.toArray());
  }

  private static AffineScoring scoring(
      Dataset<Row> rows,
      EngineSpec spec,
      AdapterAffinity affinity,
      MapPartitionsFunction<Row, Row> score,
      StructType out) {
    return new AffineScoring(rows, spec, COLUMNS, affinity, null, null, score, out);
  }

  static Dataset<Row> where(Dataset<Row> rows, EngineSpec spec, AdapterAffinity affinity) {
    StructType out = rows.schema().add("part", "int").add("at", "int");
    return session().createDataFrame(scoring(rows, spec, affinity, WHERE, out), out);
  }

  private static Map<String, Set<Integer>> partsByAdapter(List<Row> placed) {
    Map<String, Set<Integer>> parts = new TreeMap<>();
    for (Row row : placed) {
      parts
          .computeIfAbsent(String.valueOf(row.get(2)), key -> new TreeSet<>())
          .add(row.<Integer>getAs("part"));
    }
    return parts;
  }

  private static int loads(List<Row> placed) {
    return partsByAdapter(placed).values().stream().mapToInt(Set::size).sum();
  }

  /** Loads where rows stay: pairs of an adapter and a partition. */
  private static int loadsAsTheyLie(Dataset<Row> rows) {
    StructType out = rows.schema().add("part", "int").add("at", "int");
    return loads(rows.mapPartitions(WHERE, Encoders.row(out)).collectAsList());
  }

  @Test
  void zipfOf512AdaptersOver16Partitions() {
    List<Row> in = zipf(10_000, 512, 1);
    Dataset<Row> rows = inParts(in, 16);
    List<Row> placed = where(rows, spec(512), AdapterAffinity.ON).collectAsList();
    assertThat(placed.stream().map(AffineScoringTest::first3)).isEqualTo(in);

    Map<String, Set<Integer>> parts = partsByAdapter(placed);
    TokenEstimate tokens = new TokenEstimate(512, 0);
    double[] costs = new double[16];
    placed.forEach(row -> costs[row.getInt(3)] += tokens.of(row.getString(1).length()));
    parts.values().forEach(set -> set.forEach(p -> costs[p] += AffinityGain.presence(1)));
    double mean = Arrays.stream(costs).average().orElseThrow();
    double largest = Arrays.stream(costs).max().orElseThrow();
    int before = loadsAsTheyLie(rows);
    assertThat(loads(placed)).isLessThanOrEqualTo((int) (1.2 * parts.size()));
    assertThat(largest / mean).isLessThanOrEqualTo(1.15);
    assertThat(parts.get("a0")).hasSizeGreaterThan(2); // hot
    assertThat(before).isGreaterThan(3 * loads(placed));
  }

  private static Row first3(Row row) {
    return RowFactory.create(row.get(0), row.get(1), row.get(2));
  }

  @Test
  void rowsOfASetAreOneRunInTheirPartition() {
    List<Row> placed =
        where(inParts(zipf(3000, 40, 2), 6), spec(40), AdapterAffinity.ON).collectAsList();
    Map<Integer, Map<Integer, String>> order = new TreeMap<>();
    placed.forEach(
        row ->
            order
                .computeIfAbsent(row.getInt(3), key -> new TreeMap<>())
                .put(row.getInt(4), row.getString(2)));
    int runs = 0;
    for (Map<Integer, String> part : order.values()) {
      String last = null;
      for (String adapter : part.values()) {
        runs += adapter.equals(last) ? 0 : 1;
        last = adapter;
      }
    }
    assertThat(runs).isEqualTo(loads(placed));
  }

  /** Where Spark knows that rows come in the same order again they are dealt out one by one. */
  @Test
  void rowsOfAHotSetAreDealtOutEvenWhenAllAreEqual() {
    List<Row> in = Collections.nCopies(8000, RowFactory.create(0, "the same dog", "a3"));
    Dataset<Row> rows =
        session()
            .createDataFrame(
                JavaSparkContext.fromSparkContext(session().sparkContext()).parallelize(in, 8),
                LocalSpark.ROWS);
    List<Row> placed = where(rows, spec(4), AdapterAffinity.ON).collectAsList();
    Map<Integer, Long> counts =
        placed.stream().collect(Collectors.groupingBy(row -> row.getInt(3), Collectors.counting()));
    assertThat(counts).hasSizeBetween(7, 8);
    assertThat(Collections.max(counts.values())).isLessThan(1160);
  }

  @Test
  void allSpellingsOfASetMeet() {
    StructType type = StructType.fromDDL("id int, text string, adapter array<string>");
    List<Row> arrays = new ArrayList<>();
    List<Row> strings = new ArrayList<>();
    String[][] spellings = {
      {"a0", "a1"}, {"a0+a1"}, {"both"}, {" a0 + 1.0*a1"}, {"1*a0", "a1"}, {"1*both"}
    };
    for (int i = 0; i < 60; i++) {
      String[] spelling = spellings[i % spellings.length];
      arrays.add(RowFactory.create(i, "a dog " + i, spelling));
      strings.add(RowFactory.create(i, "a dog " + i, String.join("+", spelling)));
      String[] other = {"a" + (2 + i % 20)};
      arrays.add(RowFactory.create(i, "another dog " + i, other));
      strings.add(RowFactory.create(i, "another dog " + i, other[0]));
    }
    for (Dataset<Row> rows :
        List.of(session().createDataFrame(arrays, type), LocalSpark.rows(strings))) {
      List<Row> placed =
          where(rows.repartition(6), spec(30), AdapterAffinity.ON).collectAsList().stream()
              .filter(row -> row.getString(1).startsWith("a dog"))
              .toList();
      assertThat(placed).hasSize(60);
      assertThat(placed.stream().map(row -> row.<Integer>getAs("part")).distinct()).hasSize(1);
    }
  }

  @Test
  void rowsThatNeedNoAdapterFillUp() {
    List<Row> in = new ArrayList<>(zipf(2000, 30, 3));
    for (int i = 0; i < 2000; i++) {
      String[] none = {null, "", "__base__", "unknown", "a1+", "0*a1", "a0+unknown"};
      String text = i % 5 == 0 ? null : "dog ".repeat(1 + i % 60);
      in.add(RowFactory.create(2000 + i, text, none[i % none.length]));
    }
    Collections.shuffle(in, new Random(4));
    List<Row> placed = where(rows(in).repartition(8), spec(30), AdapterAffinity.ON).collectAsList();
    assertThat(placed.stream().map(AffineScoringTest::first3))
        .containsExactlyInAnyOrderElementsOf(in);
    Map<String, Set<Integer>> parts = partsByAdapter(placed);
    assertThat(parts.get("null")).hasSizeGreaterThan(4);
    assertThat(parts.get("unknown")).hasSizeGreaterThan(4);
    int loads = IntStream.range(0, 30).map(k -> parts.getOrDefault("a" + k, Set.of()).size()).sum();
    assertThat(loads).isLessThanOrEqualTo(30 + 7);
  }

  @Test
  void nothingRunsUntilTheResultIsUsedAndThenOnce() {
    LongAccumulator read = session().sparkContext().longAccumulator();
    Dataset<Row> counted = LocalSpark.counted(inParts(zipf(500, 20, 5), 4), read);
    Dataset<Row> placed = where(counted, spec(20), AdapterAffinity.ON);
    Dataset<Row> selected = placed.filter("part >= 0").select("id", "part");
    selected.schema();
    selected.queryExecution().executedPlan();
    assertThat(read.sum()).isZero();
    assertThat(selected.collectAsList()).hasSize(500);
    assertThat(read.sum()).isEqualTo(1000); // counted, and sent
    assertThat(placed.collectAsList()).hasSize(500);
    assertThat(read.sum()).isEqualTo(1000); // what was shuffled stays
  }

  @Test
  void autoMovesWhereItPays() {
    Dataset<Row> rows = inParts(zipf(20_000, 400, 6), 16);
    EngineSpec narrow = spec(400).with(new Batching(32, 4096, 32, 512, true));
    assertThat(loads(where(rows, narrow, AdapterAffinity.AUTO).collectAsList()))
        .isLessThanOrEqualTo(400 + 15);
    Dataset<Row> few = inParts(zipf(20_000, 20, 6), 16);
    assertThat(loads(where(few, spec(20), AdapterAffinity.AUTO).collectAsList()))
        .isEqualTo(loadsAsTheyLie(few));
  }

  @Test
  void autoDoesNotMoveWhatLiesWellAlready() {
    Dataset<Row> sorted =
        rows(zipf(20_000, 400, 7)).repartitionByRange(16, functions.col("adapter"));
    EngineSpec narrow = spec(400).with(new Batching(32, 4096, 32, 512, true));
    List<Row> placed =
        where(sorted.sortWithinPartitions("adapter"), narrow, AdapterAffinity.AUTO).collectAsList();
    assertThat(loads(placed)).isEqualTo(loadsAsTheyLie(sorted));
  }

  @Test
  void autoReadsNothingTwiceThatMayBeCostly() {
    LongAccumulator read = session().sparkContext().longAccumulator();
    Dataset<Row> costly = LocalSpark.counted(inParts(zipf(20_000, 400, 8), 16), read);
    EngineSpec narrow = spec(400).with(new Batching(32, 4096, 32, 512, true));
    int asTheyLie = loads(where(costly, narrow, AdapterAffinity.AUTO).collectAsList());
    assertThat(asTheyLie).isGreaterThan(2000);
    assertThat(read.sum()).isEqualTo(20_000);

    costly.cache();
    try {
      assertThat(loads(where(costly, narrow, AdapterAffinity.AUTO).collectAsList()))
          .isLessThanOrEqualTo(400 + 15);
      assertThat(read.sum()).isEqualTo(40_000); // into the cache
    } finally {
      costly.unpersist();
    }
  }

  @Test
  void cheapInputsAreKnown() {
    session()
        .udf()
        .register("loud", (UDF1<String, String>) String::toUpperCase, DataTypes.StringType);
    Dataset<Row> rows = rows(zipf(10, 3, 9));
    rows.createOrReplaceTempView("ten");
    Map<Dataset<Row>, String> obstacles =
        Map.of(
            session()
                    .sql("select id, upper(text) from ten where id > 3 limit 5")
                    .union(rows.select("id", "text")),
                "none",
            rows.repartition(3).sort("id").sample(0.5).selectExpr("explode(split(text, ' '))"),
                "none",
            session().range(7).toDF(), "none",
            rows.groupBy("adapter").count(), "Aggregate",
            rows.join(rows.toDF("i", "t", "a"), functions.expr("i = id")), "Join",
            rows.selectExpr("loud(text)"), "a function in Project",
            session().createDataFrame(rows.rdd(), rows.schema()), "LogicalRDD",
            rows.distinct(), "Deduplicate");
    obstacles.forEach(
        (input, obstacle) ->
            assertThat(String.valueOf(CheapInput.obstacle(input.queryExecution().withCachedData())))
                .isEqualTo(obstacle.equals("none") ? "null" : obstacle));
  }

  @Test
  void emptyInputsAndEmptyPartitions() {
    Dataset<Row> none = rows(zipf(10, 3, 10)).repartition(4).filter("id < 0");
    assertThat(where(none, spec(3), AdapterAffinity.ON).collectAsList()).isEmpty();
    Dataset<Row> noPartition =
        session().emptyDataFrame().selectExpr("1 as id", "'a' as text", "'b' as adapter");
    assertThat(where(noPartition, spec(3), AdapterAffinity.ON).collectAsList()).isEmpty();
    Dataset<Row> few = rows(zipf(3, 3, 11)).repartition(9);
    assertThat(where(few, spec(3), AdapterAffinity.ON).collectAsList()).hasSize(3);
    Dataset<Row> one = rows(zipf(30, 3, 12)).coalesce(1);
    assertThat(where(one, spec(3), AdapterAffinity.ON).collectAsList()).hasSize(30);
  }

  /** A task that runs again after a shuffle may read its rows in another order. */
  @Test
  void rowsGoToTheSamePartitionWhateverTheirOrder() {
    List<Row> in = zipf(2000, 30, 14);
    List<Demand> sets = new ArrayList<>();
    for (int k = 0; k < 30; k++) {
      sets.add(new Demand("a" + k, 2000 / (k + 1), 60_000 / (k + 1), 130));
    }
    AffinityPlan plan = AffinityPlan.of(sets, 8);
    assertThat(plan.places("a0").size()).isGreaterThan(1);
    RowBytes bytes = new RowBytes(LocalSpark.ROWS);
    MovedRows moved =
        new MovedRows(
            broadcast(new SetKeys(spec(30))),
            broadcast(plan),
            RequestFields.of(LocalSpark.ROWS, COLUMNS),
            bytes,
            bytes,
            WHERE);
    Map<Integer, Integer> targets = targets(moved, bytes, in, false);
    assertThat(targets.values()).contains(0, 1, 2, 3, 4, 5, 6, 7);
    Collections.shuffle(in, new Random(15));
    assertThat(targets(moved, bytes, in, false)).isEqualTo(targets);
    assertThat(targets(moved, bytes, in, true))
        .isEqualTo(targets(moved, bytes, in, true))
        .isNotEqualTo(targets);
  }

  private static Broadcast<byte[]> broadcast(Serializable object) {
    return JavaSparkContext.fromSparkContext(session().sparkContext())
        .broadcast(JavaBytes.write(object));
  }

  /** Partitions by the rows' ids. */
  private static Map<Integer, Integer> targets(
      MovedRows moved, RowBytes bytes, List<Row> rows, boolean inOrder) {
    Map<Integer, Integer> targets = new HashMap<>();
    moved
        .send(3, rows.iterator(), inOrder)
        .forEachRemaining(
            row ->
                targets.put(bytes.reader().read(row._2()).getInt(0), Place.partition(row._1()[0])));
    return targets;
  }

  @Test
  void rowsComeOnceThoughWhatATaskWroteIsLost() {
    List<Row> in = zipf(4000, 30, 13);
    Dataset<Row> unordered =
        rows(in)
            .repartition(8, functions.col("id"))
            .mapPartitions(
                (MapPartitionsFunction<Row, Row>)
                    rows -> {
                      List<Row> all = new ArrayList<>();
                      rows.forEachRemaining(all::add);
                      Collections.shuffle(all, ThreadLocalRandom.current());
                      return all.iterator();
                    },
                Encoders.row(LocalSpark.ROWS));
    LOST.set(0);
    StructType out = LocalSpark.ROWS.add("part", "int").add("at", "int");
    AffineScoring scoring =
        scoring(unordered, spec(30), AdapterAffinity.ON, AffineScoringTest::losing, out);
    SHUFFLE.set(firstShuffle(scoring));
    List<Row> placed = session().createDataFrame(scoring, out).collectAsList();
    assertThat(LOST.get()).isEqualTo(2); // tries of that task
    assertThat(placed).extracting(row -> row.getInt(0)).doesNotHaveDuplicates().hasSize(4000);
    assertThat(partsByAdapter(placed).get("a0")).hasSizeGreaterThan(1);
  }

  private static final AtomicInteger LOST = new AtomicInteger();
  private static final AtomicInteger SHUFFLE = new AtomicInteger();

  /** Says once that what a task of the shuffle wrote is lost. */
  private static Iterator<Row> losing(Iterator<Row> rows) throws Exception {
    Iterator<Row> scored = WHERE.call(rows);
    if (TaskContext.getPartitionId() == 5 && LOST.getAndIncrement() == 0) {
      Thread.sleep(500); // until others are done
      throw new FetchFailedException(
          SparkEnv.get().blockManager().shuffleServerId(), SHUFFLE.get(), 0, 3, 5, "lost", null);
    }
    return scored;
  }

  /** The number of the shuffle that sends rows to their adapters. */
  private static int firstShuffle(RDD<?> rdd) {
    List<Integer> shuffles = new ArrayList<>();
    RDD<?> at = rdd;
    while (!(at instanceof AffineScoring) || shuffles.isEmpty()) {
      Dependency<?> dependency = at.dependencies().head();
      if (dependency instanceof ShuffleDependency<?, ?, ?> shuffle) {
        shuffles.add(shuffle.shuffleId());
        if (shuffles.size() == 2) {
          return shuffle.shuffleId();
        }
      }
      at = dependency.rdd();
    }
    throw new IllegalStateException();
  }

  @Test
  void chatsAndCompletionsAreCountedToo() {
    StructType type =
        StructType.fromDDL(
            "messages array<struct<role:string,content:string>>, adapter string, `a.b` string, p string");
    List<Row> in = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      Row[] chat =
          i % 7 == 0
              ? null
              : new Row[] {
                RowFactory.create("user", "dog ".repeat(i)), null, RowFactory.create("x", null)
              };
      in.add(RowFactory.create(chat, "a" + i % 5, "dog ".repeat(100), i % 2 == 0 ? null : "dogs"));
    }
    Dataset<Row> rows = session().createDataFrame(in, type).repartition(3);
    Broadcast<byte[]> keys = broadcast(new SetKeys(spec(5)));
    TokenEstimate tokens = new TokenEstimate(50, 64);
    ScoringColumns chats = ScoringColumns.ofChats("messages", "adapter", "prediction");
    long expected = IntStream.range(0, 40).mapToLong(i -> i % 7 == 0 ? 1 : tokens.of(4 * i)).sum();
    assertThat(
            SetCounts.of(rows, chats, keys, tokens, 10).stream().mapToLong(c -> c.tokens()).sum())
        .isEqualTo(expected);
    ScoringColumns completions =
        new ScoringColumns("p", "adapter", "prediction").withCompletion("a.b");
    assertThat(SetCounts.of(rows, completions, keys, tokens, 10))
        .hasSize(5)
        .allSatisfy(count -> assertThat(count.rows()).isEqualTo(8))
        .allSatisfy(count -> assertThat(count.tokens()).isEqualTo(8 * tokens.of(400)));
  }

  @Test
  void streamsAndRowsWithoutAdaptersAreRefusedWhereTheyAreToBeMoved() {
    Dataset<Row> stream =
        session().readStream().format("rate").load().selectExpr("'a' as text", "'b' as adapter");
    EngineSpec spec = LocalSpark.spec(Fixtures.path("models/bert"), FeatureExtraction.AUTO);
    assertThatThrownBy(() -> Scoring.score(stream, spec, COLUMNS, AdapterAffinity.ON, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "adapter affinity: expected auto or off for a stream, whose rows cannot be counted"
                + " before they come, got on");
    ScoringColumns none = new ScoringColumns("text", null, "prediction");
    assertThatThrownBy(
            () -> Scoring.score(rows(zipf(3, 3, 1)), spec, none, AdapterAffinity.ON, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("adapter affinity: expected auto or off without an adapter column, got on");
  }
}
