package dev.medley.spark;

import static dev.medley.spark.ClusterRows.COLUMNS;
import static dev.medley.spark.ClusterRows.MODEL;
import static dev.medley.spark.LocalSpark.freshModel;
import static dev.medley.spark.LocalSpark.random;
import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.TextClassification;
import dev.medley.engine.Validation;
import dev.medley.io.Storage;
import dev.medley.spark.BroadcastBlocks.Block;
import dev.medley.spark.SharedFileSystem.Fetched;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;

/** What holds on every cluster of two executors that are JVMs of their own. */
@TestInstance(Lifecycle.PER_CLASS)
abstract class ClusterContract {
  private static final String[] ADAPTERS = {
    "qv",
    "all-linear",
    "head-2-labels",
    "head-7-labels",
    "bias-all",
    "lokr-qv",
    "road-2",
    "trainable-tokens"
  };

  /** Who scores a row, and under what. */
  private static final MapFunction<Row, Row> WHO =
      row -> RowFactory.create(SparkEnv.get().executorId(), row.getString(2));

  private static final Encoder<Row> WHAT =
      Encoders.row(StructType.fromDDL("executor string, adapter string"));

  private List<Row> local;
  private Path log;
  private Cluster cluster;
  private SparkSession session;

  abstract Cluster cluster() throws Exception;

  /** What the session needs beside the usual. */
  abstract Map<String, String> settings(Path folder);

  /** The cache folder that an executor downloads to, by any name. */
  abstract String cacheOf(String executor);

  @BeforeAll
  void startAfterLocalMode(@TempDir Path folder) throws Exception {
    Cluster.stop();
    local = score(LocalSpark.session(), mixed(), spec(MODEL));
    cluster = cluster();
    log = folder.resolve("fetched.log");
    Map<String, String> settings = new HashMap<>(SharedFileSystem.settings(log));
    settings.putAll(settings(folder));
    session = cluster.start(settings);
  }

  @AfterAll
  void stop() {
    cluster.close();
  }

  /** Rows under all adapters, the base, a set, and none that there is. */
  private static List<Row> mixed() {
    List<String> names = new ArrayList<>(List.of(ADAPTERS));
    names.add(null);
    names.add("lokr-qv+trainable-tokens");
    names.add("qw");
    List<Row> rows = random(400, 31, names.toArray(String[]::new));
    rows.set(77, RowFactory.create(77, null, "qv"));
    return rows;
  }

  private static EngineSpec spec(Path model) {
    return ClusterRows.steady(LocalSpark.spec(model, TextClassification.AUTO, ADAPTERS));
  }

  /** On the cluster. */
  final List<Row> score(List<Row> rows, EngineSpec spec) {
    return score(session, rows, spec);
  }

  private static List<Row> score(SparkSession session, List<Row> rows, EngineSpec spec) {
    return Scoring.score(ClusterRows.in(session, rows), spec, COLUMNS, null).collectAsList();
  }

  @Test
  void rowsAreThoseOfLocalModeBitByBit() {
    List<Row> scored = score(session, mixed(), spec(MODEL));
    assertThat(scored).isEqualTo(local);
    assertThat(scored).filteredOn(row -> row.isNullAt(3)).hasSizeGreaterThan(10);
  }

  @Test
  void baseIsLoadedOncePerExecutorInManyStagesAndJobs(@TempDir Path folder) throws Exception {
    EngineSpec spec = spec(freshModel("bert-sequence", folder));
    int driver = ExecutorEngines.OF_THIS_JVM.baseLoads();
    Map<String, ExecutorState> before = ExecutorState.all(session);

    Dataset<Row> rows = ClusterRows.in(session, mixed());
    Dataset<Row> scored = Scoring.score(rows, spec, COLUMNS, null);
    scored.repartition(3).write().parquet(folder.resolve("scored").toString());
    scored.groupBy("adapter").count().collectAsList();
    Scoring.score(rows, spec, COLUMNS, AdapterAffinity.ON, null).collectAsList();
    EngineSpec fewer = spec.with(Batching.DEFAULT).withAdapterMemory(0);
    Scoring.score(rows, fewer, COLUMNS, null).collectAsList();

    Map<String, ExecutorState> after = ExecutorState.all(session);
    assertThat(after).hasSize(2).containsOnlyKeys(before.keySet());
    after.forEach(
        (executor, state) -> {
          assertThat(state.pid()).isEqualTo(before.get(executor).pid());
          assertThat(state.baseLoads() - before.get(executor).baseLoads()).isEqualTo(1);
          assertThat(state.leases()).isZero();
        });
    assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads()).isEqualTo(driver);
  }

  @Test
  void configsAreBroadcastOnce() throws Exception {
    EngineSpec spec = spec(MODEL);
    Dataset<Row> rows = ClusterRows.in(session, mixed());
    BroadcastBlocks blocks = BroadcastBlocks.of(session.sparkContext());
    Dataset<Row> scored = Scoring.score(rows, spec, COLUMNS, null);
    List<Block> sent = blocks.seen();
    assertThat(sent).extracting(Block::executor).containsOnly("driver");
    assertThat(sent).extracting(Block::broadcast).hasSize(1); // in one piece

    scored.groupBy("adapter").count().collectAsList();
    scored.collectAsList();
    long configs = sent.get(0).broadcast();
    assertThat(blocks.seen())
        .filteredOn(block -> block.broadcast() == configs)
        .extracting(Block::executor)
        .containsExactlyInAnyOrder("driver", "0", "1");
  }

  /** A partition has rows of one adapter and of the base, so that an executor sees some of them. */
  @Test
  void executorFetchesAndLoadsTheAdaptersOfItsPartitionsOnce(@TempDir Path folder)
      throws Exception {
    Path model = freshModel("bert-sequence", folder);
    List<Row> rows = new ArrayList<>();
    for (String adapter : ADAPTERS) {
      rows.addAll(random(20, rows.size(), adapter, null));
    }
    ScoringCounters counters = ScoringCounters.register(session, "loads");
    Dataset<Row> scored =
        Scoring.score(ClusterRows.in(session, rows), shared(model), COLUMNS, counters);
    List<Row> whoAndWhat = scored.map(WHO, WHAT).distinct().collectAsList();

    assertThat(whoAndWhat).extracting(row -> row.getString(0)).contains("0", "1");
    List<Row> adapted = whoAndWhat.stream().filter(row -> !row.isNullAt(1)).toList();
    assertThat(adapted).extracting(row -> row.getString(1)).contains(ADAPTERS);
    assertThat(counters.rows()).isEqualTo(160);
    assertThat(counters.adapterLoads()).isEqualTo(adapted.size());

    Map<String, List<Path>> fetched = new HashMap<>(); // by cache
    for (Fetched file : SharedFileSystem.fetched(log)) {
      if (file.file().startsWith(model) && !file.executor().equals("driver")) {
        fetched
            .computeIfAbsent(cacheOf(file.executor()), cache -> new ArrayList<>())
            .add(model.relativize(file.file()));
      }
    }
    fetched.forEach(
        (cache, files) -> {
          assertThat(files).doesNotHaveDuplicates().contains(Path.of("model.safetensors"));
          assertThat(files)
              .filteredOn(file -> file.endsWith("adapter_model.safetensors"))
              .extracting(file -> file.getName(1).toString())
              .containsExactlyInAnyOrderElementsOf(
                  adapted.stream()
                      .filter(row -> cacheOf(row.getString(0)).equals(cache))
                      .map(row -> row.getString(1))
                      .collect(Collectors.toSet()));
        });
    assertThat(fetched.keySet()).containsOnly(cacheOf("0"), cacheOf("1"));
  }

  /** The same model where only a Hadoop FileSystem finds it. */
  private EngineSpec shared(Path model) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (String adapter : ADAPTERS) {
      sources.put(adapter, AdapterSource.of("shared://" + LocalSpark.adapter(model, adapter)));
    }
    EngineSpec spec = EngineSpec.of("shared://" + model, TextClassification.AUTO, sources);
    Validation checked = Validation.of(spec, Storage.standard(Scoring.hadoop(session)));
    checked.orThrow();
    return checked.spec();
  }
}
