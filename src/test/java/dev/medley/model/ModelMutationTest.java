package dev.medley.model;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.AdapterMutants;
import dev.medley.AdapterMutants.Mutant;
import dev.medley.PeftVerdicts;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.RowGroups;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.tensor.Precision;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters of a whole model with one change each: refused by name, or as in PEFT. */
class ModelMutationTest {
  private static final double TOLERANCE = 1e-5;
  private static final String NAME = "bert-sequence";

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"qv", "head-2-labels", "bias-all", "some-layers", "embeddings-saved"})
  void mutantIsRefusedByNameOrIsAsInPeft(String adapter) {
    AdapterMutants sound =
        new AdapterMutants("models/" + NAME + "/adapters/" + adapter)
            .withNames()
            .withPrefix("bert.")
            .withShapes()
            .with("task_type", "null", "\"TOKEN_CLS\"", "\"QUESTION_ANS\"", "\"SPARKLE\"")
            .with("task_type", "\"FEATURE_EXTRACTION\"", "\"CAUSAL_LM\"")
            .with("modules_to_save", "null", "[]", "[\"classifier\"]", "[\"pooler\"]", "[\"x\"]")
            .with("modules_to_save", "[\"classifier\", \"LayerNorm\"]", "[\"query\"]")
            .with("target_modules", "[\"query\"]", "[\"value\"]", "[\"query\", \"key\"]")
            .with("target_modules", "[\"query\", \"value\", \"pooler\"]", "\"all-linear\"")
            .with("target_modules", "[\"query\", \"value\", \"lm_head\"]", "\".*(query|value)\"")
            .with("target_modules", "[\"word_embeddings\"]", "[\"LayerNorm\"]", "\"query\"")
            .with("exclude_modules", "[\"query\"]", "\".*layer.0.*\"", "[\"x\"]", "[\"key\"]")
            .with("layers_to_transform", "[0]", "[0, 1, 2]", "[9]", "1")
            .with("bias", "\"none\"", "\"all\"", "\"lora_only\"")
            .with("r", "1", "4", "16")
            .with("lora_alpha", "0", "-3", "29")
            .with("use_rslora", "true")
            .with("use_dora", "true")
            .with("rank_pattern", "{\"query\": 2}", "{\"x\": 2}")
            .with("alpha_pattern", "{\"query\": 2}", "{\"x\": 2}", "{\"query\": 0}");
    List<String> wrong = new ArrayList<>();
    int[] count = new int[2];
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(NAME, owner);
      PeftVerdicts verdicts = new PeftVerdicts(owner);
      for (Mutant mutant : sound.all()) {
        String problem = judge(mutant, fixture, verdicts, count);
        if (problem != null) {
          wrong.add(mutant.id() + ": " + problem);
        }
      }
    }
    System.out.printf("%-20s %4d refused %4d as PEFT%n", adapter, count[0], count[1]);
    assertThat(wrong).isEmpty();
    assertThat(count[0]).isGreaterThan(50);
    assertThat(count[1]).isGreaterThan(5);
  }

  private String judge(Mutant mutant, ModelFixture fixture, PeftVerdicts verdicts, int[] count) {
    Path files = mutant.writeTo(folder.resolve(mutant.digest()));
    Adapter adapter;
    try {
      adapter = fixture.adapter(files);
    } catch (LoadException e) {
      count[0]++;
      String key = mutant.what().split(" ")[0].replaceFirst("^base_model\\.model\\.", "");
      boolean isNamed =
          e.getMessage().contains(key.replaceFirst("^bert\\.", ""))
              || (mutant.kind().equals("config") && e.getMessage().contains(": expected"))
              || (mutant.kind().equals("config") && e.getMessage().contains(": unexpected"));
      return isNamed ? null : "the message does not name " + key + ": " + e.getMessage();
    }
    count[1]++;
    Location location = Location.of(files.toString());
    List<String> problems =
        ModelFixture.report(fixture.model(), Precision.FLOAT32, location, adapter.toString())
            .problems();
    if (!problems.isEmpty()) {
      adapter.close();
      return "loads, though the driver's check finds " + problems;
    }
    String verdict = verdicts.of(mutant);
    if (verdict == null) {
      adapter.close();
      return "accepted, and nobody has asked PEFT: run src/test/python/mutations.py";
    }
    NDArray expected = verdicts.output(verdict, "logits");
    if (expected == null) {
      adapter.close();
      return "accepted, and in PEFT: " + verdict;
    }
    RowGroups rows = RowGroups.all(fixture.ids().size(), adapter);
    NDArray hidden = fixture.model().hidden(fixture.tokens(), rows);
    try (adapter) {
      assertClose(fixture.model().logits(hidden, fixture.ids(), adapter), expected, TOLERANCE);
      return null;
    } catch (AssertionError e) {
      return "accepted, and not as in PEFT: " + e.getMessage();
    }
  }

  /** PEFT warns of missing and unexpected keys and gives the base's output. */
  @ParameterizedTest
  @CsvSource({
    "roberta-sequence, adapters/qv, bert.encoder.layer.0.attention.self.query.lora_A.weight",
    "distilbert-sequence, adapters/qv, bert.encoder.layer.0.attention.self.query.lora_A.weight",
    "bert-sequence, refused/other-base, expected (",
  })
  void adapterOfAnotherBaseIsRefused(String name, String adapter, String named) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      Path files = dev.medley.Fixtures.path("models/" + NAME + "/" + adapter);
      assertThatThrownBy(() -> fixture.adapter(files))
          .isInstanceOf(LoadException.class)
          .hasMessageContaining(named);
    }
  }
}
