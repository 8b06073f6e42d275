package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;

/**
 * A learned change to one table of embeddings E [v, d]. For every array of ids:
 *
 * <pre>output(ids, E[ids]) = merge(E)[ids]</pre>
 */
public interface EmbeddingAdapter {
  /** Adds this adapter's share to y. May write into y. ids […], y […, d] → […, d] */
  NDArray output(NDArray ids, NDArray y);

  /** The table that does the same alone, a new array. [v, d] → [v, d] */
  NDArray merge(NDArray table);

  /**
   * The same change over a base of that table, for types that measure it, as DoRA does.
   *
   * @param table [v, d]
   * @param owner of the arrays made
   */
  default EmbeddingAdapter over(NDArray table, NDManager owner) {
    return this;
  }

  /**
   * Whether it surely changes nothing, as before any training: {@code output(ids, y) = y} for every
   * ids. Types that cannot tell say no.
   */
  default boolean isNothing() {
    return false;
  }

  /** The same change with its contribution scaled, for types that say they can be. */
  default EmbeddingAdapter scaled(double factor) {
    throw new IllegalStateException("this change cannot be scaled");
  }
}
