package dev.medley.spark;

import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static dev.medley.spark.LocalSpark.spec;
import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.ScalaList;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.Metric;
import dev.medley.engine.Result;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.SetUses;
import dev.medley.engine.TextClassification;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.commons.lang3.SerializationUtils;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.metrics.source.Source;
import org.apache.spark.rdd.RDD;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.shuffle.FetchFailedException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.status.api.v1.StageData;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import scala.Option;
import scala.Tuple4;

/** Counts are of what came out, however often Spark tried. */
class ScoringCountersTest {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");
  private static final EngineSpec SPEC =
      spec(Fixtures.path("models/bert-sequence"), TextClassification.AUTO, "qv", "all-linear")
          .with(new Batching(8, 999, 16, 0, true));
  private static final AtomicInteger TRIES = new AtomicInteger();
  private static final AtomicInteger SHUFFLE = new AtomicInteger();

  /** Another test may have left a session without the plugin. */
  @BeforeAll
  static void startSession() {
    session().stop();
    session();
  }

  /** Every third row names no adapter; ids say in which of three partitions a row is. */
  private static List<Row> in() {
    List<Row> in = random(180, 31, "qv", "all-linear");
    for (int i = 0; i < in.size(); i += 3) {
      in.set(i, RowFactory.create(i, "a dog", "qw"));
    }
    return in;
  }

  /** Of a task: metrics as they are told, and rows as they come out. */
  private static final List<String> TOLD = Collections.synchronizedList(new ArrayList<>());

  /** One window of some seconds, whose rows come out together at its end. */
  @Test
  void whoLooksOnIsToldWhileAWindowIsInWork() {
    EngineSpec spec = SPEC.with(Batching.DEFAULT).with(Extra.DETERMINISTIC);
    Broadcast<byte[]> shared = Scoring.broadcast(session(), Scoring.shared(session(), spec));
    RequestFields fields = RequestFields.of(LocalSpark.ROWS, COLUMNS);
    MapPartitionsFunction<Row, Integer> score =
        rows ->
            ScoredRows.of(
                shared,
                rows,
                fields::request,
                (row, result) -> row.getInt(0),
                row -> null,
                (task, device) -> new Teller());
    TOLD.clear();
    assertThat(
            rows(random(6000, 3, "qv"))
                .coalesce(1)
                .mapPartitions(score, Encoders.INT())
                .collectAsList())
        .hasSize(6000);
    assertThat(TOLD.indexOf("SCORED")).isBetween(0, TOLD.indexOf("row") - 1);
  }

  private static final class Teller implements ScoringObserver {
    @Override
    public void scored(Result result, Supplier<String> name) {
      TOLD.add("row");
    }

    @Override
    public void counted(Metric metric, long amount) {
      TOLD.add(metric.name());
    }
  }

  private static void isOfAll(ScoringCounters counters) {
    assertThat(counters.rows()).isEqualTo(180);
    assertThat(counters.errorsByCode().get("ADAPTER_UNKNOWN")).isEqualTo(60);
    assertThat(counters.errors()).isEqualTo(60);
    Map<String, Long> expected =
        in().stream()
            .map(row -> row.getString(2))
            .filter(adapter -> !adapter.equals("qw"))
            .collect(Collectors.groupingBy(adapter -> adapter, Collectors.counting()));
    assertThat(
            counters.sets().sets().stream()
                .collect(Collectors.toMap(SetUses.OfSet::set, each -> each.use().rows())))
        .isEqualTo(expected);
    long tokens = counters.sets().sets().stream().mapToLong(each -> each.use().tokens()).sum();
    assertThat(counters.of(Metric.TOKENS)).isEqualTo(tokens).isPositive();
    assertThat(counters.rowsByDevice().values().stream().mapToLong(n -> n).sum()).isEqualTo(180);
    assertThat(counters.rowsByDevice().keySet()).allMatch(place -> place.endsWith(" cpu"));
  }

  @Test
  void taskThatIsKilledAndTriedAgainCountsOnce() {
    TRIES.set(0);
    Dataset<Row> rows =
        rows(in())
            .repartitionByRange(3, functions.col("id"))
            .map(
                (MapFunction<Row, Row>)
                    row -> {
                      if (row.getInt(0) == 100) { // more than a window has come out by then
                        TRIES.incrementAndGet();
                        TaskContext task = TaskContext.get();
                        if (task.attemptNumber() == 0) {
                          SparkContext.getOrCreate()
                              .killTaskAttempt(task.taskAttemptId(), false, "to see it retried");
                          while (!task.isInterrupted()) {
                            Thread.sleep(10);
                          }
                        }
                      }
                      return row;
                    },
                Encoders.row(LocalSpark.ROWS));
    ScoringCounters counters = ScoringCounters.register(session(), "killed");
    List<Row> scored = Scoring.score(rows, SPEC, COLUMNS, counters).collectAsList();
    assertThat(scored).hasSize(180);
    assertThat(TRIES.get()).isEqualTo(2);
    isOfAll(counters);
  }

  /** A reader of what was scored says that a task's output is gone; that task runs again. */
  @Test
  void taskWhoseOutputIsLostAndComputedAnewCountsOnce() {
    TRIES.set(0);
    ScoringCounters counters = ScoringCounters.register(session(), "lost");
    Dataset<Row> scored =
        Scoring.score(
            rows(in()).repartitionByRange(3, functions.col("id")),
            SPEC,
            COLUMNS,
            AdapterAffinity.ON,
            counters);
    SHUFFLE.set(lastShuffle(scored.rdd()));
    Dataset<Row> read =
        scored.mapPartitions(
            (MapPartitionsFunction<Row, Row>)
                rows -> {
                  if (TaskContext.getPartitionId() == 2 && TRIES.getAndIncrement() == 0) {
                    throw new FetchFailedException(
                        SparkEnv.get().blockManager().shuffleServerId(),
                        SHUFFLE.get(),
                        0,
                        0,
                        2,
                        "lost",
                        null);
                  }
                  return rows;
                },
            Encoders.row(scored.schema()));
    assertThat(read.collectAsList()).hasSize(180);
    assertThat(TRIES.get()).isEqualTo(2);
    isOfAll(counters);
    assertThat(counters.affinity()).startsWith("on: ");
  }

  private static int lastShuffle(RDD<?> rdd) {
    RDD<?> at = rdd;
    while (!(at.dependencies().head() instanceof ShuffleDependency<?, ?, ?>)) {
      at = at.dependencies().head().rdd();
    }
    return ((ShuffleDependency<?, ?, ?>) at.dependencies().head()).shuffleId();
  }

  @Test
  void aTaskThatSucceedsTwiceCountsOnceAndAnotherStageCountsAgain() {
    TaskSum all = new TaskSum();
    int[][] tasks = {{7, 0}, {7, 1}, {7, 0}, {8, 0}, {7, 1}};
    for (int[] task : tasks) {
      TaskSum sum = (TaskSum) all.copyAndReset();
      assertThat(sum.isZero()).isTrue();
      sum.begin(task[0], task[1]);
      sum.add(10L);
      all.merge(sum);
    }
    assertThat(all.value()).isEqualTo(30);
    assertThat(all.copy().value()).isEqualTo(30);
  }

  @Test
  void heartbeatsSendWhatATaskIsAddingTo() throws Exception {
    NamedCounts registered = new NamedCounts();
    session().sparkContext().register(registered);
    NamedCounts ofTask = SerializationUtils.roundtrip(registered);
    Thread task =
        new Thread(
            () -> {
              for (int i = 0; i < 20_000; i++) {
                ofTask.add("code " + i);
              }
            });
    task.start();
    do {
      NamedCounts sent = SerializationUtils.roundtrip(ofTask);
      assertThat(sent.value().size()).isBetween(0, 20_000);
    } while (task.isAlive());
    task.join();
    assertThat(ofTask.value()).hasSize(20_000);
  }

  @Test
  void datasetThatIsUsedTwiceCountsTwiceAndALimitCountsWhatCameOut() {
    ScoringCounters counters = ScoringCounters.register(session(), "twice");
    Dataset<Row> scored = Scoring.score(rows(in()).coalesce(1), SPEC, COLUMNS, counters);
    assertThat(scored.collectAsList()).hasSize(180);
    assertThat(scored.collectAsList()).hasSize(180);
    assertThat(counters.rows()).isEqualTo(360);
    assertThat(scored.takeAsList(3)).hasSize(3);
    assertThat(counters.rows()).isEqualTo(363);
    assertThat(counters.affinity()).isNull(); // too few names to think of it
  }

  @Test
  void sparksUiShowsThemByName() throws Exception {
    ScoringCounters counters = ScoringCounters.register(session(), "shown");
    Dataset<Row> scored = Scoring.score(rows(in()).coalesce(1), SPEC, COLUMNS, counters);
    int stages = stageList().size();
    assertThat(scored.collectAsList()).hasSize(180);
    Map<String, String> shown = new TreeMap<>();
    var all = stageList();
    for (int i = 0; i < all.size() - stages; i++) { // the latest come first
      all.apply(i)
          .accumulatorUpdates()
          .foreach(
              each -> {
                shown.put(each.name(), each.value());
                return null;
              });
    }
    assertThat(shown)
        .containsEntry("shown rows", "180")
        .containsEntry("shown tokens", Long.toString(counters.of(Metric.TOKENS)))
        .containsKeys("shown forwards", "shown devices");
    assertThat(shown.get("shown errors")).contains("ADAPTER_UNKNOWN=60");
  }

  private static scala.collection.immutable.List<StageData> stageList() throws Exception {
    SparkContext context = session().sparkContext();
    context.listenerBus().waitUntilEmpty();
    return context
        .statusStore()
        .stageList(List.of(), false, false, new double[0], List.of())
        .toList();
  }

  @Test
  void tasksThatRunAreSeenByTheirHeartbeats() {
    ScoringCounters counters = ScoringCounters.register(session(), "running");
    Scoring.score(rows(in()).coalesce(1), SPEC, COLUMNS, counters).collectAsList();
    try (RunningTasks running = counters.watch(session())) {
      assertThat(running.of(Metric.ROWS)).isEqualTo(180);
      running.onExecutorMetricsUpdate(heartbeat(counters, 17, 20));
      running.onExecutorMetricsUpdate(heartbeat(counters, 17, 30));
      running.onExecutorMetricsUpdate(heartbeat(counters, 18, 5));
      assertThat(running.of(Metric.ROWS)).isEqualTo(215);
      assertThat(running.of(Metric.TOKENS)).isEqualTo(counters.of(Metric.TOKENS));
      running.end();
      running.onExecutorMetricsUpdate(heartbeat(counters, 18, 5));
      assertThat(running.of(Metric.ROWS)).isEqualTo(180);
    }
  }

  /** As an executor sends it: a task's rows so far, and a number that is nothing of ours. */
  private static SparkListenerExecutorMetricsUpdate heartbeat(
      ScoringCounters counters, long task, long rows) {
    AccumulableInfo ours =
        new AccumulableInfo(
            counters.id(Metric.ROWS),
            Option.apply("running rows"),
            Option.apply(rows),
            Option.empty(),
            false,
            false,
            Option.empty());
    AccumulableInfo other =
        new AccumulableInfo(
            -5, Option.apply("x"), Option.apply(9L), Option.empty(), false, false, Option.empty());
    Tuple4<?, ?, ?, ?> update = new Tuple4<>(task, 1, 0, ScalaList.of(List.of(other, ours)));
    return new SparkListenerExecutorMetricsUpdate(
        "driver", anySeq(ScalaList.of(List.of(update))), new scala.collection.mutable.HashMap<>());
  }

  /** A Seq of Seqs, each Scala's own. */
  @SuppressWarnings("unchecked")
  private static <S> S anySeq(scala.collection.immutable.List<?> list) {
    return (S) list;
  }

  @Test
  void pluginGivesSparksMetricsSystemAllThatThisExecutorDid() {
    long rows = gauge("rows");
    long unknown = gauge("errors." + Code.ADAPTER_UNKNOWN);
    long tokens = gauge("tokens");
    Scoring.score(rows(in()).coalesce(1), SPEC, COLUMNS, null).collectAsList();
    assertThat(gauge("rows") - rows).isEqualTo(180);
    assertThat(gauge("errors." + Code.ADAPTER_UNKNOWN) - unknown).isEqualTo(60);
    assertThat(gauge("tokens") - tokens).isPositive();
    assertThat(gauge("base_loads")).isPositive();
    assertThat(gauge("engines")).isPositive();
    IntStream.range(0, Metric.values().length)
        .forEach(i -> assertThat(gauge(Metric.values()[i].word())).isNotNegative());
  }

  private static long gauge(String name) {
    session();
    Source source =
        SparkEnv.get()
            .metricsSystem()
            .getSourcesByName("plugin." + MedleyPlugin.class.getName())
            .head();
    return (long) source.metricRegistry().getGauges().get(name).getValue();
  }
}
