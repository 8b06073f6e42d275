package dev.medley.model;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterLoader;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LowRankBank;
import dev.medley.adapter.RowGroups;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.layer.CausalBatch;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Shares taken together are the shares taken one by one. */
class LowRankBankTest {
  private static final List<String> NAMES =
      List.of("lora", "rslora", "patterns", "all-linear", "adalora", "some-layers");

  private static AdapterSet adapter(TextModel model, String name, NDManager owner) {
    Location folder = Fixtures.location("decoders/llama/adapters/" + name);
    try (Checkpoint checkpoint = Checkpoint.open(Storage.standard(), folder, "adapter_model")) {
      String json = Files.readString(folder.resolve("adapter_config.json").path());
      return new AdapterLoader(model.modules(), Precision.FLOAT32)
          .load(name, AdapterConfig.parse(json, name), checkpoint, owner.newSubManager());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void manyShortSlicesGetWhatEachGetsByItselfWhoeverCameAndWentBefore() {
    try (NDManager owner = NDManager.newBaseManager()) {
      TextModel model = DecoderFixture.load("llama", owner).model();
      List<AdapterSet> sets = new ArrayList<>();
      NAMES.forEach(name -> sets.add(adapter(model, name, owner)));
      sets.add(2, AdapterSet.BASE);
      List<long[]> ids = new ArrayList<>();
      for (int i = 0; i < sets.size(); i++) {
        long[] row = new long[1 + i % 3];
        for (int t = 0; t < row.length; t++) {
          row[t] = 7 + 11L * i + 5L * t;
        }
        ids.add(row);
      }
      try (LowRankBank bank = new LowRankBank(owner)) {
        int rounds = 0;
        for (int from = 0; from < sets.size() - 2; from++) { // fewer sets, then all again
          for (int start : new int[] {from, 0}) {
            List<AdapterSet> some = sets.subList(start, sets.size());
            bank.keep(some);
            assertSame(model, ids.subList(start, sets.size()), some, bank, owner);
            rounds++;
          }
        }
        assertThat(rounds).isEqualTo(10);
      }
    }
  }

  @Test
  void aSetMayHaveSeveralSlices() {
    try (NDManager owner = NDManager.newBaseManager();
        LowRankBank bank = new LowRankBank(owner)) {
      TextModel model = DecoderFixture.load("llama", owner).model();
      AdapterSet one = adapter(model, "lora", owner);
      AdapterSet other = adapter(model, "rslora", owner);
      List<long[]> ids = List.of(new long[] {9, 5}, new long[] {60}, new long[] {7, 8, 70});
      assertSame(model, ids, List.of(one, other, one), bank, owner);
    }
  }

  @Test
  void farApartSlotsAreNotPadded() {
    try (NDManager owner = NDManager.newBaseManager();
        LowRankBank bank = new LowRankBank(owner)) {
      TextModel model = DecoderFixture.load("llama", owner).model();
      List<AdapterSet> sets = new ArrayList<>();
      for (int i = 0; i < 9; i++) {
        sets.add(adapter(model, "lora", owner));
      }
      assertThat(bank.suits("layers.0.self_attn.q_proj", RowGroups.of(sets))).isTrue();
      List<AdapterSet> ends = List.of(sets.get(0), sets.get(8));
      assertThat(bank.suits("layers.0.self_attn.q_proj", RowGroups.of(ends))).isFalse();
    }
  }

  /** As many tokens of every set, in the order in which they came. */
  @Test
  void evenSlicesGetWhatEachGetsByItself() {
    try (NDManager owner = NDManager.newBaseManager();
        LowRankBank bank = new LowRankBank(owner)) {
      TextModel model = DecoderFixture.load("llama", owner).model();
      List<AdapterSet> sets = new ArrayList<>();
      List<long[]> ids = new ArrayList<>();
      for (String name : NAMES) {
        sets.add(adapter(model, name, owner));
        ids.add(new long[] {11L * sets.size(), 5, 60});
      }
      assertSame(model, ids, sets, bank, owner);
    }
  }

  private static void assertSame(
      TextModel model, List<long[]> ids, List<AdapterSet> sets, LowRankBank bank, NDManager owner) {
    try (NDManager scope = owner.newSubManager()) {
      CausalBatch batch = CausalBatch.of(scope, ids);
      RowGroups rows = RowGroups.of(sets);
      RowGroups tokens = rows.ofTokens(batch.lengths());
      assertThat(bank.suits("layers.0.self_attn.q_proj", rows)).isTrue();

      NDArray together =
          model.hidden(CausalBatch.of(scope, ids), rows.with(bank).ofTokens(batch.lengths()));

      assertClose(together, model.hidden(batch, tokens), 1e-6);
    }
  }
}
