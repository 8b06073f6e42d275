package dev.medley.spark;

import static dev.medley.spark.LocalSpark.freshModel;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.Metadata;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows that were moved to their adapters are scored as those that were not. */
class AdapterAffinityTest {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");
  private static final List<String> KINDS =
      List.of("qv", "all-linear", "head-2-labels", "head-7-labels", "bias-all", "lokr-qv");

  /** Adapters a0, a1, … in turn of these kinds; each is loaded on its own. */
  private static EngineSpec spec(Path model, int adapters) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (int i = 0; i < adapters; i++) {
      String kind = KINDS.get(i % KINDS.size());
      sources.put("a" + i, AdapterSource.of(LocalSpark.adapter(model, kind)));
    }
    return LocalSpark.ready(EngineSpec.of(model.toString(), TextClassification.AUTO, sources));
  }

  /** Zipf's rows with others among them: the base's, sets, and rows in error. */
  private static List<Row> mixed(int count, int sets, long seed) {
    List<Row> in = AffineScoringTest.zipf(count, sets, seed);
    String[] others = {null, "__base__", "a0+a5", " a0 + 1*a5 ", "0.5*a0", "a7+", "unknown"};
    for (int i = 0; i < count; i += 7) {
      String text = i % 35 == 0 ? null : in.get(i).getString(1);
      in.set(i, RowFactory.create(i, text, others[i / 7 % others.length]));
    }
    return in;
  }

  @Test
  void zipfOf512AdaptersOver16PartitionsScoresAsItDoesUnmoved(@TempDir Path folder)
      throws Exception {
    EngineSpec spec = spec(freshModel("bert-sequence", folder), 512);
    Dataset<Row> in =
        rows(mixed(4000, 512, 1))
            .repartitionByRange(16, functions.col("id"))
            .sortWithinPartitions("id");
    ScoringCounters counters = ScoringCounters.register(session(), "moved");
    Dataset<Row> moved = Scoring.score(in, spec, COLUMNS, AdapterAffinity.ON, counters);
    List<Row> scored = moved.collectAsList();
    assertThat(moved.rdd().getNumPartitions()).isEqualTo(16);
    long adapters =
        scored.stream()
            .filter(row -> !row.isNullAt(3))
            .map(row -> String.valueOf(row.get(2)))
            .filter(name -> name.matches("a\\d+"))
            .distinct()
            .count();
    assertThat(counters.adapterLoads()).isEqualTo(adapters); // all tasks share this JVM's
    assertThat(counters.rows()).isEqualTo(4000);
    assertThat(counters.errorsByCode()).containsKeys("TEXT_NULL", "ADAPTER_UNKNOWN");
    LocalSpark.assertSame(
        scored, Scoring.score(in, spec, COLUMNS, AdapterAffinity.OFF, null).collectAsList());
    assertThat(Scoring.score(in, spec, COLUMNS, AdapterAffinity.ON, null).collectAsList())
        .isEqualTo(scored); // bit by bit
  }

  /** Where an executor keeps no adapter that no batch uses, each run of a set is a load. */
  @Test
  void adaptersAreReadAboutOnce() {
    EngineSpec spec = spec(Fixtures.path("models/bert-sequence"), 512).withAdapterMemory(0);
    List<Row> in = AffineScoringTest.zipf(6000, 512, 5);
    long sets = in.stream().map(row -> row.getString(2)).distinct().count();
    Dataset<Row> rows = rows(in).repartition(16);
    long moved = loads(rows, spec, AdapterAffinity.ON);
    long left = loads(rows, spec, AdapterAffinity.OFF);
    assertThat(moved).isBetween(sets, (long) (1.2 * sets));
    assertThat(left).isGreaterThan(2 * moved);
  }

  private static long loads(Dataset<Row> rows, EngineSpec spec, AdapterAffinity affinity) {
    ScoringCounters counters = ScoringCounters.register(session(), "loads");
    Scoring.score(rows, spec, COLUMNS, affinity, counters)
        .write()
        .format("noop")
        .mode("overwrite")
        .save();
    assertThat(counters.rows()).isEqualTo(6000);
    return counters.adapterLoads();
  }

  @Test
  void arraysAndEveryOtherColumnComeBack() {
    EngineSpec spec = spec(Fixtures.path("models/bert-sequence"), 6);
    Metadata note = Metadata.fromJson("{\"comment\":\"a note\"}");
    Dataset<Row> in =
        session()
            .sql(
                "select 1Y as `a.b`, concat('a dog ', id) as text, 2 as twice, 3 as twice,"
                    + " array(concat('a', id % 6)) as adapter,"
                    + " map('k', array(named_struct('d', date '1582-10-14'))) as nested,"
                    + " timestamp '2020-02-02 02:02:02.123456' as at, 1.50bd as price,"
                    + " cast(null as binary) as nothing, interval 3 days as span, null as void,"
                    + " interval 5 months as months from range(0, 40, 1, 4)")
            .withColumn("noted", functions.lit(5).as("noted", note));
    Dataset<Row> moved = Scoring.score(in, spec, COLUMNS, AdapterAffinity.ON, null);
    assertThat(moved.schema())
        .isEqualTo(Scoring.score(in, spec, COLUMNS, AdapterAffinity.OFF, null).schema());
    List<Row> before = in.collectAsList();
    List<Row> after = moved.collectAsList();
    assertThat(after).hasSize(40).noneMatch(row -> row.isNullAt(row.size() - 2));
    for (int r = 0; r < 40; r++) {
      for (int i = 0; i < before.get(r).size(); i++) {
        assertThat(after.get(r).get(i)).as(in.columns()[i]).isEqualTo(before.get(r).get(i));
      }
    }
  }

  @Test
  void failingPolicyNamesThePlaceInTheInput() {
    List<Row> in = new ArrayList<>(AffineScoringTest.zipf(600, 20, 2));
    in.set(437, RowFactory.create(437, "", "a3"));
    EngineSpec spec =
        spec(Fixtures.path("models/bert-sequence"), 20)
            .with(OnError.FAIL)
            .with(new Batching(8, 300, 17, 0, true));
    Dataset<Row> rows = inTwoParts(in, in.subList(0, 100));
    Dataset<Row> swapped = inTwoParts(in.subList(0, 100), in);
    assertThat(rows.rdd().getNumPartitions()).isEqualTo(2);
    assertThatThrownBy(
            () -> Scoring.score(rows, spec, COLUMNS, AdapterAffinity.ON, null).collectAsList())
        .isInstanceOf(SparkException.class)
        .hasMessageContaining("ScoringException: partition 0, row 437 (both from 0): TEXT_EMPTY");
    assertThatThrownBy(
            () -> Scoring.score(swapped, spec, COLUMNS, AdapterAffinity.ON, null).collectAsList())
        .hasMessageContaining("ScoringException: partition 1, row 437 (both from 0): TEXT_EMPTY");
  }

  /** Spark 4.1's union of Datasets of one partition each has one partition, too. */
  private static Dataset<Row> inTwoParts(List<Row> first, List<Row> second) {
    return session()
        .createDataFrame(
            rows(first).coalesce(1).javaRDD().union(rows(second).coalesce(1).javaRDD()),
            LocalSpark.ROWS);
  }

  @Test
  void whatIsDrawnDoesNotDependOnWhereARowIs(@TempDir Path folder) {
    DecoderFolder.of("llama", folder);
    Map<String, AdapterSource> adapters = DecoderFolder.adapters("llama");
    adapters.keySet().retainAll(List.of("lora", "oft"));
    EngineSpec spec =
        LocalSpark.ready(
            EngineSpec.of(
                folder.toString(),
                TextGeneration.AUTO.withDoSample(true).withMaxNewTokens(5).withSeed(3),
                adapters));
    String[] names = {"lora", "oft", null, "oft+lora"};
    List<Row> in = new ArrayList<>();
    for (int id = 0; id < 60; id++) {
      String text = DecoderFolder.text(new long[] {5 + id, 70 - id, 9});
      in.add(RowFactory.create(id, text, names[id % names.length]));
    }
    Dataset<Row> rows = rows(in).repartitionByRange(5, functions.col("id"));
    List<Row> moved = Scoring.score(rows, spec, COLUMNS, AdapterAffinity.ON, null).collectAsList();
    assertThat(moved).hasSize(60).noneMatch(row -> row.isNullAt(3));
    assertThat(moved)
        .isEqualTo(Scoring.score(rows, spec, COLUMNS, AdapterAffinity.OFF, null).collectAsList());
  }

  @Test
  void transformersMoveWhenTheyAreToldTo() {
    Path model = Fixtures.path("models/bert-sequence");
    TextClassifier classifier =
        new TextClassifier().setModel(model.toString()).setAdapterCol("adapter");
    KINDS.forEach(kind -> classifier.addAdapter(kind, LocalSpark.adapter(model, kind)));
    List<Row> in = LocalSpark.random(200, 4, KINDS.toArray(String[]::new));
    Dataset<Row> rows = rows(in).repartitionByRange(4, functions.col("id"));
    LocalSpark.assertSame(
        classifier.setAdapterAffinity("on").classify(rows).collectAsList(),
        classifier.setAdapterAffinity("off").classify(rows).collectAsList());
    assertThatThrownBy(() -> classifier.setAdapterAffinity("of"))
        .hasMessage("adapterAffinity: expected one of auto, on, off, got of; did you mean off?");
    TextClassifier base = new TextClassifier().setModel(model.toString()).setAdapterAffinity("on");
    assertThatThrownBy(() -> base.transformSchema(rows.schema()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("adapterAffinity: expected auto or off without an adapterCol, got on");
  }
}
