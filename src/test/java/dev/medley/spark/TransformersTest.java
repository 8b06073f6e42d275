package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.SetManifest;
import dev.medley.engine.TextClassification;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TransformersTest {
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");

  /** Without a default: the model's own word, or nothing. */
  private static final List<String> OPTIONAL =
      List.of(
          "model",
          "adapterCol",
          "completionCol",
          "doSample",
          "eosTokenIds",
          "lineageCol",
          "maxNewTokens",
          "messagesCol",
          "minP",
          "repetitionPenalty",
          "seedCol",
          "stop",
          "temperature",
          "topK of TextGenerator",
          "topP");

  static List<Transformer> all() {
    return List.of(
        new TextEmbedder(),
        new TextClassifier(),
        new TokenClassifier(),
        new TextGenerator(),
        new TextScorer());
  }

  /** Every parameter of all five, at a value that is not its default. */
  static List<Transformer> allSet() {
    return List.of(
        set(new TextEmbedder()).setPooling("cls").setNormalize("true"),
        set(new TextClassifier()).setTopK(2).setFunction("sigmoid"),
        set(new TokenClassifier()).setIgnoreLabels("O", "MISC"),
        set(new TextGenerator())
            .setMaxNewTokens(7)
            .setDoSample(true)
            .setTemperature(0.7)
            .setTopK(0)
            .setTopP(0.9)
            .setMinP(0.1)
            .setRepetitionPenalty(1.1)
            .setStop("\n\n", "zornig ü")
            .setEosTokenIds(2, 7)
            .setSeed(1L << 40)
            .setSeedCol("seed")
            .setMessagesCol("chat")
            .setCacheMemory(512L << 20),
        set(new TextScorer()).setCompletionCol("answer"));
  }

  private static <T extends TextTransformer<T>> T set(T transformer) {
    return transformer
        .setInputCol("in")
        .setOutputCol("out")
        .setAdapterCol("who")
        .setLineageCol("from")
        .setModel("hdfs://models/bert")
        .setAdapters(Map.of("a \"quoted\"", "path/of a"))
        .addAdapter("b", "path/b", "calm", "zornig ü")
        .setSets(Map.of("both", List.of("b", "0.5*b")))
        .addSet("one", "b")
        .setBatchSize(3)
        .setBatchTokens(77)
        .setWindowRows(55)
        .setMaxLength(11)
        .setTruncation(false)
        .setDevice("cpu")
        .setDtype("bfloat16")
        .setOnError("fail")
        .setAdapterAffinity("off")
        .setDeterministic(true);
  }

  private static TextClassifier classifier() {
    return new TextClassifier()
        .setModel(SEQUENCE.toString())
        .setAdapterCol("adapter")
        .addAdapter("qv", adapter(SEQUENCE, "qv"))
        .addAdapter("head-7-labels", adapter(SEQUENCE, "head-7-labels"));
  }

  @ParameterizedTest
  @MethodSource("all")
  void everyParameterHasADocASetterAndAGetter(Transformer transformer) {
    List<String> methods =
        Arrays.stream(transformer.getClass().getMethods()).map(m -> m.getName()).toList();
    assertThat(transformer.params()).hasSizeGreaterThanOrEqualTo(14).doesNotHaveDuplicates();
    for (Param<?> param : transformer.params()) {
      String name = Character.toUpperCase(param.name().charAt(0)) + param.name().substring(1);
      assertThat(methods).contains("set" + name, "get" + name);
      assertThat(param.doc()).hasSizeGreaterThan(9);
      String full = param.name() + " of " + transformer.getClass().getSimpleName();
      boolean optional = OPTIONAL.contains(param.name()) || OPTIONAL.contains(full);
      assertThat(transformer.hasDefault(param)).as(param.name()).isEqualTo(!optional);
    }
  }

  @ParameterizedTest
  @MethodSource("allSet")
  void everyParameterSurvivesSavingLoadingAndCopying(Transformer set, @TempDir Path folder)
      throws Exception {
    session();
    String path = folder.resolve("saved").toString();
    ((MLWritable) set).write().overwrite().save(path);
    Transformer loaded =
        (Transformer) set.getClass().getMethod("load", String.class).invoke(null, path);
    assertThat(loaded.uid()).isEqualTo(set.uid());
    for (Transformer other : List.of(loaded, set.copy(new ParamMap()))) {
      for (Param<?> param : set.params()) {
        assertThat(set.isSet(param)).as(param.name()).isTrue();
        assertThat(other.isSet(other.getParam(param.name()))).as(param.name()).isTrue();
        assertThat(other.getOrDefault(other.getParam(param.name())))
            .isEqualTo(set.getOrDefault(param));
        if (set.hasDefault(param)) {
          assertThat((Object) set.getOrDefault(param))
              .as(param.name())
              .isNotEqualTo(set.getDefault(param).get());
        }
      }
    }
  }

  @Test
  void gettersGiveBackWhatSettersTook() {
    TextEmbedder set = set(new TextEmbedder()).setModelUrl("s3a://bucket/bert");
    assertThat(set.getModel()).isEqualTo("s3a://bucket/bert");
    assertThat(set.getAdapters())
        .containsExactly(Map.entry("a \"quoted\"", "path/of a"), Map.entry("b", "path/b"));
    assertThat(set.getOrDefault(set.adapters()))
        .isEqualTo(
            "{\"a \\\"quoted\\\"\":\"path/of a\",\"b\":{\"path\":\"path/b\",\"labels\":[\"calm\","
                + "\"zornig ü\"]}}");
    assertThat(set.getTruncation()).isFalse();
    assertThat(set.getMaxLength()).isEqualTo(11);
    TextEmbedder fresh = new TextEmbedder();
    assertThat(fresh.getModel()).isNull();
    assertThat(fresh.getAdapterCol()).isNull();
    assertThat(fresh.getInputCol()).isEqualTo("text");
    assertThat(fresh.getOutputCol()).isEqualTo("prediction");
    assertThat(fresh.getBatchSize()).isEqualTo(32);
  }

  @Test
  void classifierDoesWhatScoringDoes() {
    Dataset<Row> rows = rows(random(30, 1, "qv", "head-7-labels", null)).coalesce(1);
    EngineSpec spec = LocalSpark.spec(SEQUENCE, TextClassification.AUTO, "qv", "head-7-labels");
    List<Row> expected =
        Scoring.score(rows, spec, new ScoringColumns("text", "adapter", "prediction"), null)
            .collectAsList();
    assertThat(classifier().classify(rows).collectAsList()).isEqualTo(expected);
    assertThat(classifier().transformSchema(rows.schema()))
        .isEqualTo(classifier().transform(rows).schema());
  }

  @Test
  void optionsReachTheTask() {
    Dataset<Row> rows = rows(random(3, 2, "head-7-labels"));
    Row best = classifier().setTopK(2).setFunction("none").classify(rows).first();
    assertThat(best.getStruct(3).getList(2)).hasSize(2);

    Path token = Fixtures.path("models/bert-token");
    TokenClassifier entities = new TokenClassifier().setModel(token.toString());
    Dataset<Row> found = entities.setIgnoreLabels().classify(rows);
    assertThat(found.first().getList(3)).isNotEmpty();
    Row entity = found.first().<Row>getList(3).get(0);
    Row none = entities.setIgnoreLabels(labels(found)).classify(rows).first();
    assertThat(entity.getString(1)).isNotBlank();
    assertThat(none.getList(3)).isEmpty();

    TextEmbedder embedder =
        new TextEmbedder().setModel(Fixtures.path("models/bert").toString()).setNormalize("true");
    List<Float> vector = embedder.embed(rows).first().getList(3);
    assertThat(vector.stream().mapToDouble(x -> x * x).sum()).isCloseTo(1, offset(1e-5));
    assertThat(embedder.setPooling("cls").embed(rows).first().<Float>getList(3))
        .isNotEqualTo(vector);
  }

  private static String[] labels(Dataset<Row> found) {
    return found.collectAsList().stream()
        .flatMap(row -> row.<Row>getList(3).stream())
        .map(entity -> entity.getString(1))
        .distinct()
        .toArray(String[]::new);
  }

  @Test
  void labelsOfAnAdapterCanBeGiven() {
    TextClassifier named =
        new TextClassifier()
            .setModel(SEQUENCE.toString())
            .setAdapterCol("adapter")
            .addAdapter("two", adapter(SEQUENCE, "head-2-labels"), "calm", "angry");
    Row row = named.classify(rows(random(1, 3, "two"))).first();
    assertThat(row.getStruct(3).<Row>getList(2))
        .extracting(each -> each.getString(0))
        .containsExactly("calm", "angry");
  }

  /** A string, a named set and a saved set are one and the same; each row has its own. */
  @Test
  void rowsUnderSetsAreScored(@TempDir Path folder) {
    Path members = Fixtures.path("sets/bert/adapters");
    TextClassifier sets =
        new TextClassifier()
            .setModel(SEQUENCE.toString())
            .setAdapterCol("adapter")
            .addAdapter("lora", members.resolve("lora").toString())
            .addAdapter("oft", members.resolve("oft").toString())
            .addSet("both", "0.5*lora", "oft");
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    sets.getAdapters().forEach((name, path) -> sources.put(name, AdapterSource.of(path)));
    SetManifest.of(
            Storage.standard(),
            EngineSpec.of(SEQUENCE.toString(), TextClassification.AUTO, sources),
            "0.5*lora+oft")
        .write(folder);
    sets.addAdapter("saved", folder.toString());
    List<Row> rows = new ArrayList<>();
    List<String> adapters =
        List.of("0.5*lora+oft", "both", "saved", "oft+0.5*lora", "lora", "oft", "__base__");
    for (String adapter : adapters) {
      rows.add(RowFactory.create(rows.size(), "a lazy dog", adapter));
    }
    List<Row> scored = sets.classify(rows(rows).coalesce(1)).collectAsList();
    assertThat(scored).allMatch(row -> row.isNullAt(4));
    List<Float> scores = scored.stream().map(row -> row.getStruct(3).getFloat(1)).toList();
    assertThat(scores.get(1)).isCloseTo(scores.get(0), offset(1e-6f));
    assertThat(scores.get(2)).isCloseTo(scores.get(0), offset(1e-6f));
    assertThat(scores.subList(2, 7)).doesNotHaveDuplicates();
  }

  @Test
  void pipelinesFitSaveLoadAndScore(@TempDir Path folder) throws Exception {
    Dataset<Row> rows = rows(random(20, 4, "qv", null)).coalesce(1);
    SQLTransformer upper =
        new SQLTransformer().setStatement("select id, upper(text) as loud, adapter from __THIS__");
    TextEmbedder embedder =
        new TextEmbedder()
            .setModel(Fixtures.path("models/bert").toString())
            .setInputCol("loud")
            .setOutputCol("vector");
    Pipeline pipeline =
        new Pipeline()
            .setStages(new PipelineStage[] {upper, classifier().setInputCol("loud"), embedder});
    pipeline.write().overwrite().save(folder.resolve("pipeline").toString());
    PipelineModel model = Pipeline.load(folder.resolve("pipeline").toString()).fit(rows);
    List<Row> expected = model.transform(rows).collectAsList();
    model.write().overwrite().save(folder.resolve("model").toString());
    Dataset<Row> scored = PipelineModel.load(folder.resolve("model").toString()).transform(rows);

    assertThat(scored.columns())
        .containsExactly(
            "id", "loud", "adapter", "prediction", "prediction_error", "vector", "vector_error");
    assertThat(scored.collectAsList()).isEqualTo(expected);
    assertThat(expected.get(0).getList(5)).hasSize(30);
  }

  @Test
  void everythingThatIsWrongWithoutAFileIsSaidAtOnce() {
    StructType in = StructType.fromDDL("id int, texts string");
    assertThatThrownBy(() -> new TextEmbedder().addAdapter("a", "p").transformSchema(in))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            """
            3 problems:
              text column text: expected string, found no such column among id, texts; did you\
             mean texts?
              model: expected the path or URI of a base model, found none; call setModel
              adapterCol: expected the column that names each row's adapter, found none; without\
             it every row would be scored under the base, and a under none; call setAdapterCol""");
    assertThatThrownBy(
            () ->
                new TextEmbedder()
                    .setModel("m")
                    .setInputCol("texts")
                    .setOutputCol("ID")
                    .transformSchema(in))
        .hasMessage(
            "output column ID: expected a new name, found input column id; choose another name for"
                + " the prediction");
  }

  static Stream<Arguments> wrongValues() {
    return Stream.of(
        wrong(
            t -> t.setOnError("rwo"),
            "onError: expected one of row, fail, got rwo; did you mean row?"),
        wrong(t -> t.setDevice("cuda"), "device: expected one of auto, cpu, gpu, got cuda"),
        wrong(
            t -> t.setDtype("float61"),
            "dtype: expected one of float32, bfloat16, float16, got float61; did you mean float16?"),
        wrong(t -> t.setBatchSize(0), "batchSize: expected at least 1, got 0"),
        wrong(t -> t.setMaxLength(-1), "maxLength: expected at least 0, got -1"),
        wrong(
            t -> t.setFunction("tanh"),
            "function: expected one of auto, softmax, sigmoid, none, got tanh"),
        wrong(
            t -> t.addAdapter("a+b", "p"),
            "adapter name: expected one without +, * and outer blanks that is not __base__, got"
                + " \"a+b\""),
        wrong(t -> t.addAdapter("a", " "), "adapters.a: expected a path or URI, found \" \""),
        wrong(
            t -> t.set(t.adapters(), "{\"a\": {\"paht\": \"p\"}}"),
            "adapters.a: expected path, labels and sha256, found key paht"),
        wrong(t -> t.addSet("s"), "sets.s: expected an array of adapters, found []"),
        wrong(t -> t.set(t.sets(), "[]"), "sets: expected an object of arrays by name, found []"),
        wrong(
            t -> t.addSet("s", "0*a"),
            "adapter: expected weights of a size from 1.0E-6 to 1000000.0, found 0.0 in 0*a"),
        wrong(
            t -> t.set(t.adapters(), "[]"),
            "adapters: expected an object of paths by name, found []"));
  }

  private static Arguments wrong(Consumer<TextClassifier> set, String message) {
    return Arguments.of(set, message);
  }

  @ParameterizedTest
  @MethodSource("wrongValues")
  void wrongValueIsRefusedWhereItIsSet(Consumer<TextClassifier> set, String message) {
    assertThatThrownBy(() -> set.accept(new TextClassifier()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void filesAreCheckedOnTheDriverBeforeAnyTaskRuns() {
    Dataset<Row> rows = rows(random(3, 5, "qv", "broken"));
    assertThatThrownBy(() -> new TextClassifier().setModel("/no/such").transform(rows))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("/no/such");
    TextClassifier broken =
        classifier().addAdapter("broken", SEQUENCE.resolve("refused/wrong-rank").toString());
    assertThatThrownBy(() -> broken.copy(new ParamMap()).setOnError("fail").transform(rows))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("broken: ");
    List<Row> scored = broken.transform(rows(random(30, 6, "qv", "broken"))).collectAsList();
    assertThat(scored)
        .allSatisfy(
            row -> {
              if (row.getString(2).equals("qv")) {
                assertThat(row.isNullAt(3)).isFalse();
              } else {
                assertThat(row.getStruct(4).getString(0)).isEqualTo("ADAPTER_UNFIT");
              }
            });
  }

  @Test
  void filesAreCheckedEveryTimeSinceTheyMayHaveChanged(@TempDir Path folder) throws Exception {
    Path model = LocalSpark.freshModel("bert-sequence", folder);
    TextClassifier classifier =
        new TextClassifier()
            .setModel(model.toString())
            .setAdapterCol("adapter")
            .addAdapter("qv", adapter(model, "qv"));
    Dataset<Row> rows = rows(random(3, 7, "qv"));
    classifier.transform(rows).collectAsList();
    Files.delete(model.resolve("config.json"));
    assertThatThrownBy(() -> classifier.transform(rows)).isInstanceOf(LoadException.class);
  }
}
