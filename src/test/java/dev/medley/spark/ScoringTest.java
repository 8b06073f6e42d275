package dev.medley.spark;

import static dev.medley.spark.LocalSpark.freshModel;
import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static dev.medley.spark.LocalSpark.spec;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Prediction.Entities;
import dev.medley.engine.Prediction.Entity;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.RowError;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.function.FilterFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScoringTest {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");
  private static final String[] ADAPTERS = {
    "qv", "all-linear", "head-2-labels", "head-7-labels", "bias-all", "embeddings"
  };
  private static final EngineSpec CLASSIFY = spec(SEQUENCE, TextClassification.AUTO, ADAPTERS);

  private static List<Row> mixed(int count, long seed) {
    String[] adapters = Arrays.copyOf(ADAPTERS, ADAPTERS.length + 1); // the last is the base
    return random(count, seed, adapters);
  }

  /** What the engine says of the same rows, as Spark shows it. */
  private static List<Row> byEngine(EngineSpec spec, List<Row> rows) {
    try (Engine engine = Engine.load(spec)) {
      List<Result> results =
          engine.run(rows.stream().map(r -> Request.of(r.getString(1), r.getString(2))).toList());
      List<Row> expected = new ArrayList<>();
      for (int i = 0; i < rows.size(); i++) {
        Row row = rows.get(i);
        expected.add(
            RowFactory.create(
                row.get(0),
                row.get(1),
                row.get(2),
                PredictionColumns.value(results.get(i).prediction()),
                PredictionColumns.value(results.get(i).error())));
      }
      return session()
          .createDataFrame(expected, Scoring.schema(LocalSpark.ROWS, spec.task(), COLUMNS))
          .collectAsList();
    }
  }

  private static void equalsEngine(EngineSpec spec, List<Row> rows) {
    List<Row> scored = Scoring.score(rows(rows).coalesce(1), spec, COLUMNS, null).collectAsList();
    assertThat(scored).isEqualTo(byEngine(spec, rows));
  }

  @Test
  void classesEqualTheEnginesRowByRow() {
    equalsEngine(CLASSIFY.with(new Batching(8, 300, 17, 0, true)), mixed(100, 1));
  }

  @Test
  void embeddingsEqualTheEnginesRowByRow() {
    Path bert = Fixtures.path("models/bert");
    equalsEngine(spec(bert, FeatureExtraction.AUTO, "feature"), random(40, 2, "feature", null));
  }

  @Test
  void entitiesEqualTheEnginesRowByRow() {
    Path token = Fixtures.path("models/bert-token");
    Task all = new TokenClassification(List.of());
    equalsEngine(spec(token, all, "token-head"), random(40, 3, "token-head", null));
  }

  @Test
  void rowsComeOutInOrderFromEveryPartition() {
    List<Row> rows = mixed(90, 4);
    Dataset<Row> in = rows(rows).repartitionByRange(5, functions.col("id"));
    List<Row> scored = Scoring.score(in, CLASSIFY, COLUMNS, null).collectAsList();
    assertThat(scored).extracting(row -> row.getInt(0)).isSorted().hasSize(90);
    List<Row> expected = byEngine(CLASSIFY, rows);
    for (int i = 0; i < rows.size(); i++) {
      assertThat(scored.get(i).getString(1)).isEqualTo(rows.get(i).getString(1));
      same(scored.get(i).getStruct(3), expected.get(i).getStruct(3));
    }
  }

  /** The same classification but for rounding, which a row's place in its batch may change. */
  private static void same(Row classification, Row expected) {
    assertThat(classification.getString(0)).isEqualTo(expected.getString(0));
    assertThat(classification.getFloat(1)).isCloseTo(expected.getFloat(1), offset(1e-5f));
    assertThat(classification.<Row>getList(2)).hasSameSizeAs(expected.<Row>getList(2));
  }

  @Test
  void typesAreTheDocumentedOnes() {
    Map<Task, String> types =
        Map.of(
            FeatureExtraction.AUTO, "array<float>",
            TextClassification.AUTO,
                "struct<label:string,score:float,scores:array<struct<label:string,score:float>>>",
            TokenClassification.AUTO,
                "array<struct<word:string,label:string,score:float,start:int,end:int>>",
            TextGeneration.AUTO,
                "struct<text:string,tokens:array<int>,finish_reason:string,prompt_tokens:int,"
                    + "generated_tokens:int>",
            TextScoring.AUTO,
                "struct<log_likelihood:double,perplexity:double,tokens:array<int>,"
                    + "log_probs:array<float>,is_greedy:boolean>");
    types.forEach(
        (task, type) ->
            assertThat(Scoring.schema(LocalSpark.ROWS, task, COLUMNS))
                .isEqualTo(
                    StructType.fromDDL(
                        "id int, text string, adapter string, prediction "
                            + type
                            + ", prediction_error struct<code:string,message:string>")));
  }

  @Test
  void valuesAreThePredictionsOwn() {
    assertThat(PredictionColumns.value(new Embedding(new float[] {1, 2})))
        .isEqualTo(new float[] {1, 2});
    Object best =
        PredictionColumns.value(
            new Classification(
                "b", 0.75f, List.of(new LabelScore("a", 0.25f), new LabelScore("b", 0.75f))));
    assertThat(best).asString().startsWith("[b,0.75,");
    assertThat((Object[]) ((Row) best).get(2))
        .containsExactly(RowFactory.create("a", 0.25f), RowFactory.create("b", 0.75f));
    Object entities =
        PredictionColumns.value(new Entities(List.of(new Entity("do", "DOG", 0.5f, 2, 4))));
    assertThat((Object[]) entities).containsExactly(RowFactory.create("do", "DOG", 0.5f, 2, 4));
    assertThat(PredictionColumns.value(new RowError(Code.TEXT_NULL, "why")))
        .isEqualTo(RowFactory.create("TEXT_NULL", "why"));
  }

  @Test
  void adapterColumnMayHoldArrays() {
    StructType type = StructType.fromDDL("text string, adapter array<string>");
    List<Row> in = new ArrayList<>();
    for (String[] adapter :
        new String[][] {
          {"head-7-labels"},
          null,
          {},
          {""},
          {"__base__"},
          {null},
          {"qv", "all-linear"},
          {"qv", null}
        }) {
      in.add(RowFactory.create("a dog", adapter));
    }
    Dataset<Row> rows = session().createDataFrame(in, type).coalesce(1);
    List<Row> scored = Scoring.score(rows, CLASSIFY, COLUMNS, null).collectAsList();

    assertThat(scored.get(0).getStruct(2).getList(2)).hasSize(7);
    List<Row> base = scored.subList(1, 6);
    assertThat(base).allSatisfy(row -> assertThat(row.getStruct(2).getList(2)).hasSize(3));
    assertThat(base).allSatisfy(row -> same(row.getStruct(2), base.get(0).getStruct(2)));
    assertThat(scored.get(6).isNullAt(2)).isTrue();
    assertThat(scored.get(6).getStruct(3).getString(0)).isEqualTo("ADAPTER_UNFIT");
    assertThat(scored.get(6).getStruct(3).getString(1))
        .contains(
            "classifier.weight: both qv and all-linear bring it; a set takes it"
                + " from one member");
    assertThat(scored.get(7).getStruct(3).getString(0)).isEqualTo("ADAPTER_SYNTAX");
  }

  @Test
  void adapterColumnMayHoldStringsOrNothing() {
    List<Row> in = new ArrayList<>();
    for (String adapter : new String[] {null, "", "__base__", "qv", "qv+all-linear", "qw"}) {
      in.add(RowFactory.create(in.size(), "a dog", adapter));
    }
    in.add(RowFactory.create(in.size(), null, "qv"));
    in.add(RowFactory.create(in.size(), "dog ".repeat(100), "qv"));
    ScoringCounters counters = ScoringCounters.register(session(), "strings");
    List<Row> scored =
        Scoring.score(rows(in).coalesce(1), CLASSIFY, COLUMNS, counters).collectAsList();

    same(scored.get(1).getStruct(3), scored.get(0).getStruct(3));
    same(scored.get(2).getStruct(3), scored.get(0).getStruct(3));
    assertThat(scored.get(3).getStruct(3).getFloat(1))
        .isNotCloseTo(scored.get(0).getStruct(3).getFloat(1), offset(1e-2f));
    assertThat(scored)
        .extracting(row -> row.isNullAt(4) ? null : row.getStruct(4).getString(0))
        .containsExactly(
            null,
            null,
            null,
            null,
            "ADAPTER_UNFIT",
            "ADAPTER_UNKNOWN",
            "TEXT_NULL",
            "TEXT_TRUNCATED");
    assertThat(scored)
        .extracting(row -> row.isNullAt(3))
        .containsExactly(false, false, false, false, true, true, true, false);
    assertThat(counters.rows()).isEqualTo(8);
    assertThat(counters.errorsByCode())
        .isEqualTo(
            Map.of(
                "ADAPTER_UNFIT", 1L,
                "ADAPTER_UNKNOWN", 1L,
                "TEXT_NULL", 1L,
                "TEXT_TRUNCATED", 1L));
  }

  @Test
  void withoutAnAdapterColumnEveryRowIsUnderTheBase() {
    List<Row> rows = random(5, 5, "qv");
    List<Row> asBase =
        rows.stream().map(row -> RowFactory.create(row.get(0), row.get(1), null)).toList();
    ScoringColumns noAdapter = new ScoringColumns("text", null, "prediction");
    assertThat(
            Scoring.score(rows(rows).coalesce(1), CLASSIFY, noAdapter, null)
                .select("prediction")
                .collectAsList())
        .isEqualTo(
            Scoring.score(rows(asBase).coalesce(1), CLASSIFY, COLUMNS, null)
                .select("prediction")
                .collectAsList());
  }

  @Test
  void baseIsLoadedOnceAndAdaptersOnlyForTheirRows(@TempDir Path folder) throws Exception {
    EngineSpec spec = spec(freshModel("bert-sequence", folder), TextClassification.AUTO, ADAPTERS);
    ScoringCounters counters = ScoringCounters.register(session(), "loads");
    List<Row> rows = random(200, 6, "qv", "head-7-labels", null);
    int before = ExecutorEngines.OF_THIS_JVM.baseLoads();

    Dataset<Row> scored = Scoring.score(rows(rows).repartition(8), spec, COLUMNS, counters);
    assertThat(scored.rdd().getNumPartitions()).isEqualTo(8);
    scored.write().format("noop").mode("overwrite").save();
    assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads() - before).isEqualTo(1);
    assertThat(counters.adapterLoads()).isEqualTo(2);
    assertThat(counters.rows()).isEqualTo(200);

    scored.write().format("noop").mode("overwrite").save();
    assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads() - before).isEqualTo(1);
    assertThat(counters.adapterLoads()).isEqualTo(2);
    assertThat(counters.rows()).isEqualTo(400);

    // another spec on the same base and head
    EngineSpec fewer =
        spec(Path.of(spec.base()), TextClassification.AUTO, "qv")
            .with(new Batching(4, 999, 99, 0, true));
    Scoring.score(rows(random(20, 7, "qv")), fewer, COLUMNS, null).collectAsList();
    assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads() - before).isEqualTo(1);
  }

  @Test
  void partitionsWithoutRowsLoadNothing(@TempDir Path folder) throws Exception {
    EngineSpec spec = spec(freshModel("bert-sequence", folder), TextClassification.AUTO);
    int before = ExecutorEngines.OF_THIS_JVM.baseLoads();
    Dataset<Row> none =
        rows(random(5, 8, "qv")).repartition(4).filter((FilterFunction<Row>) row -> false);
    assertThat(Scoring.score(none, spec, COLUMNS, null).collectAsList()).isEmpty();
    assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads()).isEqualTo(before);
  }

  @Test
  void noMoreThanTwoWindowsAreReadAhead() throws Exception {
    LongAccumulator read = session().sparkContext().longAccumulator();
    Dataset<Row> counted = LocalSpark.counted(rows(random(500, 9, "qv")).coalesce(1), read);
    EngineSpec spec = CLASSIFY.with(new Batching(4, 300, 10, 0, true));
    assertThat(Scoring.score(counted, spec, COLUMNS, null).takeAsList(11)).hasSize(11);
    assertThat(read.sum()).isEqualTo(30); // of 10: given back, scored, made tokens of
    LocalSpark.waitUntil(
        () -> ExecutorEngines.OF_THIS_JVM.leases() == 0); // a job may end before its tasks
  }

  @Test
  void failingPolicyFailsTheJobAndNamesPartitionAndRow() throws Exception {
    List<Row> in = new ArrayList<>(random(6, 10, "qv"));
    in.set(4, RowFactory.create(4, "", "qv"));
    EngineSpec spec = CLASSIFY.with(Batching.DEFAULT).with(OnError.FAIL);
    Dataset<Row> rows = rows(in).repartitionByRange(2, functions.col("id"));
    assertThatThrownBy(() -> Scoring.score(rows, spec, COLUMNS, null).collectAsList())
        .isInstanceOf(SparkException.class)
        .hasMessageContaining(
            "dev.medley.spark.ScoringException: partition 1, row 1 (both from 0): TEXT_EMPTY:"
                + " text: expected a character, found none");
    LocalSpark.waitUntil(
        () -> ExecutorEngines.OF_THIS_JVM.leases() == 0); // a job may end before its tasks
  }

  @Test
  void killedTaskGivesItsEngineBack() throws Exception {
    Dataset<Row> slow = LocalSpark.slow(rows(random(20_000, 11, "qv")), 1);
    EngineSpec spec = CLASSIFY.with(new Batching(4, 300, 10, 0, true));
    LocalSpark.kill(
        Scoring.score(slow, spec, COLUMNS, null), () -> ExecutorEngines.OF_THIS_JVM.leases() == 1);
    LocalSpark.waitUntil(() -> ExecutorEngines.OF_THIS_JVM.leases() == 0);
    assertThat(Thread.getAllStackTraces().keySet())
        .extracting(Thread::getName)
        .noneMatch(name -> name.startsWith("medley-ahead"));
  }

  @Test
  void everyInputColumnIsKeptWithItsMetadata() {
    Metadata note = Metadata.fromJson("{\"comment\":\"a note\"}");
    Dataset<Row> in =
        session()
            .sql(
                "select 1Y as `a.b`, 'a dog' as text, 'qv' as adapter, 2 as twice, 3 as twice,"
                    + " map('k', array(named_struct('d', date '1582-10-14'))) as nested,"
                    + " timestamp '2020-02-02 02:02:02.123456' as at, 1.50bd as price,"
                    + " cast(null as binary) as nothing, interval 3 days as span, null as void,"
                    + " interval 5 months as months")
            .withColumn("noted", functions.lit(5).as("noted", note));
    Dataset<Row> scored = Scoring.score(in, CLASSIFY, COLUMNS, null);

    assertThat(scored.schema().fieldNames())
        .startsWith(in.schema().fieldNames())
        .endsWith("prediction", "prediction_error");
    Row before = in.first();
    Row after = scored.first();
    for (int i = 0; i < before.size(); i++) {
      assertThat(after.get(i)).as(in.columns()[i]).isEqualTo(before.get(i));
      assertThat(scored.schema().apply(i)).isEqualTo(in.schema().apply(i));
    }
  }

  @Test
  void relativePathsAreTheDrivers() {
    Path here = Path.of("").toAbsolutePath();
    EngineSpec relative =
        EngineSpec.of(
            "models/base",
            FeatureExtraction.AUTO,
            Map.of(
                "a",
                AdapterSource.of("models/a", List.of("x")),
                "b",
                AdapterSource.of("hdfs://h/b")));
    assertThat(Scoring.withAbsolutePaths(relative))
        .isEqualTo(
            EngineSpec.of(
                here + "/models/base",
                FeatureExtraction.AUTO,
                Map.of(
                    "a", AdapterSource.of(here + "/models/a", List.of("x")),
                    "b", AdapterSource.of("hdfs://h/b"))));
  }

  @Test
  void columnsThatDoNotFitAreNamedAllAtOnce() {
    StructType in = StructType.fromDDL("id int, Text string, adaptor int, Prediction_error int");
    assertThatThrownBy(
            () ->
                Scoring.schema(
                    in,
                    FeatureExtraction.AUTO,
                    new ScoringColumns("text", "adaptor", "prediction")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            """
            3 problems:
              text column text: expected string, found no such column among id, Text, adaptor,\
             Prediction_error; did you mean Text?
              adapter column adaptor: expected string or array<string>, found int
              output column prediction_error: expected a new name, found input column\
             Prediction_error; choose another name for the prediction""");
    assertThatThrownBy(
            () ->
                Scoring.schema(
                    StructType.fromDDL("text array<string>"),
                    FeatureExtraction.AUTO,
                    new ScoringColumns("text", null, "prediction")))
        .hasMessage("text column text: expected string, found array<string>");
    assertThatThrownBy(
            () ->
                Scoring.schema(
                    StructType.fromDDL("text string").add("text", "string"),
                    FeatureExtraction.AUTO,
                    new ScoringColumns("text", null, "prediction")))
        .hasMessage("text column text: expected one, found 2 of that name");
    assertThatThrownBy(() -> new ScoringColumns("text", " ", "prediction"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("adapter column: expected a name, got a blank one");
  }

  @Test
  void columnsOfOtherTasksAreRefused() {
    StructType in =
        StructType.fromDDL(
            "text string, c array<struct<role:string,content:string>>, s bigint, o string");
    ScoringColumns columns = new ScoringColumns("text", null, "p");
    assertThatThrownBy(
            () ->
                Scoring.schema(
                    in, TextClassification.AUTO, columns.withCompletion("o").withSeed("s")))
        .hasMessage(
            """
            2 problems:
              seed column s: expected none for text-classification; it is for text-generation
              completion column o: expected none for text-classification; it is for text-scoring""");
    assertThatThrownBy(
            () -> Scoring.schema(in, TextScoring.AUTO, ScoringColumns.ofChats("c", null, "p")))
        .hasMessage("messages column c: expected none for text-scoring; it is for text-generation");
    assertThat(Scoring.schema(in, TextScoring.AUTO, columns.withCompletion("o")).size())
        .isEqualTo(6);
    assertThatThrownBy(() -> new ScoringColumns("text", "c", null, null, null, "p"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("messages column: expected none beside the text column text, got c");
    assertThatThrownBy(() -> new ScoringColumns(null, null, "p"))
        .hasMessage("text column: expected a name, got none");
  }

  @Test
  void wholeRowsOfErrorsLoadNoAdapter() {
    List<Row> in = Collections.nCopies(3, RowFactory.create(0, null, "bias-all"));
    ScoringCounters counters = ScoringCounters.register(session(), "errors");
    Scoring.score(rows(in), CLASSIFY, COLUMNS, counters).collectAsList();
    assertThat(counters.errorsByCode()).isEqualTo(Map.of("TEXT_NULL", 3L));
  }
}
