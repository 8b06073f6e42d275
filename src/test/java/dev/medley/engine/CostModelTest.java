package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.Work;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CostModelTest {
  @Test
  void measuredOncePerJvmAndLeavesNothing() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      CostModel first = CostModel.of(owner, Precision.FLOAT32);

      assertThat(CostModel.of(owner, Precision.FLOAT32)).isSameAs(first);
      assertThat(first.product()).isPositive();
      assertThat(first.share()).isPositive();
      assertThat(first.write() + first.merge()).isPositive();
      assertThat(owner.getManagedArrays()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 3, 2, 5, 1, 2", // through both points
    "1, 1, 2, 4, 0, 3", // nothing starts below 0
    "1, 4, 2, 4, 2, 2", // more costs more, whatever was measured
    "1, 9, 2, 4, 7, 2",
  })
  void linesNeverFall(double x0, double y0, double x1, double y1, double start, double slope) {
    assertThat(CostModel.Line.through(x0, y0, x1, y1)).isEqualTo(new CostModel.Line(start, slope));
  }

  /** What nobody can doubt on any machine: many tokens pay for a merge. */
  @Test
  void mergingPaysForManyTokens() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      CostModel cost = CostModel.of(owner, Precision.FLOAT32);
      Work work = new Work(36, 36 * 16 * 768, 36.0 * 16 * 384 * 384, 36 * 384 * 384);

      assertThat(cost.adding(work, 1e6)).isGreaterThan(cost.merging(work));
    }
  }
}
