package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class SamplesTest {
  private static Samples samples(double... seconds) {
    Samples samples = new Samples("side");
    for (double each : seconds) {
      samples.all().add(new Sample(10, 640, each, 2 * each));
    }
    return samples;
  }

  @Test
  void medianIsTheMiddleOrTheMeanOfTwo() {
    assertThat(Samples.median(3, 1, 2)).isEqualTo(2);
    assertThat(Samples.median(4, 1, 2, 3)).isEqualTo(2.5);
    assertThat(Samples.median(7)).isEqualTo(7);
  }

  @Test
  void ratesAreOfRowsAndTokensASecond() {
    Samples samples = samples(1, 2, 4);
    assertThat(samples.rate()).isEqualTo(5);
    assertThat(samples.leastRate()).isEqualTo(2.5);
    assertThat(samples.bestRate()).isEqualTo(10);
    assertThat(samples.tokenRate()).isEqualTo(320);
    assertThat(samples.cpuMillis()).isEqualTo(400);
  }

  @Test
  void ratioIsOfNeighboursAndNotOfMedians() {
    Samples ours = samples(1, 2, 8);
    Samples theirs = samples(2, 2, 4);
    assertThat(ours.ratio(theirs)).isEqualTo(1); // 2, 1, 0.5
    assertThat(ours.ratioOfSums(theirs)).isEqualTo(8.0 / 11, within(1e-12));
  }

  @Test
  void chunksOfOtherSizesAreComparedByTheirRates() {
    Samples ours = new Samples("ours", List.of(new Sample(20, 0, 2, 2)));
    assertThat(ours.ratio(samples(1))).isEqualTo(1);
  }

  @Test
  void figureSaysWhetherItsTargetIsReached() {
    Figure met = Figure.ratio("P2", "what", 0.98, samples(1), samples(0.99));
    assertThat(met.reached()).isEqualTo("0.990 x");
    assertThat(met.target()).isEqualTo(">= 0.98 x");
    assertThat(met.met()).isTrue();
    assertThat(Figure.ratio("P2", "what", 0.98, samples(1), samples(0.9)).met()).isFalse();
    assertThat(Figure.atMost("P6", "what", 5, 6.25, 1, "ms"))
        .isEqualTo(new Figure("P6", "what", "6.3 ms", "<= 5.0 ms", false, null, null));
  }

  @Test
  void otherNumbersAreNotTimed() {
    Scored scored = new Scored(null, new float[][] {{1, 2}, {3, 4}});
    assertThat(scored.checkedAgainst(new Scored(null, new float[][] {{1, 2}, {3, 4.00003f}}), "x"))
        .isSameAs(scored);
    assertThatThrownBy(
            () -> scored.checkedAgainst(new Scored(null, new float[][] {{1, 2}, {3, 4.5f}}), "x"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("x: expected the same numbers within 1e-05 of the largest, found 1.11e-01");
    assertThatThrownBy(
            () ->
                scored.checkedAgainst(
                    new Scored(null, new float[][] {{1, 2}, {3, Float.NaN}}), "x"))
        .hasMessageContaining("found NaN");
  }
}
