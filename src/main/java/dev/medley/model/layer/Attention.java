package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;

/** What tokens take from those before them. */
public interface Attention {
  /** x [n, h] → [n, h]; {@code rows} are slices of the tokens */
  NDArray forward(NDArray x, CausalBatch batch, RowGroups rows);

  /** How it attends. */
  Heads heads();
}
