package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.tensor.Kernels;

/** Division by the root of the mean square (arXiv 1910.07467) for rows of many adapter sets. */
public final class RmsNorm implements Norm {
  /** What a weight of 0 means. */
  public enum Gain {
    /** y = weight·x̂, as in Llama. */
    WEIGHT,
    /** y = (1 + weight)·x̂, as in Gemma. */
    ONE_PLUS_WEIGHT
  }

  private final String weightName;
  private final NDArray weight; // [d]
  private final double eps;
  private final Gain gain;

  RmsNorm(Module module, NDArray weight, double eps, Gain gain) {
    this.weightName = module.parameter("weight");
    this.weight = weight;
    this.eps = eps;
    this.gain = gain;
  }

  @Override
  public NDArray forward(NDArray x, RowGroups rows) {
    NDArray y = normalised(x, weight);
    for (Slice slice : rows.slices()) {
      NDArray own = slice.set().parameter(weightName);
      if (own != null) {
        NDArray part = Kernels.rows(x, slice.start(), slice.size());
        Kernels.copyInto(Kernels.rows(y, slice.start(), slice.size()), normalised(part, own));
      }
    }
    return y;
  }

  /** Each head's share of the vectors by itself. x [n, heads·d] → [n, heads·d] */
  public NDArray forwardHeads(NDArray x, RowGroups rows) {
    long d = weight.getShape().get(0);
    return Kernels.joined(forward(Kernels.split(x, d), rows)); // [n, heads, d]
  }

  private NDArray normalised(NDArray x, NDArray by) {
    return gain == Gain.WEIGHT ? Kernels.rmsNorm(x, by, eps) : Kernels.rmsNormOffset(x, by, eps);
  }
}
