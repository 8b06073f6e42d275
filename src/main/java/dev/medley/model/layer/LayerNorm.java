package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.tensor.Kernels;

/** Layer normalisation (arXiv 1607.06450) for rows of many adapter sets. */
public final class LayerNorm implements Norm {
  private final String weightName;
  private final String biasName;
  private final NDArray weight; // [d]
  private final NDArray bias; // [d]
  private final double eps;

  LayerNorm(Module module, NDArray weight, NDArray bias, double eps) {
    this.weightName = module.parameter("weight");
    this.biasName = module.parameter("bias");
    this.weight = weight;
    this.bias = bias;
    this.eps = eps;
  }

  @Override
  public NDArray forward(NDArray x, RowGroups rows) {
    NDArray y = Kernels.layerNorm(x, weight, bias, eps);
    for (Slice slice : rows.slices()) {
      AdapterSet set = slice.set();
      NDArray ownWeight = set.parameter(weightName);
      NDArray ownBias = set.parameter(biasName);
      if (ownWeight != null || ownBias != null) {
        NDArray part = Kernels.rows(x, slice.start(), slice.size());
        NDArray own =
            Kernels.layerNorm(
                part,
                ownWeight == null ? weight : ownWeight,
                ownBias == null ? bias : ownBias,
                eps);
        Kernels.copyInto(Kernels.rows(y, slice.start(), slice.size()), own);
      }
    }
    return y;
  }
}
