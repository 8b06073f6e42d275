package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.MixedSet;
import dev.medley.adapter.RowGroups;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.DecoderFixture;
import dev.medley.model.Head;
import dev.medley.model.Labels;
import dev.medley.model.TextModel;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Merged decoders, read back as the ordinary models that they are, against PEFT unmerged. */
class MergedDecoderTest {
  private static final double TOLERANCE = 1e-5;

  static Stream<Arguments> sets() {
    return DecoderFixture.adaptedBases()
        .flatMap(
            base ->
                DecoderFixture.adaptedSets(base).stream()
                    .filter(set -> base.matches("llama-bias|gpt2") || !set.contains("lora-bias"))
                    .map(set -> Arguments.of(base, set)));
  }

  private static Head head(String base) {
    return base.endsWith("-seq") ? Head.SEQUENCE : Head.CAUSAL_LM;
  }

  private static void merge(String name, Head head, String expression, Path folder) {
    try (BaseModel base =
        BaseModel.load(
            Storage.standard(),
            Fixtures.location("decoders/" + name),
            head,
            Device.cpu(),
            Precision.FLOAT32)) {
      DecoderFixture fixture = DecoderFixture.of(name, base.model(), base.owner());
      MixedSet set = fixture.set(expression, fixture::adapter, base.owner());
      new MergedModel(base, head, set, Labels.NONE, (done, all) -> {}).write(folder);
    }
  }

  private static TextModel load(Path folder, Head head, NDManager owner) {
    Location location = Location.of(folder.toString());
    return TextModel.load(Storage.standard(), location, head, owner, Precision.FLOAT32);
  }

  private static void assertExpected(String base, String expression, Path folder) {
    try (NDManager owner = NDManager.newBaseManager()) {
      TextModel reloaded = load(folder, head(base), owner);
      DecoderFixture fixture = DecoderFixture.of(base, reloaded, owner);
      List<long[]> ids = fixture.adaptedRows();
      RowGroups groups = RowGroups.all(ids.size(), AdapterSet.BASE);
      List<NDArray> outputs = fixture.outputs(reloaded, ids, groups, owner);
      Expected expected = Fixtures.expected("decoders/" + base, "adapted", owner);
      for (int i = 0; i < outputs.size(); i++) {
        assertClose(outputs.get(i), expected.get(fixture.key(expression, i)), TOLERANCE);
      }
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("sets")
  void mergedModelDoesWhatTheSetDoesInPeft(String base, String expression, @TempDir Path temporary)
      throws IOException {
    Path folder = temporary.resolve(base + " " + expression);
    merge(base, head(base), expression, folder);
    assertExpected(base, expression, folder);
    Map<String, String> original = shapes(Fixtures.path("decoders/" + base));
    Map<String, String> merged = shapes(folder);
    assertThat(merged).containsAllEntriesOf(original);
    // a head that was its table and is so no more is all that may be new
    assertThat(merged.keySet())
        .filteredOn(name -> !original.containsKey(name))
        .isSubsetOf("lm_head.weight");
  }

  /** Weights of GPT-2 are stored as [in, out] before and after. */
  private static Map<String, String> shapes(Path folder) {
    Map<String, String> shapes = new TreeMap<>();
    Checkpoint.headers(Storage.standard(), Location.of(folder.toString()), "model")
        .forEach(
            (name, tensor) -> shapes.put(name, tensor.type() + Arrays.toString(tensor.shape())));
    return shapes;
  }

  @ParameterizedTest
  @CsvSource({
    "llama-bias, lora-head, false",
    "llama-bias, lora-embed, false",
    "llama-bias, saved-embed, false",
    "llama-bias, tokens, false",
    "llama-bias, pissa-head, false",
    "llama-bias, dora, true",
    "gpt2, saved-head, false",
    "gpt2, positions, true",
    "gpt2, lora, true"
  })
  void headAndTableStayOneTensorWhereNeitherIsChanged(
      String base, String set, boolean tied, @TempDir Path temporary) throws IOException {
    Path folder = temporary.resolve("merged");
    merge(base, head(base), set, folder);
    JsonNode config = new ObjectMapper().readTree(folder.resolve("config.json").toFile());
    assertThat(config.get("tie_word_embeddings").booleanValue()).isEqualTo(tied);
    assertThat(shapes(folder).containsKey("lm_head.weight")).isEqualTo(!tied);
  }

  /** As in transformers: both stored and not the same, whatever the config says. */
  @ParameterizedTest
  @CsvSource({"lora-head, false", "lora-embed, false", "tokens, true", "saved-embed-tied, true"})
  void storedHeadIsTiedWhereItIsTheTable(String set, boolean tied, @TempDir Path temporary)
      throws IOException {
    Path folder = temporary.resolve("merged");
    merge("llama-bias", Head.CAUSAL_LM, set, folder);
    Path config = folder.resolve("config.json");
    ObjectNode json = (ObjectNode) new ObjectMapper().readTree(config.toFile());
    Files.writeString(config, json.put("tie_word_embeddings", true).toString());
    try (NDManager owner = NDManager.newBaseManager()) {
      assertThat(load(folder, Head.CAUSAL_LM, owner).modules().isTied()).isEqualTo(tied);
    }
    assertExpected("llama-bias", set, folder);
  }

  /** By PEFT's verbs: what the active adapters generate, the merged folder does alone. */
  @ParameterizedTest
  @CsvSource({"llama-bias, lora-embed-tied", "llama-bias, lora-tokens", "gpt2, saved-conv"})
  void mergedFolderGeneratesWhatTheAdapterDoes(
      String name, String adapter, @TempDir Path base, @TempDir Path temporary) throws IOException {
    DecoderFolder.of(name, base);
    Files.writeString(base.resolve("chat_template.jinja"), "{{ messages[0].content }}");
    String path = Fixtures.path("decoders/" + name + "/adapters/" + adapter).toString();
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(9);
    Path merged = temporary.resolve("merged");
    List<String> texts = List.of("t15 t7 t0 t99", "t4");
    List<String> expected;
    try (PeftModel model = PeftModel.fromPretrained(base.toString(), task, path)) {
      expected = texts(model.run(texts));
      List<Result> plain = model.run(texts, List.of("__base__", "__base__"));
      assertThat(expected).isNotEqualTo(texts(plain));
      model.mergeAndUnload(merged);
    }
    assertThat(merged.resolve("chat_template.jinja"))
        .hasSameTextualContentAs(base.resolve("chat_template.jinja"));
    try (Engine engine = Engine.load(EngineSpec.of(merged.toString(), task, Map.of()))) {
      List<Request> requests = texts.stream().map(text -> Request.of(text, "__base__")).toList();
      assertThat(texts(engine.run(requests))).isEqualTo(expected);
    }
  }

  private static List<String> texts(List<Result> results) {
    return results.stream().map(r -> ((Prediction.Generation) r.prediction()).text()).toList();
  }

  @Test
  void biasThatALayerCannotHoldIsNotMerged(@TempDir Path temporary) {
    Path folder = temporary.resolve("merged");
    assertThatThrownBy(() -> merge("llama", Head.CAUSAL_LM, "lora-bias", folder))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "merge_and_unload: lora-bias has a bias for layers.0.self_attn.q_proj,"
                + " layers.0.mlp.down_proj, layers.1.self_attn.q_proj, layers.1.mlp.down_proj, which"
                + " have none in this base; PEFT, too, merges no lora_bias there");
    assertThat(folder).doesNotExist();
  }

  @Test
  void tableOfAHeadThatIsNotRunIsNotMerged(@TempDir Path temporary) {
    Path folder = temporary.resolve("merged");
    assertThatThrownBy(() -> merge("llama-bias", Head.NONE, "lora-embed", folder))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "merge_and_unload: lora-embed changes embed_tokens, which the base's lm_head shares and"
                + " this task does not run; load the base with a task that does, or, where it is of"
                + " no use, name a class without it in the architectures of config.json");
    assertThat(folder).doesNotExist();
    merge("llama-bias", Head.NONE, "dora", folder);
    merge("llama", Head.NONE, "lora-embed", temporary.resolve("untied"));
  }
}
