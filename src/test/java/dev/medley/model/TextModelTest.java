package dev.medley.model;

import static dev.medley.Close.assertClose;
import static dev.medley.model.ModelFixture.assertReal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.RowGroups;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every layer and every head against HuggingFace transformers. */
class TextModelTest {
  private static final double TOLERANCE = 1e-5;

  static Stream<String> models() {
    return Fixtures.folders("models").stream();
  }

  @ParameterizedTest
  @MethodSource("models")
  void everyHiddenStateAndTheLogitsAreThoseOfTransformers(String name) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      Expected expected = fixture.expected();
      RowGroups rows = RowGroups.all(fixture.ids().size(), AdapterSet.BASE);

      List<NDArray> states = fixture.model().hiddenStates(fixture.tokens(), rows);

      for (int i = 0; i < states.size(); i++) {
        NDArray state = expected.get("hidden_states." + i);
        assertReal(states.get(i), state, fixture.ids(), TOLERANCE);
      }
      assertThat(expected.has("hidden_states." + states.size())).isFalse();
      if (expected.has("logits")) {
        NDArray last = states.get(states.size() - 1);
        NDArray logits = fixture.model().logits(last, fixture.ids(), AdapterSet.BASE);
        if (ModelFixture.head(name) == Head.TOKEN) {
          assertReal(logits, expected.get("logits"), fixture.ids(), TOLERANCE);
        } else {
          assertClose(logits, expected.get("logits"), TOLERANCE);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void rowAloneEqualsRowInBatch(String name) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      List<long[]> ids = fixture.ids();
      NDArray batch =
          fixture.model().hidden(fixture.tokens(), RowGroups.all(ids.size(), AdapterSet.BASE));
      for (int row = 0; row < ids.size(); row++) {
        TokenBatch one =
            new TokenBatch(owner, List.of(ids.get(row)), List.of(fixture.typeIds().get(row)));
        NDArray alone = fixture.model().hidden(one, RowGroups.all(1, AdapterSet.BASE));
        String real = row + ":" + (row + 1) + ", :" + ids.get(row).length;
        assertClose(alone, batch.get(real), TOLERANCE);
      }
    }
  }

  static Stream<Architecture> encoders() {
    return Stream.of(Architecture.values()).filter(a -> a.kind() == Architecture.Kind.ENCODER);
  }

  @ParameterizedTest
  @MethodSource("encoders")
  void everyEncoderHasFixturesForEveryHead(Architecture architecture) {
    try (NDManager owner = NDManager.newBaseManager()) {
      List<Head> heads =
          models()
              .filter(name -> ModelFixture.load(name, owner).model().architecture() == architecture)
              .map(ModelFixture::head)
              .distinct()
              .toList();
      assertThat(heads)
          .containsExactlyInAnyOrderElementsOf(
              Stream.of(Head.values()).filter(architecture::has).toList());
    }
  }

  @Test
  void oneTensorTooFewAndOneTooManyAreBothNamed(@TempDir Path folder) throws IOException {
    Path bert = Fixtures.path("models/bert");
    Files.copy(bert.resolve("model.safetensors"), folder.resolve("model.safetensors"));
    String config = Files.readString(bert.resolve("config.json"));
    // A fourth layer is asked for; the table of positions is one row too long.
    Files.writeString(
        folder.resolve("config.json"),
        config
            .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2")
            .replace("\"max_position_embeddings\": 48", "\"max_position_embeddings\": 47"));

    assertThatThrownBy(
            () -> TextModel.outline(Storage.standard(), Location.of(folder.toString()), Head.NONE))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(
            "embeddings.position_embeddings.weight: expected (47, 30), got (48, 30)")
        .hasMessageContaining(
            "encoder.layer.2.output.LayerNorm.bias: no module of this model reads this tensor");
  }

  @ParameterizedTest
  @CsvSource({
    "bert, num_attention_heads, 5, hidden_size, 30, vocab_size, 260",
    "roberta, num_attention_heads, 3, hidden_size, 30, vocab_size, 320",
    "distilbert, n_heads, 5, dim, 30, vocab_size, 280"
  })
  void padOutsideTheVocabularyAndUnevenHeadsAreBothNamed(
      String name,
      String headsKey,
      int heads,
      String widthKey,
      int width,
      String vocabKey,
      int vocab,
      @TempDir Path folder)
      throws IOException {
    Path model = Fixtures.path("models/" + name);
    Files.copy(model.resolve("model.safetensors"), folder.resolve("model.safetensors"));
    ObjectNode config =
        (ObjectNode) new ObjectMapper().readTree(model.resolve("config.json").toFile());
    assertThat(config.get(headsKey).asInt()).isEqualTo(heads);
    assertThat(config.get(widthKey).asInt()).isEqualTo(width);
    assertThat(config.get(vocabKey).asInt()).isEqualTo(vocab);
    config.put(headsKey, 4).put("pad_token_id", vocab);
    Files.writeString(folder.resolve("config.json"), config.toString());

    assertThatThrownBy(
            () -> TextModel.outline(Storage.standard(), Location.of(folder.toString()), Head.NONE))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "%s/config.json: 2 problems:\n"
                + "  %s: expected a divisor of %s, which is %d, found 4\n"
                + "  pad_token_id: expected an id from 0 to %d, as vocab_size says, found %d",
            folder, headsKey, widthKey, width, vocab - 1, vocab);
  }

  @Test
  void headWithoutLabelsIsRefusedWhereItIsRun() {
    var file =
        Map.of(
            "classifier.weight",
            new TensorInfo("classifier.weight", StoredType.F32, new long[] {0, 4}, "m", 0, 0),
            "classifier.bias",
            new TensorInfo("classifier.bias", StoredType.F32, new long[] {0}, "m", 0, 0));
    Weights run = Weights.outline("m", file);
    new Scope(run, new BaseModules("bert", ""), Place.HEAD, new ArrayList<>())
        .labels("classifier", 4);
    assertThat(run.problems())
        .containsExactly(
            "classifier.weight: expected a row for each label, found (0, 4), a head without labels");
    Weights idle = Weights.outline("m", file);
    new Scope(idle, new BaseModules("bert", ""), Place.IDLE_HEAD, null).labels("classifier", 4);
    assertThat(idle.problems()).isEmpty();
  }

  @Test
  void headThatTheCheckpointLacksIsAbsentAndNeverMadeUp() {
    try (NDManager owner = NDManager.newBaseManager()) {
      assertThat(ModelFixture.load("bert", Head.SEQUENCE, owner).model().absent())
          .containsExactly("classifier.weight", "classifier.bias");
      // The same names and shapes, trained for another task: not this task's head.
      assertThat(ModelFixture.load("bert-token", Head.SEQUENCE, owner).model().absent())
          .containsExactly(
              "pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias");
      assertThat(ModelFixture.load("bert-sequence", Head.SEQUENCE, owner).model().absent())
          .isEmpty();
    }
  }
}
