package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.Combination;
import dev.medley.adapter.Combination.Type;
import dev.medley.engine.TextClassification.Function;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code add_weighted_adapter} over several bases, against PEFT. */
class WeightedAdapterTest {
  private static final Task LOGITS = new TextClassification(0, Function.NONE);
  private static final double TOLERANCE = 1e-5;
  private static final Combination CAT = Combination.of(Type.CAT);

  static Stream<Arguments> calls() throws IOException {
    JsonNode all = json("verbs/weighted_others.json");
    long seed = all.get("seed").asLong();
    return StreamSupport.stream(all.get("calls").spliterator(), false)
        .map(call -> Arguments.of(call.get("name").asText(), call, seed));
  }

  private static JsonNode json(String file) throws IOException {
    return new ObjectMapper().readTree(Fixtures.path(file).toFile());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("calls")
  void combinedAdapterIsThatOfPeft(String name, JsonNode call, long seed, @TempDir Path folder)
      throws IOException {
    String base = call.get("base").asText();
    List<String> members = new ArrayList<>();
    call.get("adapters").forEach(member -> members.add(member.asText()));
    List<Double> weights = new ArrayList<>();
    call.get("weights").forEach(weight -> weights.add(weight.asDouble()));
    boolean svd = call.path("combination_type").asText().endsWith("svd");
    Task task = base.endsWith("-sequence") ? LOGITS : FeatureExtraction.AUTO;

    try (PeftModel model = load(base, folder, task, members)) {
      if (call.has("combination_type")) {
        model.addWeightedAdapter(ends(members), weights, "merged", combination(call, seed));
      } else {
        model.addWeightedAdapter(ends(members), weights, "merged");
      }
      model.savePretrained(folder, "merged");
    }

    try (NDManager owner = NDManager.newBaseManager()) {
      Expected actual = read(folder.resolve("merged"), owner);
      Expected expected = Fixtures.expected("verbs/weighted", name, owner);
      Set<String> keys = expected.checkpoint().tensors().keySet();
      assertThat(actual.checkpoint().tensors().keySet()).containsExactlyInAnyOrderElementsOf(keys);
      for (String key : keys) {
        if (!svd) {
          assertClose(actual.get(key), expected.get(key), TOLERANCE);
        } else if (key.contains("_A")) { // U and V have any sign
          assertClose(product(actual, key), product(expected, key), TOLERANCE);
        }
      }
      actual.checkpoint().close();
      expected.checkpoint().close();
    }
  }

  private static Combination combination(JsonNode call, long seed) {
    Combination how = Combination.of(Type.of(call.get("combination_type").asText()));
    return call.has("density") ? how.density(call.get("density").asDouble()).seed(seed) : how;
  }

  /** b·a of the module whose a that key names. */
  private static NDArray product(Expected tensors, String a) {
    return tensors.get(a.replaceAll("_A(\\.weight)?$", "_B$1")).matMul(tensors.get(a));
  }

  private static Expected read(Path folder, NDManager owner) {
    return new Expected(
        Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "adapter_model"),
        owner);
  }

  /** Members by their names below verbs/others/BASE, or by their paths. */
  private static PeftModel load(String base, Path folder, Task task, List<String> members)
      throws IOException {
    String end = end(base);
    String path =
        base.startsWith("decoders/")
            ? DecoderFolder.of(end, Files.createDirectory(folder.resolve("base"))).toString()
            : Fixtures.path(base).toString();
    return load(EngineSpec.of(path, task, Map.of()), end, members);
  }

  private static PeftModel load(EngineSpec spec, String base, List<String> members) {
    PeftModel model = null;
    for (String member : Set.copyOf(members).stream().sorted().toList()) {
      String path = member.contains("/") ? member : "verbs/others/" + base + "/" + member;
      String adapter = Fixtures.path(path).toString();
      if (model == null) {
        model = PeftModel.fromPretrained(spec, adapter, end(member), LoadOptions.DEFAULT);
      } else {
        model.loadAdapter(adapter, end(member));
      }
    }
    return model;
  }

  private static String end(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }

  private static List<String> ends(List<String> paths) {
    return paths.stream().map(WeightedAdapterTest::end).toList();
  }

  // Modules that the task does not run

  /** What is made under a task that runs less of the model is the same adapter. */
  @ParameterizedTest
  @CsvSource({
    "models/bert-sequence, verbs/adapters/head, verbs/adapters/math",
    "models/bert-sequence, models/bert-sequence/adapters/all-linear, verbs/adapters/math",
    "models/bert-sequence, models/bert-sequence/adapters/pooler-saved, verbs/adapters/math",
    "models/bert-sequence, verbs/others/bert-sequence/ia3-head, verbs/others/bert-sequence/ia3",
    "models/roberta-sequence, models/roberta-sequence/adapters/qv-head,"
        + " models/roberta-sequence/adapters/qv-head",
  })
  void whatTheTaskDoesNotRunIsCombinedAll(
      String base, String one, String other, @TempDir Path folder) throws IOException {
    boolean ia3 = one.contains("ia3");
    List<String> members = List.of(one, other);
    List<String> files = new ArrayList<>();
    for (Task task : List.of(LOGITS, FeatureExtraction.AUTO)) {
      try (PeftModel model = load(base, folder, task, members)) {
        List<Double> weights = List.of(0.7, -0.4);
        if (ia3) {
          model.addWeightedAdapter(ends(members), weights, "merged");
        } else {
          model.addWeightedAdapter(ends(members), weights, "merged", CAT);
        }
        model.savePretrained(folder.resolve(task.pipeline()), "merged");
        files.add(folder.resolve(task.pipeline()) + "/merged");
      }
    }
    assertThat(Path.of(files.get(1), "adapter_model.safetensors"))
        .hasSameBinaryContentAs(Path.of(files.get(0), "adapter_model.safetensors"));
    assertThat(Path.of(files.get(1), "adapter_config.json"))
        .hasSameBinaryContentAs(Path.of(files.get(0), "adapter_config.json"));
  }

  /** A head that this base's code does not know, and the labels that go with it. */
  @Test
  void headOfAnotherTaskComesAlongWithItsLabels(@TempDir Path folder) throws IOException {
    Path member = Files.createDirectory(folder.resolve("member"));
    Path head = Fixtures.path("models/roberta/adapters/token-head");
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(head.resolve(file), member.resolve(file));
    }
    String labels = "{\"id2label\": {\"0\": \"O\", \"1\": \"PER\", \"2\": \"LOC\"}}";
    Files.writeString(member.resolve("config.json"), labels);
    String base = Fixtures.path("models/roberta").toString();
    try (PeftModel model =
        PeftModel.fromPretrained(base, FeatureExtraction.AUTO, member.toString(), "head")) {
      model.addWeightedAdapter(List.of("head"), List.of(1.0), "merged");
      model.savePretrained(folder, "merged");
    }
    assertThat(headers(folder.resolve("merged"))).isEqualTo(headers(head));
    assertThat(folder.resolve("merged/config.json")).hasContent(labels);
  }

  private static Set<String> headers(Path folder) {
    return Checkpoint.headers(Storage.standard(), Location.of(folder.toString()), "adapter_model")
        .values()
        .stream()
        .map(tensor -> tensor.name() + " " + Arrays.toString(tensor.shape()))
        .collect(Collectors.toSet());
  }

  @Test
  void moduleThatIsBroughtAndChangedIsRefused(@TempDir Path folder) throws IOException {
    List<String> members = List.of("all", "pooler");
    try (PeftModel model = load("models/bert", folder, FeatureExtraction.AUTO, members)) {
      assertThatThrownBy(() -> model.addWeightedAdapter(members, List.of(1.0, 1.0), "new", CAT))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "add_weighted_adapter: pooler.dense: pooler brings it in modules_to_save and all"
                  + " changes it; an adapter does one or the other");
      assertThat(model.peftConfig()).containsOnlyKeys("all", "pooler");
    }
  }

  /** PEFT writes the base's own weight of a head that is targeted. */
  @Test
  void weightOfTheBaseThatTheTaskDoesNotRunIsRefused(@TempDir Path folder) throws IOException {
    String member = "decoders/llama/adapters/lora-head";
    try (PeftModel model =
        load("decoders/llama", folder, FeatureExtraction.AUTO, List.of(member))) {
      assertThatThrownBy(() -> model.addWeightedAdapter(List.of("lora-head"), List.of(1.0), "new"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "add_weighted_adapter: lora-head has tensors for modules that this task does not run;"
                  + " load the base with the task that the adapter was trained for, CAUSAL_LM:\n"
                  + "  base_model.model.lm_head.base_layer.weight: it has no place in a"
                  + " combination");
      assertThat(model.peftConfig()).containsOnlyKeys("lora-head");
    }
  }

  @Test
  void fileThatHasChangedIsNotReadAgain(@TempDir Path folder) throws IOException {
    Path own = Files.createDirectory(folder.resolve("own"));
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(Fixtures.path("verbs/others/bert/all").resolve(file), own.resolve(file));
    }
    String base = Fixtures.path("models/bert").toString();
    try (PeftModel model =
        PeftModel.fromPretrained(base, FeatureExtraction.AUTO, own.toString(), "own")) {
      FileTime past = FileTime.from(Instant.EPOCH);
      Files.setLastModifiedTime(own.resolve("adapter_model.safetensors"), past);
      assertThatThrownBy(() -> model.addWeightedAdapter(List.of("own"), List.of(1.0), "new"))
          .hasMessage(
              own + ": its weights have changed since they were loaded; load the adapter again");
    }
  }

  @Test
  void nothingIsLeftOfWhatIsRead(@TempDir Path folder) throws IOException {
    List<String> members = List.of("all", "all2");
    try (PeftModel model = load("models/bert", folder, FeatureExtraction.AUTO, members)) {
      int before = model.nativeArrays();
      model.addWeightedAdapter(members, List.of(0.5, 0.5), "new", CAT);
      model.deleteAdapter("new");
      assertThat(model.nativeArrays()).isEqualTo(before);
    }
  }

  // (IA)³

  @Test
  void combinedVectorsDoWhatTheirSumDoes(@TempDir Path folder) throws IOException {
    String base = "models/bert-sequence";
    List<String> texts = List.of("the quick brown fox", "hello");
    List<String> one = Collections.nCopies(2, "ia3");
    try (PeftModel model = load(base, folder, LOGITS, List.of("ia3"))) {
      model.addWeightedAdapter(one, List.of(0.25, 0.75), "same");
      model.addWeightedAdapter(one, List.of(0.25, 0.25), "half");
      List<Result> results = model.run(texts, List.of("ia3", "ia3"));
      assertThat(model.run(texts, List.of("same", "same"))).isEqualTo(results);
      assertThat(model.run(texts, List.of("half", "half"))).isNotEqualTo(results);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ia3,ia3-out | | add_weighted_adapter: encoder.layer.0.attention.output.dense: expected"
            + " members that agree whether it is one of feedforward_modules, found [ia3] that name"
            + " it and [ia3-out] that do not; one scales its input and the other its output",
        "ia3,ia3-2 | cat | combination_type: expected none for IA3, whose vectors are added up,"
            + " got cat",
        "ia3,verbs/adapters/math | | add_weighted_adapter: expected members of one type, found"
            + " {LORA=[math], IA3=[ia3]}",
        "verbs/adapters/oft,verbs/adapters/math | | add_weighted_adapter: oft: expected LORA or"
            + " IA3, found OFT, of which PEFT combines none",
        "models/bert-sequence/adapters/dora,ia3-2 | | add_weighted_adapter: dora: use_dora: its"
            + " magnitudes are of its own change and not additive",
        "ia3,ia3-2 | other | adapter name: there is an adapter other already; delete it first, or"
            + " choose another name",
      })
  void membersThatCannotBeCombinedAreRefused(
      String names, String how, String message, @TempDir Path folder) throws IOException {
    List<String> members = List.of(names.split(","));
    List<Double> weights = List.of(1.0, 1.0);
    try (PeftModel model = load("models/bert-sequence", folder, LOGITS, members)) {
      if ("other".equals(how)) {
        model.addWeightedAdapter(ends(members), weights, "other");
      }
      Set<String> before = Set.copyOf(model.peftConfig().keySet());
      assertThatThrownBy(
              () -> {
                if (how == null || how.equals("other")) {
                  model.addWeightedAdapter(ends(members), weights, "other");
                } else {
                  model.addWeightedAdapter(ends(members), weights, "other", CAT);
                }
              })
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(message);
      assertThat(model.peftConfig().keySet()).isEqualTo(before);
    }
  }

  // Results that are of no use

  @ParameterizedTest
  @CsvSource({"svd", "linear", "cat"})
  void weightsThatLeaveNothingAreNamed(String type, @TempDir Path folder) throws IOException {
    String math = "verbs/adapters/math";
    String polite = "verbs/adapters/polite";
    List<String> members = List.of(math, polite);
    try (PeftModel model = load("models/bert-sequence", folder, LOGITS, members)) {
      Combination how = Combination.of(Type.of(type));
      List<Double> zeros = List.of(0.0, 0.0);
      assertThatThrownBy(() -> model.addWeightedAdapter(ends(members), zeros, "new", how))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "add_weighted_adapter: 0.0*math+0.0*polite would change nothing that this task runs:"
                  + " every module comes out as the base's; choose other weights, or another"
                  + " density or svd_clamp");
      List<Double> huge = List.of(1.0, 1e300);
      assertThatThrownBy(() -> model.addWeightedAdapter(ends(members), huge, "new", how))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageMatching(
              "add_weighted_adapter: math\\+1\\.0E300\\*polite is NaN or infinite at"
                  + " encoder\\.layer\\.0\\.attention\\.self\\.query[.a-zA-Z_]*; expected weights"
                  + " with which it is finite in float32");
    }
  }

  @Test
  void vectorsOfZerosAreNotNothing(@TempDir Path folder) throws IOException {
    List<String> members = List.of("ia3-2");
    try (PeftModel model = load("models/bert-sequence", folder, LOGITS, members)) {
      model.addWeightedAdapter(members, List.of(0.0), "zeros"); // scales all by 0, as in PEFT
      List<String> text = List.of("a dog");
      assertThat(model.run(text, List.of("zeros"))).isNotEqualTo(model.run(text));
      assertThatThrownBy(() -> model.addWeightedAdapter(members, List.of(1e39), "new"))
          .hasMessageContaining("1.0E39*ia3-2 is NaN or infinite at encoder.layer.0");
    }
  }

  /** Under half precision a result may be finite as it is stored and not as it is used. */
  @Test
  void resultThatDoesNotFitThePrecisionIsNamedByItsMembers(@TempDir Path folder) {
    EngineSpec spec =
        EngineSpec.of(Fixtures.path("models/bert").toString(), FeatureExtraction.AUTO, Map.of())
            .with(Precision.FLOAT16);
    List<String> members = List.of("all", "all2");
    try (PeftModel model = load(spec, "bert", members)) {
      assertThatThrownBy(() -> model.addWeightedAdapter(members, List.of(1e6, 1.0), "new", CAT))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("add_weighted_adapter: new: 1000000.0*all+all2: 18 problems:")
          .hasMessageContaining("expected finite numbers, found NaN or infinity");
      assertThat(model.peftConfig()).containsOnlyKeys("all", "all2");
    }
  }
}
