package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;

/** What each token makes of itself. */
public interface Mlp {
  /** x [n, h] → [n, h]; {@code rows} are slices of the tokens */
  NDArray forward(NDArray x, RowGroups rows);
}
