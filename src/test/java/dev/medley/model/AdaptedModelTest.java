package dev.medley.model;

import static dev.medley.Close.assertClose;
import static dev.medley.model.ModelFixture.assertReal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.AdapterReport;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LayerScratch;
import dev.medley.adapter.MergedWeights;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole models under adapters, against PEFT. */
class AdaptedModelTest {
  private static final double TOLERANCE = 1e-5;

  static Stream<String> adaptedModels() {
    return Fixtures.folders("models").stream()
        .filter(name -> Fixtures.folders("models/" + name).contains("adapters"));
  }

  static Stream<Arguments> adapters() {
    return adaptedModels()
        .flatMap(
            name ->
                Fixtures.folders("models/" + name + "/adapters").stream()
                    .map(adapter -> Arguments.of(name, adapter)));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("adapters")
  void everyRowUnderOneAdapterIsAsInPeft(String name, String adapter) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      AdapterSet set = fixture.adapter("adapters/" + adapter);
      NDArray hidden =
          fixture.model().hidden(fixture.tokens(), RowGroups.all(fixture.ids().size(), set));
      assertExpected(fixture, adapter, hidden, set);
    }
  }

  /**
   * Every adapter's rows and the base's in one batch, added and merged: different ranks, targets,
   * heads, biases.
   */
  @ParameterizedTest
  @MethodSource("adaptedModels")
  void rowsOfAllAdaptersShareABatch(String name) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      List<String> names = Fixtures.folders("models/" + name + "/adapters");
      List<AdapterSet> sets = new ArrayList<>(List.of(AdapterSet.BASE));
      names.forEach(adapter -> sets.add(fixture.adapter("adapters/" + adapter)));
      List<long[]> ids = new ArrayList<>();
      List<long[]> types = new ArrayList<>();
      List<AdapterSet> rows = new ArrayList<>();
      for (AdapterSet set : sets) {
        ids.addAll(fixture.ids());
        types.addAll(fixture.typeIds());
        fixture.ids().forEach(row -> rows.add(set));
      }
      RowGroups groups = RowGroups.of(rows);
      assertThat(groups.slices()).hasSize(sets.size());

      for (MergedWeights memory : Arrays.asList(null, new LayerScratch(owner))) {
        RowGroups ways = groups.merging(set -> set == AdapterSet.BASE ? null : memory);
        NDArray hidden = fixture.model().hidden(new TokenBatch(owner, ids, types), ways);

        for (int i = 0; i < names.size(); i++) {
          Slice slice = groups.slices().get(i + 1);
          NDArray part = hidden.get(slice.start() + ":" + slice.end());
          assertExpected(fixture, names.get(i), part, slice.set());
        }
      }
    }
  }

  private static void assertExpected(
      ModelFixture fixture, String adapter, NDArray hidden, AdapterSet set) {
    NDManager owner = fixture.owner();
    Expected expected =
        Fixtures.expected("models/" + fixture.name() + "/adapters/" + adapter, owner);
    List<String> names = List.copyOf(expected.checkpoint().tensors().keySet());
    assertThat(names).isNotEmpty();
    for (String tensor : names) {
      if (tensor.startsWith("hidden_states")) {
        assertReal(hidden, expected.get(tensor), fixture.ids(), TOLERANCE);
      } else if (tensor.equals("logits") && ModelFixture.head(fixture.name()) == Head.TOKEN) {
        NDArray logits = fixture.model().logits(hidden, fixture.ids(), set);
        assertReal(logits, expected.get(tensor), fixture.ids(), TOLERANCE);
      } else if (tensor.equals("logits") && ModelFixture.head(fixture.name()) == Head.SEQUENCE) {
        assertClose(
            fixture.model().logits(hidden, fixture.ids(), set), expected.get(tensor), TOLERANCE);
      }
    }
  }

  /** PEFT's own per-row adapters, {@code adapter_names}. */
  @Test
  void mixedBatchIsAsWithAdapterNames() throws IOException {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load("bert-sequence", owner);
      Expected expected = Fixtures.expected("models/bert-sequence", "mixed-batch", owner);
      JsonNode names =
          new ObjectMapper()
              .readTree(Fixtures.path("models/bert-sequence/mixed-batch.json").toFile())
              .get("adapter_names");
      Map<String, AdapterSet> loaded = new HashMap<>(Map.of("__base__", AdapterSet.BASE));
      List<AdapterSet> sets = new ArrayList<>();
      for (JsonNode name : names) {
        sets.add(loaded.computeIfAbsent(name.asText(), key -> fixture.adapter("adapters/" + key)));
      }
      RowGroups rows = RowGroups.of(sets);
      List<long[]> ids = ModelFixture.ids(expected);

      NDArray hidden =
          fixture.model().hidden(new TokenBatch(owner, ids, ModelFixture.typeIds(expected)), rows);

      assertReal(hidden, expected.get("hidden_states.3"), ids, TOLERANCE);
      for (Slice slice : rows.slices()) {
        String part = slice.start() + ":" + slice.end();
        NDArray logits =
            fixture
                .model()
                .logits(hidden.get(part), ids.subList(slice.start(), slice.end()), slice.set());
        assertClose(logits, expected.get("logits").get(part), TOLERANCE);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          pissa-niter        | init_lora_weights: "pissa_niter_4" is not supported: PEFT changes the base's weights by it
          alora              | alora_invocation_tokens: [17,4] is not supported: aLoRA adapts only the tokens from its invocation on
          other-type         | BOFT is not supported: it rotates inputs by a product of butterfly matrices
          unknown-config-key | unknown
          pickle             | pickle
          wrong-rank         | expected (
          other-base         | expected (
          extra-key          | unexpected, the config puts no adapter on such a module of this base
          missing-key        | expected a tensor (
          nothing-matched    | would change nothing: none of its
          nan                | expected finite numbers, found NaN or infinity
          """)
  void unfitAdapterIsRefused(String folder, String message) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load("bert-sequence", owner);
      assertThatThrownBy(() -> fixture.adapter("refused/" + folder))
          .isInstanceOf(LoadException.class)
          .hasMessageContaining(message);
    }
  }

  /**
   * Names as they stand, or would stand, in the file: {@code bert.} only where it was trained so.
   */
  @Test
  void reportNamesKeysAsPeftDoes() {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load("bert-sequence", owner);
      AdapterReport missing = fixture.report("refused/missing-key");
      assertThat(missing.missingKeys())
          .containsExactly(
              "base_model.model.bert.encoder.layer.1.attention.self.query.lora_B.weight");
      assertThat(missing.unexpectedKeys()).isEmpty();

      AdapterReport extra = fixture.report("refused/extra-key");
      assertThat(extra.missingKeys()).isEmpty();
      assertThat(extra.unexpectedKeys())
          .containsExactly(
              "base_model.model.bert.encoder.layer.9.attention.self.query.lora_A.weight");

      AdapterReport bare = fixture.report("refused/bare-missing-key");
      assertThat(bare.missingKeys())
          .containsExactly("base_model.model.encoder.layer.1.attention.self.query.lora_B.weight");
      assertThat(bare.unexpectedKeys()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "bert-sequence, token-head, SEQ_CLS, TOKEN_CLS",
    "bert-token, sequence-head, TOKEN_CLS, SEQ_CLS",
    "bert-token, sequence-head-targeted, TOKEN_CLS, SEQ_CLS"
  })
  void headOfAnotherTaskIsRefused(String name, String folder, String run, String trained) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      assertThat(fixture.report("refused/" + folder).problems())
          .contains(
              "task_type: expected "
                  + run
                  + ", the task whose head is run here and which this adapter changes, found "
                  + trained
                  + "; run it under the task that it was trained for");
    }
  }

  @Test
  void taskTypeIsFreeWhereNoHeadIsChanged() {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture bare = ModelFixture.load("bert-sequence", Head.NONE, owner);
      assertThat(bare.report("refused/token-head").problems()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          bert    | classifier-targeted | classifier.lora_A.weight classifier.lora_B.weight bert.pooler.dense.lora_A.weight bert.pooler.dense.lora_B.weight
          roberta | classifier-targeted | classifier.out_proj.lora_A.weight classifier.out_proj.lora_B.weight
          roberta | token-head          | classifier.bias classifier.weight
          """)
  void headThatTheBaseLacksIsIdle(String name, String adapter, String keys) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load(name, owner);
      List<String> expected =
          Stream.of(keys.split(" ")).map(key -> "base_model.model." + key).toList();
      assertThat(fixture.adapter("adapters/" + adapter).report().idleKeys()).isEqualTo(expected);
    }
  }

  @Test
  void adapterOfNothingButAHeadIsRefusedWhereNoHeadIsRun() {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load("bert", owner);
      assertThatThrownBy(() -> fixture.adapter("refused/classifier-alone"))
          .isInstanceOf(LoadException.class)
          .hasMessageContaining(
              "would change nothing: none of its 2 tensors is for a module that this task runs");
    }
  }

  @Test
  void adapterForAHeadAloneChangesNothingUnderFeatureExtraction() {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture headed = ModelFixture.load("bert-sequence", Head.NONE, owner);
      Adapter adapter = headed.adapter("adapters/head-2-labels");
      assertThat(adapter.report().idleKeys())
          .containsExactlyInAnyOrder(
              "base_model.model.classifier.bias", "base_model.model.classifier.weight");
      assertThat(adapter.parameter("classifier.weight")).isNull();
    }
  }
}
