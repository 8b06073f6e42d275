package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.EngineSpec.OnError;
import java.lang.reflect.Constructor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkException;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.Option;
import scala.collection.immutable.Map$;

/** What SQL's functions give: the transformers' predictions, computed in batches. */
class SqlFunctionsTest {
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");
  private static final String[] ADAPTERS = {"qv", "all-linear", "head-7-labels", null};

  private final SparkSession session = LocalSpark.session().newSession();

  private static TextClassifier classifier() {
    TextClassifier classifier =
        new TextClassifier().setModel(SEQUENCE.toString()).setAdapterCol("adapter").setBatchSize(8);
    Arrays.stream(ADAPTERS)
        .filter(name -> name != null)
        .forEach(name -> classifier.addAdapter(name, adapter(SEQUENCE, name)));
    return classifier;
  }

  @BeforeEach
  void register() {
    MedleyModels.register(session, "support", classifier());
  }

  /** Rows in one partition, so that batches are the same each time. */
  private void view(String name, Dataset<Row> rows) {
    session
        .createDataFrame(rows.collectAsList(), rows.schema())
        .coalesce(1)
        .createOrReplaceTempView(name);
  }

  /** Predictions and errors of the same rows by a transformer. */
  private static List<Row> transformed(TextTransformer<?> transformer, Dataset<?> rows) {
    return transformer.transform(rows).selectExpr("prediction", "prediction_error").collectAsList();
  }

  /** The predictions alone of the same rows by a transformer. */
  private static List<Row> predicted(TextTransformer<?> transformer, Dataset<?> rows) {
    return transformer.transform(rows).select("prediction").collectAsList();
  }

  @Test
  void classesEqualTheTransformersRowForRow() {
    List<Row> in = new ArrayList<>(random(100, 1, ADAPTERS));
    in.set(7, RowFactory.create(7, "", "qv"));
    in.set(8, RowFactory.create(8, null, "qv"));
    in.set(9, RowFactory.create(9, "a dog", "nobody's"));
    in.set(10, RowFactory.create(10, "dog ".repeat(600), "qv"));
    view("tickets", rows(in));
    Dataset<Row> tried =
        session.sql("select try_medley_classify('support', text, adapter) as t from tickets");
    assertThat(tried.select("t.prediction", "t.prediction_error").collectAsList())
        .isEqualTo(transformed(classifier(), session.table("tickets")));
    assertThat(
            tried.where("t.prediction is null").select("t.prediction_error.code").collectAsList())
        .extracting(row -> row.getString(0))
        .containsExactly("TEXT_EMPTY", "TEXT_NULL", "ADAPTER_UNKNOWN");
    assertThat(tried.where("t.prediction_error.code = 'TEXT_TRUNCATED'").count()).isPositive();
    assertThat(tried.schema().apply("t").dataType())
        .isEqualTo(SqlFunction.CLASSIFY.type(OnError.ROW));
  }

  @Test
  void embeddingsAndTokensEqualTheTransformers() {
    Path bert = Fixtures.path("models/bert");
    TextEmbedder embedder =
        new TextEmbedder()
            .setModel(bert.toString())
            .setAdapterCol("adapter")
            .addAdapter("feature", adapter(bert, "feature"));
    MedleyModels.register(session, "vectors", embedder);
    view("texts", rows(random(30, 2, "feature", null)));
    assertThat(
            session.sql("select medley_embed('vectors', text, adapter) from texts").collectAsList())
        .isEqualTo(predicted(embedder, session.table("texts")));

    Path token = Fixtures.path("models/bert-token");
    TokenClassifier tagger =
        new TokenClassifier()
            .setModel(token.toString())
            .setAdapterCol("adapter")
            .setIgnoreLabels()
            .addAdapter("token-head", adapter(token, "token-head"));
    MedleyModels.register(session, "names", tagger);
    view("texts", rows(random(30, 3, "token-head", null)));
    assertThat(
            session
                .sql("select medley_classify_tokens('names', text, adapter) from texts")
                .collectAsList())
        .isEqualTo(predicted(tagger, session.table("texts")));
  }

  @Test
  void textsAndChatsAreContinuedAndScoredAsByTheTransformers(@TempDir Path folder) {
    DecoderFolder.of("llama", folder);
    TextGenerator generator =
        new TextGenerator()
            .setModel(folder.toString())
            .setAdapterCol("adapter")
            .setSeedCol("seed")
            .setDoSample(true)
            .setMaxNewTokens(4);
    TextScorer scorer =
        new TextScorer()
            .setModel(folder.toString())
            .setAdapterCol("adapter")
            .setCompletionCol("completion");
    for (String name : List.of("lora", "loha")) {
      String path = DecoderFolder.adapters("llama").get(name).uri();
      generator.addAdapter(name, path);
      scorer.addAdapter(name, path);
    }
    MedleyModels.register(session, "writer", generator);
    MedleyModels.register(session, "judge", scorer);
    List<Row> in = new ArrayList<>();
    List<String> adapters = Arrays.asList("lora", null, "lora+loha");
    for (int id = 0; id < 12; id++) {
      String text = DecoderFolder.text(new long[] {5 + id, 7 + id % 5, 9});
      String completion = DecoderFolder.text(new long[] {11, 13 + id});
      in.add(RowFactory.create(id, text, adapters.get(id % 3), (long) id, completion));
    }
    view(
        "prompts",
        session.createDataFrame(
            in,
            StructType.fromDDL(
                "id int, text string, adapter string, seed bigint, completion string")));
    assertThat(
            session
                .sql("select medley_generate('writer', text, adapter, seed) from prompts")
                .collectAsList())
        .isEqualTo(predicted(generator, session.table("prompts")));
    assertThat(
            session
                .sql(
                    "select medley_log_likelihood('judge', text, adapter, completion) from"
                        + " prompts")
                .collectAsList())
        .isEqualTo(predicted(scorer, session.table("prompts")));
  }

  @Test
  void tableFunctionReadsWhatTheTaskAsksFor(@TempDir Path folder) {
    DecoderFolder.of("llama", folder);
    TextScorer scorer = new TextScorer().setModel(folder.toString());
    MedleyModels.register(session, "judge", scorer);
    view(
        "prompts",
        session.createDataFrame(
            List.of(
                RowFactory.create(DecoderFolder.text(new long[] {5, 6, 7}), " t9 t10"),
                RowFactory.create(DecoderFolder.text(new long[] {8, 9}), " t11")),
            StructType.fromDDL("text string, completion string")));
    assertThat(
            session
                .sql("select prediction from medley_score('prompts', 'judge', 'text')")
                .collectAsList())
        .isEqualTo(predicted(scorer, session.table("prompts")));
    assertThat(
            session
                .sql(
                    "select prediction from medley_score('prompts', 'judge', 'text', completion =>"
                        + " 'completion')")
                .collectAsList())
        .isEqualTo(predicted(scorer.setCompletionCol("completion"), session.table("prompts")));
  }

  @Test
  void chatsAreAnsweredAsByTheTransformer(@TempDir Path folder) {
    DecoderFolder.ofChats("llama", folder);
    TextGenerator generator =
        new TextGenerator()
            .setModel(folder.toString())
            .setMaxNewTokens(4)
            .setMessagesCol("messages");
    MedleyModels.register(session, "writer", generator);
    session
        .sql(
            "select array(named_struct('role', 'user', 'content', 't' || id)) as messages from"
                + " range(20, 26, 1, 1)")
        .createOrReplaceTempView("chats");
    List<Row> answers =
        session.sql("select medley_generate('writer', messages) from chats").collectAsList();
    assertThat(answers).isEqualTo(predicted(generator, session.table("chats")));
    assertThat(
            session
                .table("chats")
                .select(MedleyFunctions.generate("writer", col("messages")))
                .collectAsList())
        .isEqualTo(answers);
    assertThatThrownBy(() -> session.sql("select medley_generate('writer', array('a')) from chats"))
        .hasMessageContaining(
            "medley_generate: messages: expected array<struct<role:string,content:string>>, found"
                + " array<string>");
  }

  @Test
  void adaptersMayBeArraysAndConstants() {
    view("tickets", rows(random(20, 4, "qv")));
    List<Row> byColumn =
        session
            .sql("select medley_classify('support', text, adapter) from tickets")
            .collectAsList();
    assertThat(
            session
                .sql("select medley_classify('support', text, array(adapter)) from tickets")
                .collectAsList())
        .isEqualTo(byColumn);
    assertThat(
            session
                .sql("select medley_classify(concat('sup', 'port'), text, 'qv') from tickets")
                .collectAsList())
        .isEqualTo(byColumn);
    assertThat(
            session
                .sql("select medley_classify('support', text, null) from tickets")
                .collectAsList())
        .isNotEqualTo(byColumn)
        .isEqualTo(
            session
                .sql("select medley_classify('support', text, '__base__') from tickets")
                .collectAsList());
  }

  @Test
  void rowsOfAPartitionShareForwardPasses() {
    view("tickets", rows(random(100, 5, "qv")));
    Dataset<Row> scored =
        session.sql("select medley_classify('support', text, adapter).label from tickets");
    Map<String, Long> metrics = SqlPlans.run(scored);
    assertThat(metrics).containsEntry("texts", 100L).containsEntry("errors", 0L);
    assertThat(metrics.get("forwards")).isEqualTo(13); // of 8 rows
  }

  @Test
  void rowInErrorFailsOnlyWhereItsPredictionIsAskedFor() {
    view("tickets", rows(List.of(RowFactory.create(1, "a dog", "nobody's"))));
    assertThatThrownBy(
            () ->
                session
                    .sql("select medley_classify('support', text, adapter) from tickets")
                    .collectAsList())
        .isInstanceOf(SparkException.class)
        .hasMessageContaining(
            "dev.medley.spark.ScoringException: medley_classify of model support: ADAPTER_UNKNOWN:")
        .hasMessageContaining("its try_ function gives the error beside the row");
    assertThat(
            session
                .sql(
                    "select case when id > 1 then medley_classify('support', text, adapter) end,"
                        + " coalesce(text, medley_classify('support', text, adapter).label),"
                        + " if(id = 1, 'one', medley_classify('support', text, adapter).label),"
                        + " try_medley_classify('support', text, adapter).prediction_error.code"
                        + " from tickets")
                .collectAsList())
        .containsExactly(RowFactory.create(null, "a dog", "one", "ADAPTER_UNKNOWN"));
  }

  @Test
  void nullTextHasANullPrediction() {
    view("tickets", rows(List.of(RowFactory.create(1, null, "qv"))));
    assertThat(
            session
                .sql(
                    "select medley_classify('support', text, adapter),"
                        + " medley_classify('support', null, adapter),"
                        + " try_medley_classify('support', text, adapter).prediction_error.code"
                        + " from tickets")
                .collectAsList())
        .containsExactly(RowFactory.create(null, null, "TEXT_NULL"));
  }

  @Test
  void columnFunctionsAreTheSame() {
    view("tickets", rows(random(30, 6, ADAPTERS)));
    Dataset<Row> tickets = session.table("tickets");
    List<Row> expected =
        session
            .sql("select *, medley_classify('support', text, adapter) as p from tickets")
            .collectAsList();
    Dataset<Row> scored =
        tickets.withColumn("p", MedleyFunctions.classify("support", col("text"), col("adapter")));
    assertThat(scored.collectAsList()).isEqualTo(expected);
    String label = expected.get(0).getStruct(3).getString(0);
    assertThat(
            tickets
                .filter(
                    MedleyFunctions.tryClassify("support", col("text"), col("adapter"))
                        .getField("prediction")
                        .getField("label")
                        .equalTo(label))
                .collectAsList())
        .isEqualTo(scored.filter(col("p.label").equalTo(label)).drop("p").collectAsList());
  }

  @Test
  void sessionWithoutTheExtensionSaysSo() throws ReflectiveOperationException {
    SparkSession bare = bare();
    Dataset<Row> rows = bare.sql("select 'a dog' as text");
    assertThatThrownBy(() -> rows.select(MedleyFunctions.classify("support", col("text"))))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(
            "medley_classify needs a session with Medley's extension; start the application with"
                + " spark.sql.extensions=dev.medley.spark.MedleyExtensions");
  }

  /** One that nobody has extended, by the constructor that is told everything. */
  private SparkSession bare() throws ReflectiveOperationException {
    Constructor<?> longest =
        Stream.of(session.getClass().getDeclaredConstructors())
            .max(Comparator.comparingInt(Constructor::getParameterCount))
            .orElseThrow();
    Map<Class<?>, Object> known =
        Map.of(
            SparkContext.class, session.sparkContext(),
            Option.class, Option.empty(),
            SparkSessionExtensions.class, new SparkSessionExtensions(),
            scala.collection.immutable.Map.class, Map$.MODULE$.empty());
    longest.setAccessible(true);
    return (SparkSession)
        longest.newInstance(Stream.of(longest.getParameterTypes()).map(known::get).toArray());
  }
}
