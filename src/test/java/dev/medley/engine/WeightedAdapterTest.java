package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
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
        .filter(call -> call.has("combination_type"))
        .filter(call -> !call.get("name").asText().startsWith("idle"))
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
      model.addWeightedAdapter(ends(members), weights, "merged", combination(call, seed));
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
}
