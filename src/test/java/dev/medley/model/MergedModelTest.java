package dev.medley.model;

import static dev.medley.Close.assertClose;
import static dev.medley.model.ModelFixture.assertReal;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.RowGroups;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.PeftModel;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TokenClassification;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.tensor.Precision;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Merged folders, read back as the ordinary models that they are, against PEFT unmerged. */
class MergedModelTest {
  private static final double TOLERANCE = 1e-5;

  /** Every adapter of every model, but those on a head that its base lacks and nobody brings. */
  static Stream<Arguments> adapters() {
    return AdaptedModelTest.adapters()
        .filter(arguments -> !arguments.get()[1].equals("classifier-targeted"));
  }

  /** The task that the adapter is for, where the base has the head of none. */
  private static Head head(String model, String adapter) {
    return switch (adapter) {
      case "headed-on-bare" -> Head.SEQUENCE;
      case "token-head" -> Head.TOKEN;
      default -> ModelFixture.head(model);
    };
  }

  private static Task task(Head head) {
    return switch (head) {
      case NONE -> FeatureExtraction.AUTO;
      case SEQUENCE -> TextClassification.AUTO;
      case TOKEN -> new TokenClassification(List.of());
      case CAUSAL_LM -> throw new IllegalArgumentException("no encoder has it");
    };
  }

  /** A model of the merged one's class as transformers itself has written it. */
  private static String written(String model, String adapter) {
    return switch (adapter) {
      case "headed-on-bare" -> "bert-sequence";
      case "token-head" -> model.equals("roberta") ? "xlm-roberta-token" : model;
      default -> model;
    };
  }

  /** Of its tensors; one for all layers. */
  private static Set<String> names(Path folder) {
    return Checkpoint.headers(Storage.standard(), Location.of(folder.toString()), "model")
        .keySet()
        .stream()
        .map(name -> name.replaceFirst("\\.[0-9]+\\.", ".*."))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("adapters")
  void mergedModelDoesWhatTheAdapterDoesInPeft(String name, String adapter, @TempDir Path folder) {
    String adapterFolder = "models/" + name + "/adapters/" + adapter;
    Head head = head(name, adapter);
    Path merged = folder.resolve("merged");
    try (PeftModel model =
        PeftModel.fromPretrained(
            Fixtures.path("models/" + name).toString(),
            task(head),
            Fixtures.path(adapterFolder).toString())) {
      model.mergeAndUnload(merged);
    }
    assertThat(names(merged)).isEqualTo(names(Fixtures.path("models/" + written(name, adapter))));
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      TextModel reloaded =
          TextModel.load(
              Storage.standard(), Location.of(merged.toString()), head, owner, Precision.FLOAT32);
      assertThat(reloaded.absent()).isEmpty();
      Expected expected = Fixtures.expected(adapterFolder, owner);
      int rows = fixture.ids().size();
      NDArray hidden = reloaded.hidden(fixture.tokens(), RowGroups.all(rows, AdapterSet.BASE));
      String last =
          "hidden_states."
              + (fixture
                      .model()
                      .hiddenStates(fixture.tokens(), RowGroups.all(rows, AdapterSet.BASE))
                      .size()
                  - 1);
      assertReal(hidden, expected.get(last), fixture.ids(), TOLERANCE);
      if (head == Head.SEQUENCE) {
        NDArray logits = reloaded.logits(hidden, fixture.ids(), AdapterSet.BASE);
        assertClose(logits, expected.get("logits"), TOLERANCE);
      } else if (head == Head.TOKEN) {
        NDArray logits = reloaded.logits(hidden, fixture.ids(), AdapterSet.BASE);
        assertReal(logits, expected.get("logits"), fixture.ids(), TOLERANCE);
      }
    }
  }
}
