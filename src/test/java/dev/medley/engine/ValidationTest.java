package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a driver finds before an executor does. */
class ValidationTest {
  private static List<String> baseProblems(EngineSpec spec) {
    return Validation.of(spec, Storage.standard()).problems();
  }

  private static EngineSpec copy(Path folder) throws IOException {
    for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
      Files.copy(Fixtures.path("models/bert-sequence").resolve(file), folder.resolve(file));
    }
    return EngineSpec.of(folder.toString(), TextClassification.AUTO, Map.of());
  }

  @Test
  void brokenTokenizerAndBrokenModelAreBothFound(@TempDir Path folder) throws IOException {
    EngineSpec spec = copy(folder);
    assertThat(baseProblems(spec)).isEmpty();
    Files.writeString(folder.resolve("tokenizer.json"), "{\"version\": \"1.0\"}");
    Files.writeString(folder.resolve("config.json"), "{");
    assertThat(baseProblems(spec))
        .hasSize(2)
        .anyMatch(problem -> problem.startsWith(folder + "/config.json: expected JSON"))
        .anyMatch(problem -> problem.startsWith(folder + "/tokenizer.json: is no tokenizer"));
  }

  @Test
  void tokenizersFilesThatDisagreeAreFound(@TempDir Path folder) throws IOException {
    EngineSpec spec = copy(folder);
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
    assertThat(baseProblems(spec))
        .singleElement()
        .asString()
        .startsWith(folder + "/tokenizer_config.json: do_lower_case: false, and true");
  }

  @Test
  void lengthWithoutRoomForTheTextIsFound(@TempDir Path folder) throws IOException {
    Batching two = new Batching(8, 999, 64, 2, true);
    assertThat(baseProblems(copy(folder).with(two)))
        .containsExactly(
            "max-length: expected at least 3 tokens, 2 special ones and one of the text, got 2");
  }

  private static EngineSpec labelled(String base, String adapter, List<String> labels) {
    String model = "models/" + base;
    AdapterSource source =
        AdapterSource.of(Fixtures.path(model + "/adapters/" + adapter).toString(), labels);
    return EngineSpec.of(
        Fixtures.path(model).toString(), TextClassification.AUTO, Map.of(adapter, source));
  }

  @ParameterizedTest
  @CsvSource({
    "bert-sequence, head-7-labels, classifier.weight, 7",
    "bert-sequence, qv, classifier.weight, 3",
    "roberta-sequence, qv-head, classifier.out_proj.weight, 5",
  })
  void labelsOfAnotherNumberThanTheHeadsAreFoundAndNeverShown(
      String base, String adapter, String weight, int rows) {
    EngineSpec spec = labelled(base, adapter, List.of("no", "yes"));
    var checked = Validation.of(spec, Storage.standard()).adapters().get(0);
    assertThat(checked.problems())
        .containsExactly(
            "labels: expected "
                + rows
                + ", the rows of "
                + weight
                + ", found 2, [no, yes]; correct the adapter's labels or the config.json beside"
                + " it");
    try (Engine engine = Engine.load(spec)) {
      Result result = engine.run(List.of(Request.of("a dog", adapter))).get(0);
      assertThat(((Classification) result.prediction()).scores())
          .hasSize(rows)
          .extracting(LabelScore::label)
          .allMatch(label -> label.startsWith("LABEL_"));
    }
  }

  @Test
  void labelsThatFitAreNoProblem() {
    EngineSpec spec = labelled("bert-sequence", "head-2-labels", List.of("no", "yes"));
    assertThat(Validation.of(spec, Storage.standard()).adapters().get(0).problems()).isEmpty();
  }

  private static EngineSpec decoder(Path folder, Task task) {
    DecoderFolder.of("llama", folder);
    return EngineSpec.of(folder.toString(), task, Map.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"text-generation", "text-scoring"})
  void taskThatTheArchitectureCannotDoIsFound(String task) {
    Path bert = Fixtures.path("models/bert-sequence");
    Task asked = task.equals("text-scoring") ? TextScoring.AUTO : TextGeneration.AUTO;
    assertThat(baseProblems(EngineSpec.of(bert.toString(), asked, Map.of())))
        .containsExactly(
            bert
                + "/config.json: model_type: expected one of [gpt2, llama, mistral, qwen2, qwen3,"
                + " gemma2, gemma3_text, phi3] for this task, found bert");
  }

  @Test
  void generationConfigThatAsksForSomethingElseIsFound(@TempDir Path folder) throws IOException {
    EngineSpec spec = decoder(folder, TextGeneration.AUTO);
    Path file = folder.resolve("generation_config.json");
    Files.writeString(file, "{\"num_beams\": 4, \"do_sample\": true, \"top_p\": 2}");
    assertThat(baseProblems(spec))
        .singleElement()
        .asString()
        .startsWith(file + ": 2 problems:\n")
        .contains("num_beams: ")
        .contains("top_p: expected a number above 0 and at most 1, found 2");
    assertThat(baseProblems(EngineSpec.of(folder.toString(), TextScoring.AUTO, Map.of())))
        .isEmpty();
  }

  @Test
  void lengthBeyondADecodersPositionsIsFound(@TempDir Path folder) {
    Batching long65 = new Batching(8, 999, 64, 65, true);
    assertThat(baseProblems(decoder(folder, TextGeneration.AUTO).with(long65)))
        .containsExactly("max-length: expected at most 64, the positions of this model, got 65");
  }

  private static List<String> chatProblems(EngineSpec spec) {
    return Validation.ofChats(spec, Storage.standard()).problems();
  }

  @Test
  void chatTemplateIsCheckedWhereRowsHoldChats(@TempDir Path folder) throws IOException {
    EngineSpec spec = decoder(folder, TextGeneration.AUTO);
    assertThat(chatProblems(spec))
        .containsExactly(
            folder
                + ": messages need a chat template, found neither chat_template.jinja nor"
                + " chat_template in tokenizer_config.json; add one, or give prompts instead of"
                + " messages");
    Files.writeString(folder.resolve("chat_template.jinja"), "{% for m in messages %}");
    assertThat(chatProblems(spec))
        .containsExactly(
            folder
                + "/chat_template.jinja: chat_template: line 1: Unexpected end of template,"
                + " expected endfor or else; correct the template, or write the prompts yourself");
    assertThat(baseProblems(spec)).isEmpty();
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages[0].content }}");
    assertThat(chatProblems(spec)).isEmpty();
  }
}
