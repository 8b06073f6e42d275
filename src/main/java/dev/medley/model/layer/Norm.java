package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;

/** A normalisation of vectors, for rows of many adapter sets. */
public interface Norm {
  /** x [n, …, d] → the same shape; {@code rows} are slices of the first axis. */
  NDArray forward(NDArray x, RowGroups rows);
}
