package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.SafetensorsWriter.Tensor;
import dev.medley.io.Storage;
import dev.medley.io.StoredType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Missing and unexpected keys of changed adapters, by the lists that PEFT returns. */
class LoadResultTest {
  private static final Map<String, PeftModel> MODELS = new HashMap<>(); // by base

  @AfterAll
  static void close() {
    MODELS.values().forEach(PeftModel::close);
    MODELS.clear();
  }

  private static PeftModel model(String base, Path adapter) {
    Task task = base.equals("bert") ? FeatureExtraction.AUTO : TextClassification.AUTO;
    return MODELS.computeIfAbsent(
        base,
        name ->
            PeftModel.fromPretrained(
                Fixtures.path("models/" + name).toString(), task, adapter.toString(), "first"));
  }

  static Stream<Arguments> cases() throws IOException {
    Path file = Fixtures.path("verbs/load-results.json");
    JsonNode cases = new ObjectMapper().readTree(file.toFile()).get("cases");
    return StreamSupport.stream(cases.spliterator(), false)
        .map(each -> Arguments.of(each.get("adapter").asText(), each.get("change").asText(), each));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("cases")
  void listsAreThoseOfPeft(String adapter, String name, JsonNode change, @TempDir Path folder)
      throws IOException {
    Path sound = Fixtures.path(adapter);
    writeChanged(sound, change, folder);
    PeftModel model = model(change.get("base").asText(), sound);

    UnfitAdapterException unfit =
        catchThrowableOfType(
            UnfitAdapterException.class, () -> model.loadAdapter(folder.toString(), "zzq"));

    List<String> missing = new ArrayList<>(names(change, "missing"));
    missing.addAll(names(change, "missing_saved"));
    assertThat(unfit).isNotNull();
    // PEFT draws SHiRA's indices anew where it finds none, and does not say so
    assertThat(unfit.loadResult().missingKeys())
        .filteredOn(key -> !key.endsWith(".shira_indices"))
        .containsExactlyInAnyOrderElementsOf(missing);
    assertThat(unfit.loadResult().unexpectedKeys())
        .containsExactlyInAnyOrderElementsOf(names(change, "unexpected"));
    assertThat(model.peftConfig()).containsOnlyKeys("first");
  }

  private static List<String> names(JsonNode change, String key) {
    List<String> names = new ArrayList<>();
    change.path(key).forEach(name -> names.add(name.asText()));
    return names;
  }

  /** An adapter with tensors dropped, renamed and added. */
  private static void writeChanged(Path sound, JsonNode change, Path folder) throws IOException {
    Files.copy(sound.resolve("adapter_config.json"), folder.resolve("adapter_config.json"));
    List<String> dropped = names(change, "drop");
    List<Tensor> tensors = new ArrayList<>();
    Location location = Location.of(sound.toString());
    try (Checkpoint file = Checkpoint.open(Storage.standard(), location, "adapter_model")) {
      for (var tensor : file.tensors().values()) {
        if (!dropped.contains(tensor.name())) {
          byte[] bytes = new byte[(int) tensor.bytes()];
          file.slice(tensor, 0, bytes.length).get(bytes);
          String name = change.path("rename").path(tensor.name()).asText(tensor.name());
          List<Long> shape = LongStream.of(tensor.shape()).boxed().toList();
          tensors.add(new Tensor(name, tensor.type(), shape, into -> into.write(bytes)));
        }
      }
      change
          .path("add")
          .properties()
          .forEach(
              added -> {
                List<Long> shape = new ArrayList<>();
                added.getValue().forEach(n -> shape.add(n.asLong()));
                long numbers = shape.stream().reduce(1L, (a, b) -> a * b);
                byte[] zeros = new byte[(int) (4 * numbers)];
                tensors.add(
                    new Tensor(added.getKey(), StoredType.F32, shape, into -> into.write(zeros)));
              });
      SafetensorsWriter.write(
          folder.resolve("adapter_model.safetensors"), Map.of("format", "pt"), tensors);
    }
  }
}
