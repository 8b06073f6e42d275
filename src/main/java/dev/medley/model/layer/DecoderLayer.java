package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;

/** A layer of a causal transformer. */
public interface DecoderLayer {
  /**
   * One layer.
   *
   * @param x [n, h], tokens side by side
   * @param rows slices of the tokens
   * @return [n, h]
   */
  NDArray forward(NDArray x, CausalBatch batch, RowGroups rows);

  /** How it attends. */
  Heads heads();
}
