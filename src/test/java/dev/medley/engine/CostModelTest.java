package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.Work;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Torch;
import org.junit.jupiter.api.Test;

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

  /** What nobody can doubt on any machine: many tokens pay for a merge, and one does not. */
  @Test
  void mergingPaysForManyTokensAndNotForOne() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      CostModel cost = CostModel.of(owner, Precision.FLOAT32);
      Work work = new Work(36, 36 * 16 * 768, 36.0 * 16 * 384 * 384, 36 * 384 * 384);

      assertThat(cost.adding(work, 1)).isLessThan(cost.merging(work));
      assertThat(cost.adding(work, 100_000)).isGreaterThan(cost.merging(work));
    }
  }
}
