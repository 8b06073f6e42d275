package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.tensor.Kernels;

/**
 * A learned change to one linear map x·Wᵀ + b. For every x [n, in], W [out, in] and b [out]:
 *
 * <pre>output(x, input(x)·Wᵀ) + bias(b, b) = x·merge(W)ᵀ + bias(b, b)</pre>
 *
 * The left side is the <i>dynamic</i> way, which never builds a matrix of W's size; the right side
 * the <i>merged</i> way. Every type obeys the law, and so does an {@link AdapterStack} of them, so
 * one contract test covers singles and mixed sets.
 *
 * <p>A linear map's bias changes apart from its weight, and the same way on both sides: that is why
 * {@link #bias} stands alone. x may have more leading axes.
 */
public interface LinearAdapter {
  /** What the layer inside this adapter sees in place of x. […, in] → […, in] */
  default NDArray input(NDArray x) {
    return x;
  }

  /**
   * Adds this adapter's share to y, the inner layer's product without its bias. May write into y.
   *
   * @param x as it came to this adapter, before {@link #input}, […, in]
   * @param y […, out]
   * @return […, out]
   */
  default NDArray output(NDArray x, NDArray y) {
    return y;
  }

  /**
   * The same, for those who have what {@link #input} made of x already.
   *
   * @param seen input(x), […, in]
   */
  default NDArray output(NDArray x, NDArray seen, NDArray y) {
    return output(x, y);
  }

  /** Whether {@link #input} gives anything but x itself. */
  default boolean turnsInput() {
    return false;
  }

  /**
   * Whether {@link #output} adds the same whatever y holds. The base layer may then add its bias to
   * y in the same call as the product, which is one pass over memory less.
   */
  default boolean isAdditive() {
    return false;
  }

  /** The weight that does the same alone, a new array. [out, in] → [out, in] */
  NDArray merge(NDArray weight);

  /**
   * The same written into memory of that size, which may be {@code weight} itself.
   *
   * @param into [out, in]
   */
  default void mergeInto(NDArray weight, NDArray into) {
    try (NDArray merged = merge(weight)) {
      Kernels.copyInto(into, merged);
    }
  }

  /**
   * The bias in place of the inner layer's. [out] → [out]
   *
   * @param base the base layer's own, null for none
   * @param bias the inner layer's, which is {@code base} unless an inner adapter changes it
   * @return {@code bias} itself where this adapter leaves it alone
   */
  default NDArray bias(NDArray base, NDArray bias) {
    return bias;
  }

  /**
   * What this adapter first takes from the base's weight, as PEFT does when it loads PiSSA, OLoRA
   * and KaSA. In a set it stands innermost, below all members.
   *
   * @param weight the base's, less what members before this one took [out, in]
   * @param owner of the arrays made
   * @return null for nothing
   */
  default LinearAdapter correction(NDArray weight, NDManager owner) {
    return null;
  }

  /**
   * The same change over a base of that weight, for types that measure it, as DoRA does.
   *
   * @param weight the base's, less what all members' {@link #correction}s took [out, in]
   * @param owner of the arrays made
   */
  default LinearAdapter over(NDArray weight, NDManager owner) {
    return this;
  }

  /**
   * Whether it surely changes nothing, as before any training: {@code output(x, y) = y} for every
   * x. Types that cannot tell say no.
   */
  default boolean isNothing() {
    return false;
  }

  /** The same change with its contribution scaled, for types that say they can be. */
  default LinearAdapter scaled(double factor) {
    throw new IllegalStateException("this change cannot be scaled");
  }
}
