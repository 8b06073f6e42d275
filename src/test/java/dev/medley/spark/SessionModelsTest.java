package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The models that SQL may name. */
class SessionModelsTest {
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");

  private final SparkSession session = LocalSpark.session().newSession();

  /** The application's own settings, which a test takes back. */
  private final SparkConf application = session.sparkContext().conf();

  private final Map<String, String> given = new LinkedHashMap<>();

  @AfterEach
  void takeBack() {
    given.keySet().forEach(application::remove);
  }

  private void start(String key, String value) {
    given.put(key, value);
    application.set(key, value);
  }

  private static ModelConf conf(String... settings) {
    Map<String, String> all = new LinkedHashMap<>();
    for (int i = 0; i < settings.length; i += 2) {
      all.put("spark.medley.model.support." + settings[i], settings[i + 1]);
    }
    return new ModelConf(all);
  }

  private Row first(String sql) {
    return session.sql(sql).first();
  }

  @Test
  void registeredModelIsTheSessionsOwnAsItWasThen() {
    TextClassifier two = new TextClassifier().setModel(SEQUENCE.toString()).setTopK(2);
    MedleyModels.register(session, "support", two);
    two.setTopK(1);
    assertThat(first("select medley_classify('support', 'a dog').scores").getList(0)).hasSize(2);
    MedleyModels.register(session, "support", two);
    assertThat(first("select medley_classify('support', 'a dog').scores").getList(0)).hasSize(1);
    SparkSession other = session.newSession();
    assertThatThrownBy(() -> other.sql("select medley_classify('support', 'a dog')"))
        .hasMessageContaining("no model is named support");
  }

  @Test
  void registeredModelIsNoFunction() {
    MedleyModels.register(session, "support", new TextClassifier().setModel("x"));
    assertThatThrownBy(() -> session.sql("select `medley_model:support`('a dog')"))
        .hasMessageContaining(
            "support is a model, not a function; call medley_classify(model, text[, adapter]) with"
                + " model = 'support'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "Support", "a/b", "a.b", "-a", "a b"})
  void namesThatCouldBePathsAreRefused(String name) {
    assertThatThrownBy(
            () -> MedleyModels.register(session, name, new TextClassifier().setModel("x")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("model name: expected a-z, 0-9, _ and - alone, got \"" + name + "\"");
  }

  @Test
  void onlyMedleysTransformersWithAModelAreRegistered() {
    assertThatThrownBy(() -> MedleyModels.register(session, "a", new SQLTransformer()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "model a: expected a TextEmbedder, TextClassifier, TokenClassifier, TextGenerator or"
                + " TextScorer, got org.apache.spark.ml.feature.SQLTransformer");
    assertThatThrownBy(() -> MedleyModels.register(session, "a", new TextClassifier()))
        .hasMessage("model a: expected a transformer with a model, found none; call setModel");
  }

  @Test
  void filesThatAreNotThereAreSaidBeforeAnythingRuns() {
    MedleyModels.register(session, "gone", new TextClassifier().setModel("/no/such/model"));
    assertThatThrownBy(() -> session.sql("select medley_classify('gone', 'a dog')"))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("/no/such/model");
  }

  @Test
  void movingRowsIsRefused() {
    MedleyModels.register(
        session,
        "moved",
        new TextClassifier().setModel(SEQUENCE.toString()).setAdapterAffinity("on"));
    assertThatThrownBy(() -> session.sql("select medley_classify('moved', 'a dog')"))
        .hasMessageContaining(
            "model moved: expected adapterAffinity auto or off, found on; SQL moves no rows, use the"
                + " transformer");
  }

  @Test
  void configurationNamesModels() {
    start("spark.medley.model.support.base", SEQUENCE.toString());
    start("spark.medley.model.support.task", "text-classification");
    start("spark.medley.model.support.top-k", "2");
    start("spark.medley.model.support.adapters.qv", adapter(SEQUENCE, "qv"));
    start("spark.medley.model.support.sets.both", "qv+0.5*qv");
    Row row =
        first(
            "select medley_classify('support', 'a dog', 'qv').scores,"
                + " medley_classify('support', 'a dog', null).scores");
    assertThat(row.getList(0)).hasSize(2).isNotEqualTo(row.getList(1));
    assertThatThrownBy(() -> session.sql("select medley_classify('suport', 'a dog')"))
        .hasMessageContaining("no model is named suport; did you mean support?");
    MedleyModels.register(
        session, "support", new TextClassifier().setModel(SEQUENCE.toString()).setTopK(1));
    assertThat(first("select medley_classify('support', 'a dog').scores").getList(0)).hasSize(1);
  }

  @Test
  void sqlCannotNameFiles() {
    String path = SEQUENCE.toString();
    assertThatThrownBy(() -> session.sql("select medley_classify('" + path + "', 'a dog')"))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(
            "medley_classify: model: expected a registered name, found the path "
                + path
                + ", and SQL may not name files; call MedleyModels.register(session, \"name\","
                + " transformer), start with spark.medley.model.NAME.base and .task, or allow paths"
                + " by starting with spark.medley.sql.allow-paths=true");
    session.sql("set `spark.medley.sql.allow-paths`=true");
    assertThatThrownBy(() -> session.sql("select medley_classify('" + path + "', 'a dog')"))
        .hasMessageContaining("SQL may not name files");
    session.sql("set `spark.medley.model.mine.base`=`" + path + "`");
    session.sql("set `spark.medley.model.mine.task`=`text-classification`");
    assertThatThrownBy(() -> session.sql("select medley_classify('mine', 'a dog')"))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(
            "spark.medley.model.mine.base: expected as the application was started, found it set in"
                + " the session, where SQL could name any file");
    start("spark.medley.model.support.base", path);
    start("spark.medley.model.support.task", "text-classification");
    session.sql("set `spark.medley.model.support.base`=`/etc/other`");
    assertThatThrownBy(() -> session.sql("select medley_classify('support', 'a dog')"))
        .hasMessageContaining("spark.medley.model.support.base: expected as the application was");
  }

  @Test
  void applicationMayAllowPaths() {
    start("spark.medley.sql.allow-paths", "true");
    String path = SEQUENCE.toString();
    Row named = first("select medley_classify('" + path + "', 'a dog')");
    session.sql("set `spark.medley.model.mine.base`=`" + path + "`");
    session.sql("set `spark.medley.model.mine.task`=`text-classification`");
    assertThat(first("select medley_classify('mine', 'a dog')")).isEqualTo(named);
    assertThatThrownBy(
            () ->
                session.sql(
                    "select * from medley_score('t', '" + path + "', 'text')")) // for which task?
        .hasMessageContaining("medley_score: model: expected a registered name, found the path");
  }

  @Test
  void keysAreTheParametersOfTheTask() {
    TextTransformer<?> model =
        conf(
                "base", "models/base",
                "task", "text-generation",
                "max-new-tokens", "7",
                "do-sample", "true",
                "temperature", "0.5",
                "stop", "[\"a\", \"b\"]",
                "seed", "12345678901",
                "on-error", "fail",
                "dtype", "bfloat16",
                "adapters.a", "path/a",
                "adapters.b.c", "{\"path\": \"path/b\", \"labels\": [\"x\", \"y\"]}",
                "sets.both", "a+0.5*b.c")
            .model("support", Storage.standard());
    assertThat(model.getModel()).isEqualTo("models/base");
    assertThat(model.task())
        .isEqualTo(
            TextGeneration.AUTO
                .withMaxNewTokens(7)
                .withDoSample(true)
                .withTemperature(0.5)
                .withStop(List.of("a", "b"))
                .withSeed(12345678901L));
    assertThat(model.getOnError()).isEqualTo("fail");
    assertThat(model.getDtype()).isEqualTo("bfloat16");
    assertThat(model.getAdapters()).isEqualTo(Map.of("a", "path/a", "b.c", "path/b"));
    assertThat(model.getSets()).isEqualTo(Map.of("both", List.of("a+0.5*b.c")));
    assertThat(
            conf("base", "x", "task", "text-classification")
                .model("support", Storage.standard())
                .task())
        .isEqualTo(TextClassification.AUTO);
  }

  @Test
  void adaptersMayBeAllOfAFolder() {
    String folder = SEQUENCE.resolve("adapters").toString();
    TextTransformer<?> model =
        conf(
                "base", "x",
                "task", "text-classification",
                "adapters-from", folder + "/head-*",
                "adapters.head-7-labels", "elsewhere")
            .model("support", Storage.standard());
    assertThat(model.getAdapters())
        .containsEntry("head-2-labels", folder + "/head-2-labels")
        .containsEntry("head-7-labels", "elsewhere")
        .doesNotContainKey("qv");
    assertThatThrownBy(
            () ->
                conf("base", "x", "task", "text-classification", "adapters-from", folder)
                    .model("support", Storage.standard()))
        .hasMessage(
            "spark.medley.model.support.adapters-from: expected folder/pattern, such as adapters/*");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "top-k | 0 | tsk | x | task: expected one of feature-extraction, text-classification,"
            + " token-classification, text-generation, text-scoring, found none",
        "task | text-classification | top-k | 1 | base: expected the path or URI of a base model,"
            + " found none",
        "base | x | task | text-clasification | task: expected one of feature-extraction,"
            + " text-classification, token-classification, text-generation, text-scoring, found"
            + " text-clasification",
        "task | text-classification | topk | 1 | topk: expected one of adapters-from, adapters.NAME, base,"
            + " batch-size, batch-tokens, deterministic, device, dtype, function, max-length, on-error,"
            + " sets.NAME, task, top-k, truncation, window-rows; did you mean top-k?",
        "task | text-classification | top-k | many | top-k: expected IntParam as JSON, found many",
        "task | text-classification | device | gpuu | device: device: expected one of auto, cpu, gpu,"
            + " got gpuu; did you mean gpu?",
        "task | text-classification | adapters.a | {\"pth\": 1} | adapters: adapters.a: expected path,"
            + " labels and sha256, found key pth",
        "task | text-classification | input-col | text | input-col: expected one of"
      })
  void wrongKeysAreNamed(
      String key, String value, String other, String otherValue, String message) {
    assertThatThrownBy(
            () -> conf(key, value, other, otherValue).model("support", Storage.standard()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("spark.medley.model.support." + message);
  }
}
