package dev.medley.model;

import static dev.medley.Close.assertClose;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LayerScratch;
import dev.medley.adapter.MergedWeights;
import dev.medley.adapter.RowGroups;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Half precision is compared with fp32, loosely: it rounds at every step. */
class PrecisionTest {
  /** A few roundings of 8 and 11 bits, through three layers of large random weights. */
  private static double tolerance(Precision precision) {
    return switch (precision) {
      case FLOAT32 -> 1e-5;
      case FLOAT16 -> 2e-2;
      case BFLOAT16 -> 1e-1;
    };
  }

  static Stream<Arguments> cases() {
    return Stream.of(
            "lora-bias",
            "loha-qv",
            "lokr-qv",
            "oft-qv",
            "shira-qv",
            "adalora-qv",
            "dora",
            "dora-embeddings",
            "pissa",
            "olora",
            "kasa",
            "ia3-feed-forward",
            "road-4",
            "vera-dense",
            "ln-tuning-any-module",
            "trainable-tokens")
        .flatMap(
            adapter ->
                Stream.of(Precision.values()).map(precision -> Arguments.of(adapter, precision)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void modelRunsInEveryPrecision(String adapter, Precision precision) {
    try (NDManager owner = NDManager.newBaseManager()) {
      ModelFixture fixture = ModelFixture.load("bert-sequence", precision, owner);
      AdapterSet set = fixture.adapter("adapters/" + adapter);
      NDArray expected =
          Fixtures.expected("models/bert-sequence/adapters/" + adapter, owner).get("logits");
      for (MergedWeights memory : Arrays.asList(null, new LayerScratch(owner))) {
        RowGroups rows = RowGroups.all(fixture.ids().size(), set).merging(any -> memory);
        NDArray hidden = fixture.model().hidden(fixture.tokens(), rows);
        NDArray logits =
            Kernels.to(fixture.model().logits(hidden, fixture.ids(), set), Precision.FLOAT32);
        assertClose(logits, expected, tolerance(precision));
      }
    }
  }
}
