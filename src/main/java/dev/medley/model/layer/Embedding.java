package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.EmbeddingAdapter;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.tensor.Kernels;

/** A table of vectors, looked up by id, for rows of many adapter sets. */
public final class Embedding {
  private final Module module;
  private final String path;
  private final String weightName;
  private final NDArray weight; // [v, d]

  Embedding(Module module, NDArray weight) {
    this.module = module;
    this.path = module.path();
    this.weightName = module.parameter("weight");
    this.weight = weight;
  }

  Module module() {
    return module;
  }

  NDArray weight() {
    return weight;
  }

  /** ids [n, …] → [n, …, d]; {@code rows} are slices of the first axis. */
  public NDArray forward(NDArray ids, RowGroups rows) {
    NDArray y = Kernels.embedding(ids, weight);
    for (Slice slice : rows.slices()) {
      AdapterSet set = slice.set();
      NDArray own = set.parameter(weightName);
      EmbeddingAdapter adapter = set.embedding(path);
      if (own == null && adapter == null) {
        continue;
      }
      NDArray sliceIds = Kernels.rows(ids, slice.start(), slice.size());
      NDArray part = Kernels.rows(y, slice.start(), slice.size());
      if (own != null) {
        Kernels.copyInto(part, Kernels.embedding(sliceIds, own));
      }
      if (adapter != null) {
        NDArray output = adapter.output(sliceIds, part);
        if (output != part) {
          Kernels.copyInto(part, output);
        }
      }
    }
    return y;
  }
}
