package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.tensor.Kernels;

/**
 * A change of the weight that is kept whole, where no cheaper form is: s·ΔW.
 *
 * @param delta ΔW [out, in]
 * @param s scaling
 */
record Dense(NDArray delta, double s) implements LinearAdapter {
  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.addLinearInto(y, x, delta, s);
    return y;
  }

  @Override
  public boolean isAdditive() {
    return true;
  }

  @Override
  public boolean isNothing() {
    return Kernels.isZero(delta);
  }

  @Override
  public LinearAdapter scaled(double factor) {
    return new Dense(delta, factor * s);
  }

  @Override
  public NDArray merge(NDArray weight) {
    return Kernels.addScaled(weight, delta, s);
  }

  @Override
  public void mergeInto(NDArray weight, NDArray into) {
    Kernels.addScaledInto(into, weight, delta, s);
  }
}
