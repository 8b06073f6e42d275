package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.tensor.Kernels;

/**
 * DoRA: W' = g ⊙ (W + s·b·a), g = m/‖W₀ + s·b·a‖ by rows, W₀ the base's own weight (arXiv
 * 2402.09353). In a set it rescales what the members inside it do, their shifts of the bias
 * included, and not the base's own bias; its norm knows of none of them. So does PEFT.
 *
 * @param m lora_magnitude_vector [out]
 * @param g [out]; null until bound to a base by {@link #over}
 */
record Dora(Lora lora, NDArray m, NDArray g) implements LinearAdapter {
  private static final double ROUNDING = 1e-6;

  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.scaleInto(lora.output(x, y), g);
    return y;
  }

  @Override
  public NDArray merge(NDArray weight) {
    try (NDArray sum = lora.merge(weight)) {
      return Kernels.scaleRows(sum, g);
    }
  }

  @Override
  public NDArray bias(NDArray base, NDArray bias) {
    return bias == base ? base : Kernels.scaleFrom(bias, base, g);
  }

  /** A norm of 1 is seldom exactly 1. */
  @Override
  public boolean isNothing() {
    return g != null && lora.isNothing() && Kernels.isNear(g, 1, ROUNDING);
  }

  @Override
  public LinearAdapter over(NDArray weight, NDManager owner) {
    try (NDArray sum = lora.merge(weight)) {
      NDArray gain = Kernels.gainOfRows(m, sum);
      gain.attach(owner);
      return new Dora(lora, m, gain);
    }
  }

  /**
   * DoRA on a table: E' = (E + s·(b·a)ᵀ) ⊙ g, g = m/‖E₀ + s·(b·a)ᵀ‖ by columns.
   *
   * @param m lora_magnitude_vector [d]
   * @param g [d]; null until bound
   */
  record Table(Lora.Table lora, NDArray m, NDArray g) implements EmbeddingAdapter {
    @Override
    public NDArray output(NDArray ids, NDArray y) {
      Kernels.scaleInto(lora.output(ids, y), g);
      return y;
    }

    @Override
    public NDArray merge(NDArray table) {
      try (NDArray sum = lora.merge(table)) {
        return Kernels.multiply(sum, g);
      }
    }

    @Override
    public boolean isNothing() {
      return g != null && lora.isNothing() && Kernels.isNear(g, 1, ROUNDING);
    }

    @Override
    public EmbeddingAdapter over(NDArray table, NDManager owner) {
      try (NDArray sum = lora.merge(table)) {
        NDArray gain = Kernels.gainOfColumns(m, sum);
        gain.attach(owner);
        return new Table(lora, m, gain);
      }
    }
  }
}
