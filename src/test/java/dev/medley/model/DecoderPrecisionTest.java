package dev.medley.model;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.RowGroups;
import dev.medley.io.Storage;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Decoders in bfloat16 and float16, with their keys and values in the same. */
class DecoderPrecisionTest {
  /** Of the largest logit. */
  private static double tolerance(Precision precision) {
    return precision == Precision.BFLOAT16 ? 0.12 : 0.02;
  }

  static Stream<Arguments> cases() {
    return DecoderTest.models()
        .flatMap(
            name ->
                Stream.of(Precision.BFLOAT16, Precision.FLOAT16)
                    .map(precision -> Arguments.of(name, precision)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreNearFloat32sWithAndWithoutACache(String name, Precision precision) {
    try (NDManager owner = NDManager.newBaseManager()) {
      DecoderFixture wide = DecoderFixture.load(name, owner);
      TextModel model =
          TextModel.load(
              Storage.standard(),
              Fixtures.location("decoders/" + name),
              Head.CAUSAL_LM,
              owner,
              precision);
      List<long[]> ids = wide.rows().stream().map(Row::ids).toList();
      CausalBatch whole = CausalBatch.of(owner, ids);
      RowGroups tokens = RowGroups.all(Arrays.stream(whole.lengths()).sum(), AdapterSet.BASE);
      NDArray logits =
          Kernels.to(model.nextTokens(model.hidden(whole, tokens), tokens), Precision.FLOAT32);
      long[] likeliest = Kernels.likeliest(logits);
      int same = 0;
      int at = 0;
      try (KvCache cache = model.cache(owner, precision, 4000)) {
        for (int row = 0; row < ids.size(); row++) {
          NDArray expected = wide.expected().get("logits." + row);
          String places = at + ":" + (at + ids.get(row).length);
          assertClose(logits.get(places), expected, tolerance(precision));
          long[] best = Kernels.likeliest(expected);
          for (int t = 0; t < best.length; t++) {
            same += best[t] == likeliest[at + t] ? 1 : 0;
          }
          at += best.length;
          assertClose(stepwise(model, ids.get(row), cache, precision, owner), expected, 0.12);
        }
      }
      assertThat((double) same / at)
          .as("greedy tokens as in float32")
          .isGreaterThan(precision == Precision.BFLOAT16 ? 0.94 : 0.98);
    }
  }

  /** Logits of every token, the row's tokens one by one. */
  private static NDArray stepwise(
      TextModel model, long[] ids, KvCache cache, Precision precision, NDManager owner) {
    KvCache.Slot slot = cache.take(ids.length);
    List<NDArray> logits = new ArrayList<>();
    for (int t = 0; t < ids.length; t++) {
      Part part = new Part(new long[] {ids[t]}, t, ids.length, slot);
      CausalBatch batch = CausalBatch.of(owner, List.of(part), cache, precision);
      RowGroups one = RowGroups.all(1, AdapterSet.BASE);
      logits.add(Kernels.to(model.nextTokens(model.hidden(batch, one), one), Precision.FLOAT32));
    }
    cache.free(slot);
    return Kernels.concat(logits);
  }
}
