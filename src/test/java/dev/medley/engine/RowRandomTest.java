package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RowRandomTest {
  private static final long[] PROMPT = {1, 23, 4};

  /** Numbers of another version of Medley, or another Java, would make other texts of a seed. */
  @Test
  void numbersAreTheseForEver() {
    RowRandom random = RowRandom.of(0, null, PROMPT, "math");
    assertThat(random.draw(0)).isEqualTo(0.8922418466109853);
    assertThat(random.draw(1)).isEqualTo(0.8895475240390422);
    assertThat(random.draw(0)).isEqualTo(0.8922418466109853);
  }

  @Test
  void eachPartOfARowMakesOthers() {
    Set<Double> draws = new LinkedHashSet<>();
    draws.add(RowRandom.of(0, null, PROMPT, "math").draw(0));
    draws.add(RowRandom.of(1, null, PROMPT, "math").draw(0));
    draws.add(RowRandom.of(0, 0L, PROMPT, "math").draw(0));
    draws.add(RowRandom.of(0, 1L, PROMPT, "math").draw(0));
    draws.add(RowRandom.of(0, null, new long[] {1, 2, 34}, "math").draw(0));
    draws.add(RowRandom.of(0, null, PROMPT, "").draw(0));
    draws.add(RowRandom.of(0, null, PROMPT, "math+polite").draw(0));
    assertThat(draws).hasSize(7).allMatch(draw -> draw >= 0 && draw < 1);
    assertThat(draws).contains(RowRandom.of(0, null, PROMPT.clone(), "math").draw(0));
  }

  @Test
  void numbersAreEvenlySpread() {
    RowRandom random = RowRandom.of(7, null, PROMPT, "");
    int[] counts = new int[20];
    for (int i = 0; i < 20_000; i++) {
      counts[(int) (random.draw(i) * counts.length)]++;
    }
    double[] equal = new double[counts.length];
    Arrays.fill(equal, 1.0 / counts.length);
    assertThat(SamplerTest.chiSquare(counts, equal)).isLessThan(43.8); // 1 in 1000 at 19
  }
}
