package dev.medley.adapter;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.medley.tensor.Kernels;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Types that change a layer's whole output, its bias included, around others: what comes out is
 * what they make of all that the members inside them give.
 */
class WholeOutputTest {
  private static NDArray random(NDManager owner, long... shape) {
    return owner.randomNormal(new Shape(shape));
  }

  /** ((x·Wᵀ + b + s·(x·aᵀ·bᵀ + shift)) ⊙ l) turned, computed as it reads. */
  @Test
  void everythingInsideIsScaledAndTurned() {
    try (NDManager owner = NDManager.newBaseManager()) {
      NDArray x = random(owner, 4, 7);
      NDArray weight = random(owner, 6, 7);
      NDArray bias = random(owner, 6);
      Lora lora = new Lora(random(owner, 3, 7), random(owner, 6, 3), 0.7, random(owner, 6));
      Ia3 ia3 = new Ia3(random(owner, 6));
      NDArray turns = Kernels.turns(random(owner, 3), random(owner, 3), 3, 2);
      Road road = new Road(turns, 2);

      NDArray inner = x.matMul(weight.transpose()).add(bias);
      NDArray share = x.matMul(lora.a().transpose()).matMul(lora.b().transpose());
      NDArray sum = inner.add(share.add(lora.shift()).mul(0.7));
      NDArray expected = Kernels.turn(sum.mul(ia3.l()), turns, 2);

      LinearAdapter set = new AdapterStack(List.of(lora, ia3, road));
      NDArray own = set.bias(bias, bias);
      NDArray dynamic = set.output(x, Kernels.linear(set.input(x), weight, null));
      assertThat(set.isAdditive()).isFalse();
      assertClose(dynamic.add(own), expected, 1e-5);
      assertClose(Kernels.linear(x, set.merge(weight), own), expected, 1e-5);
    }
  }

  @Test
  void vectorsOfInputsAreNotWrittenIntoTheInput() {
    try (NDManager owner = NDManager.newBaseManager()) {
      NDArray x = random(owner, 4, 7);
      NDArray before = x.duplicate();
      NDArray seen = new Ia3.FeedForward(random(owner, 7)).input(x);
      assertThat(seen).isNotSameAs(x);
      assertThat(x).isEqualTo(before);
    }
  }

  /** Half a VeRA adds half of what it adds; a scale has no such half. */
  @Test
  void onlyWhatIsAddedCanBeScaled() {
    try (NDManager owner = NDManager.newBaseManager()) {
      NDArray x = random(owner, 4, 7);
      Vera vera =
          new Vera(random(owner, 3, 7), random(owner, 6, 3), random(owner, 3), random(owner, 6), 1);
      NDArray whole = vera.output(x, owner.zeros(new Shape(4, 6)));
      LinearAdapter half = vera.scaled(0.5);
      NDArray part = half.output(x, owner.zeros(new Shape(4, 6)));
      assertClose(part, whole.mul(0.5), 1e-6);
      assertClose(
          half.merge(owner.zeros(new Shape(6, 7))),
          vera.merge(owner.zeros(new Shape(6, 7))).mul(0.5),
          1e-6);
      for (LinearAdapter unscalable :
          List.of(
              new Ia3(random(owner, 6)),
              new Ia3.FeedForward(random(owner, 7)),
              new Road(random(owner, 2, 6), 2))) {
        assertThatThrownBy(() -> unscalable.scaled(0.5)).isInstanceOf(IllegalStateException.class);
      }
    }
  }
}
