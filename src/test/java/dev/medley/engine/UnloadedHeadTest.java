package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * PEFT's test_unload_modules_to_save_when_active_adapter_does_not_use_it: what an adapter has in
 * {@code modules_to_save} goes into a merged model where that adapter is active, and else nowhere.
 */
class UnloadedHeadTest {
  private static final String BASE = Fixtures.path("models/bert-sequence").toString();
  private static final String HEADLESS = Fixtures.path("sets/bert/adapters/lora").toString();
  private static final String HEADED = Fixtures.path("sets/bert/adapters/head").toString();

  @ParameterizedTest
  @CsvSource({"headed, headless", "headless, headed"})
  void headOfAnAdapterThatIsNotActiveIsNotMerged(
      String first, String second, @TempDir Path folder) {
    try (PeftModel model =
        PeftModel.fromPretrained(BASE, TextClassification.AUTO, path(first), first)) {
      model.loadAdapter(path(second), second);
      model.setAdapter("headed");
      List<Result> headed = model.run(List.of("a dog"));
      model.mergeAndUnload(folder.resolve("headed"));
      model.setAdapter("headless");
      List<Result> headless = model.run(List.of("a dog"));
      model.mergeAndUnload(folder.resolve("headless"));
      model.setAdapter("headless", "headed");
      model.mergeAndUnload(folder.resolve("both"));
      assertThat(model.deleteAdapter("headed")).containsExactly("headless");
      assertThat(model.run(List.of("a dog"))).isEqualTo(headless).isNotEqualTo(headed);
    }
    List<Float> base = head(BASE, "classifier.weight");
    List<Float> own = head(HEADED, "base_model.model.classifier.weight");
    assertThat(own).isNotEqualTo(base);
    assertThat(head(folder.resolve("headless").toString(), "classifier.weight")).isEqualTo(base);
    assertThat(head(folder.resolve("headed").toString(), "classifier.weight")).isEqualTo(own);
    assertThat(head(folder.resolve("both").toString(), "classifier.weight")).isEqualTo(own);
  }

  private static String path(String name) {
    return name.equals("headed") ? HEADED : HEADLESS;
  }

  private static List<Float> head(String folder, String tensor) {
    String stem = folder.equals(HEADED) ? "adapter_model" : "model";
    try (Checkpoint file = Checkpoint.open(Storage.standard(), Location.of(folder), stem)) {
      TensorInfo info = file.tensors().get(tensor);
      var numbers = file.slice(info, 0, (int) info.bytes()).asFloatBuffer();
      List<Float> values = new ArrayList<>();
      while (numbers.hasRemaining()) {
        values.add(numbers.get());
      }
      return values;
    }
  }
}
