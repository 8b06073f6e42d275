package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;
import dev.medley.tensor.Kernels;

/**
 * A gated linear unit between two maps (arXiv 2002.05202).
 *
 * @param gate [intermediate, h]
 * @param up [intermediate, h]
 * @param down [h, intermediate]
 */
public record GatedMlp(Linear gate, Activation activation, Linear up, Linear down) implements Mlp {

  /** HF's {@code mlp.gate_proj}, {@code mlp.up_proj} and {@code mlp.down_proj}, without biases. */
  public static GatedMlp of(Scope layer, long h, long intermediate, Activation activation) {
    return new GatedMlp(
        layer.projection("mlp.gate_proj", intermediate, h),
        activation,
        layer.projection("mlp.up_proj", intermediate, h),
        layer.projection("mlp.down_proj", h, intermediate));
  }

  @Override
  public NDArray forward(NDArray x, RowGroups rows) {
    NDArray open = activation.into(gate.forward(x, rows)); // [n, intermediate]
    Kernels.scaleInto(open, up.forward(x, rows));
    return down.forward(open, rows); // [n, h]
  }
}
