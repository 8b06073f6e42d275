package dev.medley.model;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.RowGroups;
import dev.medley.model.Architecture.Kind;
import dev.medley.model.DecoderFixture.Row;
import dev.medley.model.layer.CausalBatch;
import dev.medley.model.layer.CausalBatch.Part;
import dev.medley.model.layer.KvCache;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every decoder against HuggingFace transformers. */
class DecoderTest {
  private static final double TOLERANCE = 1e-5;

  static Stream<String> models() {
    return Fixtures.folders("decoders").stream()
        .filter(name -> !name.equals("tokenizer") && !name.endsWith("-seq"));
  }

  @Test
  void everyDecoderHasAFixture() {
    try (NDManager owner = NDManager.newBaseManager()) {
      assertThat(models().map(name -> DecoderFixture.load(name, owner).model().architecture()))
          .containsAll(
              Stream.of(Architecture.values()).filter(a -> a.kind() == Kind.DECODER).toList());
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void logitsOfEveryPositionAreThoseOfTransformers(String name) {
    try (NDManager owner = NDManager.newBaseManager()) {
      DecoderFixture fixture = DecoderFixture.load(name, owner);
      List<Row> rows = fixture.rows();
      CausalBatch batch = CausalBatch.of(owner, rows.stream().map(Row::ids).toList());
      RowGroups tokens = RowGroups.all(Arrays.stream(batch.lengths()).sum(), AdapterSet.BASE);

      NDArray hidden = fixture.model().hidden(batch, tokens);
      NDArray logits = fixture.model().nextTokens(hidden, tokens);

      int at = 0;
      for (int row = 0; row < rows.size(); row++) {
        String places = at + ":" + (at + batch.lengths()[row]);
        assertClose(hidden.get(places), fixture.expected().get("hidden." + row), TOLERANCE);
        assertClose(logits.get(places), fixture.expected().get("logits." + row), TOLERANCE);
        at += batch.lengths()[row];
      }
    }
  }

  /** Rows come one after the other, prompts in pieces, and all share pages of one cache. */
  @ParameterizedTest
  @MethodSource("models")
  void greedyTokensOfARunningBatchAreThoseOfTransformers(String name) {
    try (NDManager owner = NDManager.newBaseManager()) {
      DecoderFixture fixture = DecoderFixture.load(name, owner);
      TextModel model = fixture.model();
      List<Running> all = new ArrayList<>();
      try (KvCache cache = model.cache(owner, Precision.FLOAT32, 600)) {
        for (Row row : fixture.rows()) {
          all.add(new Running(row, cache.take(row.ids().length + row.greedy().length)));
        }
        for (int step = 0; all.stream().anyMatch(row -> !row.isDone()); step++) {
          List<Running> live = new ArrayList<>();
          for (int i = 0; i < all.size() && i <= step; i++) {
            if (!all.get(i).isDone()) {
              live.add(all.get(i));
            }
          }
          try (NDManager scope = owner.newSubManager()) {
            step(model, live, cache, scope);
          }
        }
        all.forEach(row -> cache.free(row.slot));
        assertThat(cache.rows()).isZero();
      }
      for (Running row : all) {
        assertThat(row.generated()).as("after %s", row.row.ids()).isEqualTo(row.row.greedy());
      }
    }
  }

  private static void step(TextModel model, List<Running> live, KvCache cache, NDManager scope) {
    List<Part> parts = live.stream().map(row -> row.next(model.restartAt())).toList();
    CausalBatch batch = CausalBatch.of(scope, parts, cache, Precision.FLOAT32);
    int[] lengths = batch.lengths();
    RowGroups tokens = RowGroups.all(Arrays.stream(lengths).sum(), AdapterSet.BASE);
    NDArray hidden = model.hidden(batch, tokens);
    long[] last = new long[lengths.length];
    long end = 0;
    for (int i = 0; i < last.length; i++) {
      end += lengths[i];
      last[i] = end - 1;
    }
    RowGroups rows = RowGroups.all(last.length, AdapterSet.BASE);
    NDArray logits = model.nextTokens(Kernels.tokens(hidden, last), rows);
    for (int i = 0; i < last.length; i++) {
      live.get(i).accept(logits.get(i).argMax().getLong());
    }
  }

  private static final class Running {
    private static final int PIECE = 3;

    final Row row;
    final KvCache.Slot slot;
    private final List<Long> tokens = new ArrayList<>();
    private int cached;
    private int length; // when keys were last computed

    Running(Row row, KvCache.Slot slot) {
      this.row = row;
      this.slot = slot;
      Arrays.stream(row.ids()).forEach(tokens::add);
    }

    Part next(int restartAt) {
      if (tokens.size() >= restartAt && length < restartAt) {
        cached = 0;
      }
      length = tokens.size();
      int end = Math.min(tokens.size(), cached + PIECE);
      long[] ids = tokens.subList(cached, end).stream().mapToLong(id -> id).toArray();
      Part part = new Part(ids, cached, tokens.size(), slot);
      cached = end;
      return part;
    }

    void accept(long token) {
      if (cached == tokens.size()) {
        tokens.add(token);
      }
    }

    boolean isDone() {
      return tokens.size() == row.ids().length + row.greedy().length;
    }

    long[] generated() {
      return tokens.stream().mapToLong(id -> id).skip(row.ids().length).toArray();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-seq", "qwen2-seq", "gpt2-seq"})
  void scoresOfTheLastTokenAreThoseOfTransformers(String name) {
    try (NDManager owner = NDManager.newBaseManager()) {
      DecoderFixture fixture = DecoderFixture.load(name, Head.SEQUENCE, owner);
      List<long[]> ids = fixture.rows().stream().map(Row::ids).toList();
      TokenBatch tokens = new TokenBatch(owner, ids, ids);
      RowGroups rows = RowGroups.all(ids.size(), AdapterSet.BASE);

      NDArray hidden = fixture.model().hidden(tokens, rows);
      NDArray scores = fixture.model().logits(hidden, ids, AdapterSet.BASE);

      assertClose(scores, fixture.expected().get("scores"), TOLERANCE);
    }
  }
}
