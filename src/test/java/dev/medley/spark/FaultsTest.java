package dev.medley.spark;

import static dev.medley.spark.ClusterRows.COLUMNS;
import static dev.medley.spark.ClusterRows.COUNT;
import static dev.medley.spark.ClusterRows.LATE;
import static dev.medley.spark.ClusterRows.MODEL;
import static dev.medley.spark.ClusterRows.PARTITIONS;
import static dev.medley.spark.ClusterRows.calm;
import static dev.medley.spark.ClusterRows.scored;
import static dev.medley.spark.ClusterRows.spec;
import static dev.medley.spark.ClusterRows.through;
import static dev.medley.spark.LocalSpark.freshModel;
import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Validation;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import dev.medley.spark.BroadcastBlocks.Block;
import dev.medley.spark.Gate.Visitor;
import dev.medley.spark.TaskEnds.End;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What goes wrong on a cluster changes no row but those it is about: nothing is lost, doubled or
 * scored under another adapter, bit by bit as in a run where nothing went wrong.
 */
@Tag("long")
class FaultsTest {
  private static final ExecutorService LATER = Executors.newCachedThreadPool();
  private static Cluster cluster;
  private static SparkSession session;
  private static Path log;
  private static List<Row> undisturbed;

  @BeforeAll
  static void start(@TempDir Path folder) throws Exception {
    cluster = Cluster.standalone();
    log = folder.resolve("fetched.log");
    session = cluster.start(SharedFileSystem.settings(log));
    long start = System.nanoTime();
    undisturbed = scored(rows(), spec(MODEL)).collectAsList();
    tell("undisturbed, models loaded first", start);
    assertThat(undisturbed).hasSize(COUNT).noneMatch(row -> row.isNullAt(3));
    start = System.nanoTime();
    assertThat(scored(rows(), spec(MODEL)).collectAsList()).isEqualTo(undisturbed);
    tell("undisturbed", start);
  }

  @AfterAll
  static void stop() {
    LATER.shutdownNow();
    cluster.close();
  }

  private static void tell(String what, long start) {
    System.out.printf("FaultsTest: %s: %.1f s%n", what, (System.nanoTime() - start) / 1e9);
  }

  private static Dataset<Row> rows() {
    return ClusterRows.in(session, calm());
  }

  private static <T> T soon(Future<T> job) throws Exception {
    return job.get(5, TimeUnit.MINUTES);
  }

  private static void noLeasesAreLeft() throws Exception {
    for (int i = 0; i < 100 && leases() > 0; i++) { // a job may end before its tasks
      Thread.sleep(100);
    }
    assertThat(leases()).isZero();
  }

  private static int leases() {
    return ExecutorState.all(session).values().stream().mapToInt(ExecutorState::leases).sum();
  }

  @Test
  void executorThatIsKilledMidStage(@TempDir Path folder) throws Exception {
    Gate gate = new Gate(folder.toString(), LATE);
    TaskEnds ends = TaskEnds.of(session.sparkContext());
    ScoringCounters counters = ScoringCounters.register(session, "killed executor");
    Dataset<Row> scored = Scoring.score(through(gate, rows()), spec(MODEL), COLUMNS, counters);
    String out = folder.resolve("scored").toString();
    Future<?> job = LATER.submit(() -> scored.write().parquet(out));
    Visitor killed = gate.await();
    long start = System.nanoTime();
    assertThat(ProcessHandle.of(killed.pid()).orElseThrow().destroyForcibly()).isTrue();
    soon(job);
    tell("the job ended after an executor was killed", start);

    assertThat(session.read().parquet(out).orderBy("id").collectAsList()).isEqualTo(undisturbed);
    assertThat(counters.rows()).isEqualTo(COUNT);
    assertThat(ends.unusual())
        .allSatisfy(end -> assertThat(end.reason()).startsWith("ExecutorLostFailure"))
        .extracting(End::task)
        .contains(killed.task());
    start = System.nanoTime();
    assertThat(ExecutorState.all(session)).hasSize(2).doesNotContainKey(killed.executor());
    tell("another executor was there", start);
    noLeasesAreLeft();
  }

  /** What an executor was sent, and what it has written for others, goes with it. */
  @Test
  void executorThatIsKilledWithItsBroadcastsAndShuffledRows(@TempDir Path folder) throws Exception {
    Dataset<Row> shuffled =
        rows().repartitionByRange(6, functions.col("id")).sortWithinPartitions("id");
    List<Row> expected = scored(shuffled, spec(MODEL)).collectAsList();
    Gate gate = new Gate(folder.toString(), LATE);
    TaskEnds ends = TaskEnds.of(session.sparkContext());
    BroadcastBlocks blocks = BroadcastBlocks.of(session.sparkContext());
    Dataset<Row> scored = scored(through(gate, shuffled), spec(MODEL));
    long configs = blocks.seen().get(0).broadcast();
    Future<List<Row>> job = LATER.submit(scored::collectAsList);
    Visitor killed = gate.await();
    long start = System.nanoTime();
    assertThat(ProcessHandle.of(killed.pid()).orElseThrow().destroyForcibly()).isTrue();
    assertThat(soon(job)).isEqualTo(expected);
    tell("the job ended after an executor was killed with rows for others", start);
    assertThat(ends.unusual()).isNotEmpty();

    String newest =
        Integer.toString(
            ExecutorState.all(session).keySet().stream()
                .mapToInt(Integer::parseInt)
                .max()
                .orElseThrow());
    assertThat(scored.collectAsList()).isEqualTo(expected);
    assertThat(blocks.seen())
        .filteredOn(block -> block.broadcast() == configs)
        .extracting(Block::executor)
        .doesNotHaveDuplicates()
        .contains("driver", killed.executor(), newest);
  }

  @Test
  void taskThatIsKilledAndRunsAgain(@TempDir Path folder) throws Exception {
    scored(rows(), spec(MODEL)).collectAsList(); // an executor that is new loads its models
    Gate gate = new Gate(folder.toString(), LATE);
    TaskEnds ends = TaskEnds.of(session.sparkContext());
    ScoringCounters counters = ScoringCounters.register(session, "killed task");
    Dataset<Row> scored = Scoring.score(through(gate, rows()), spec(MODEL), COLUMNS, counters);
    Future<List<Row>> job = LATER.submit(scored::collectAsList);
    Visitor killed = gate.await();
    long start = System.nanoTime();
    assertThat(session.sparkContext().killTaskAttempt(killed.task(), true, "by a test")).isTrue();
    assertThat(soon(job)).isEqualTo(undisturbed);
    tell("the job ended after a task was killed", start);

    assertThat(counters.rows()).isEqualTo(COUNT);
    assertThat(ends.unusual())
        .singleElement()
        .satisfies(
            end -> {
              assertThat(end.task()).isEqualTo(killed.task());
              assertThat(end.reason()).startsWith("TaskKilled(by a test");
            });
    noLeasesAreLeft();
  }

  /** Its first attempt fails at a row, when rows before it are scored. */
  private record FailsOnce(int id) implements MapFunction<Row, Row> {
    @Override
    public Row call(Row row) throws IOException {
      if (row.getInt(0) == id && TaskContext.get().attemptNumber() == 0) {
        throw new IOException("by a test");
      }
      return row;
    }
  }

  @Test
  void taskThatFailsAndRunsAgain() throws Exception {
    TaskEnds ends = TaskEnds.of(session.sparkContext());
    ScoringCounters counters = ScoringCounters.register(session, "failed task");
    Dataset<Row> rows = through(new FailsOnce(LATE), rows());
    assertThat(Scoring.score(rows, spec(MODEL), COLUMNS, counters).collectAsList())
        .isEqualTo(undisturbed);
    assertThat(counters.rows()).isEqualTo(COUNT);
    assertThat(ends.unusual())
        .singleElement()
        .satisfies(end -> assertThat(end.reason()).contains("by a test"));
    noLeasesAreLeft();
  }

  /** Rows that cannot be scored, one of each kind in every partition, between those that can. */
  @Test
  void poisonedRowsInEveryPartition(@TempDir Path folder) throws Exception {
    Path broken = Files.createDirectory(folder.resolve("broken"));
    Path qv = MODEL.resolve("adapters/qv");
    Files.copy(qv.resolve("adapter_config.json"), broken.resolve("adapter_config.json"));
    Files.writeString(broken.resolve("adapter_model.safetensors"), "no tensors");
    EngineSpec spec = spec(MODEL);
    Map<String, AdapterSource> adapters = new LinkedHashMap<>(spec.adapters());
    adapters.put("broken", AdapterSource.of(broken.toString()));
    EngineSpec withBroken = LocalSpark.ready(spec.with(spec.base(), adapters));

    Map<Row, String> poison = new LinkedHashMap<>();
    poison.put(RowFactory.create(-1, null, "qv"), "TEXT_NULL");
    poison.put(RowFactory.create(-2, "", null), "TEXT_EMPTY");
    poison.put(RowFactory.create(-4, "a dog", "qw"), "ADAPTER_UNKNOWN");
    poison.put(RowFactory.create(-5, "a dog", "qv+"), "ADAPTER_SYNTAX");
    poison.put(RowFactory.create(-6, "a dog", "broken"), "ADAPTER_UNFIT");
    poison.put(RowFactory.create(-7, "a dog", "qv+broken"), "ADAPTER_UNFIT");
    List<Row> mixed = new ArrayList<>();
    int ofPartition = COUNT / PARTITIONS;
    for (int i = 0; i < COUNT; i++) {
      mixed.add(calm().get(i));
      if (i % ofPartition == 19) {
        mixed.addAll(poison.keySet());
      }
    }
    ScoringCounters counters = ScoringCounters.register(session, "poison");
    List<Row> scored =
        Scoring.score(ClusterRows.in(session, mixed), withBroken, COLUMNS, counters)
            .collectAsList();

    assertThat(scored).filteredOn(row -> row.getInt(0) >= 0).isEqualTo(undisturbed);
    for (Map.Entry<Row, String> each : poison.entrySet()) {
      assertThat(scored)
          .filteredOn(row -> row.getInt(0) == each.getKey().getInt(0))
          .hasSize(PARTITIONS)
          .allSatisfy(
              row -> {
                assertThat(row.isNullAt(3)).isTrue();
                assertThat(row.getStruct(4).getString(0)).isEqualTo(each.getValue());
              });
    }
    assertThat(counters.errorsByCode())
        .containsEntry("TEXT_NULL", 8L)
        .containsEntry("ADAPTER_UNFIT", 16L);
  }

  private static boolean names(Row row, String adapter) {
    return !row.isNullAt(2) && List.of(row.getString(2).split("\\+")).contains(adapter);
  }

  /** Rows of an adapter that cannot be had are in error, all others as ever. */
  private static void onlyFails(List<Row> scored, String adapter, String message) {
    assertThat(scored).filteredOn(row -> !names(row, adapter)).isNotEmpty();
    assertThat(scored)
        .filteredOn(row -> !names(row, adapter))
        .isEqualTo(undisturbed.stream().filter(row -> !names(row, adapter)).toList());
    assertThat(scored)
        .filteredOn(row -> names(row, adapter))
        .isNotEmpty()
        .allSatisfy(
            row -> {
              assertThat(row.isNullAt(3)).isTrue();
              assertThat(row.getStruct(4).getString(0)).isEqualTo("ADAPTER_UNFIT");
              assertThat(row.getStruct(4).getString(1)).contains(message);
            });
  }

  @Test
  void adapterThatIsCutShortAfterItWasValidated(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    Dataset<Row> scored = scored(rows(), spec(model));
    try (RandomAccessFile file = weights(model, "bias-all")) {
      file.setLength(file.length() / 2);
    }
    onlyFails(scored.collectAsList(), "bias-all", "adapter_model.safetensors");
  }

  @Test
  void adapterWhoseNumbersChangeAfterItWasValidated(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    EngineSpec spec = spec(model);
    String hash = Sha256.of(model.resolve("adapters/qv/adapter_model.safetensors"));
    Map<String, AdapterSource> pinned = new LinkedHashMap<>(spec.adapters());
    pinned.computeIfPresent("qv", (name, source) -> source.withSha256(hash));
    Dataset<Row> scored = scored(rows(), spec.with(spec.base(), pinned));
    try (RandomAccessFile file = weights(model, "qv")) {
      file.seek(file.length() - 4);
      file.write(new byte[] {0, 0, (byte) 0x80, 0x40}); // 4.0
    }
    onlyFails(scored.collectAsList(), "qv", "sha256: expected " + hash);
  }

  @Test
  void storageThatFailsTwiceAndThenWorks(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    TaskEnds ends = TaskEnds.of(session.sparkContext());
    long start = System.nanoTime();
    assertThat(scored(rows(), qvShared("shared://fails-twice", model)).collectAsList())
        .isEqualTo(undisturbed);
    tell("models loaded first, with reads that fail twice", start);
    assertThat(ends.unusual()).isEmpty();
    Path weights = model.resolve("adapters/qv/adapter_model.safetensors");
    assertThat(SharedFileSystem.brokenOff(log))
        .filteredOn(broken -> broken.file().equals(weights))
        .hasSizeGreaterThanOrEqualTo(2);
  }

  @Test
  void storageThatNeverWorks(@TempDir Path folder) throws Exception {
    EngineSpec spec = qvShared("shared://never", freshModel("bert-sequence", folder));
    onlyFails(scored(rows(), spec).collectAsList(), "qv", "connection reset");
  }

  /** Executors read at different times: all of them what the driver validated, or nothing. */
  @Test
  void adapterThatIsTrainedAgainInAStorageForAll(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    Dataset<Row> scored = scored(rows(), qvShared("shared://", model));
    try (RandomAccessFile file = weights(model, "qv")) {
      file.seek(file.length() - 4);
      file.write(new byte[] {0, 0, (byte) 0x80, 0x40}); // 4.0
    }
    onlyFails(scored.collectAsList(), "qv", "its weights have changed since it was validated");
  }

  /** The adapter qv out of a storage that all reach, in any other way the same. */
  private static EngineSpec qvShared(String storage, Path model) {
    EngineSpec spec = spec(model);
    Map<String, AdapterSource> adapters = new LinkedHashMap<>(spec.adapters());
    adapters.put("qv", AdapterSource.of(storage + LocalSpark.adapter(model, "qv")));
    return Validation.of(
            spec.with(spec.base(), adapters), Storage.standard(Scoring.hadoop(session)))
        .spec();
  }

  private static RandomAccessFile weights(Path model, String adapter) throws IOException {
    Path file = model.resolve("adapters").resolve(adapter).resolve("adapter_model.safetensors");
    return new RandomAccessFile(file.toFile(), "rw");
  }
}
