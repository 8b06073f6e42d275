package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import dev.medley.adapter.RowGroups;
import dev.medley.tensor.Kernels;

/**
 * A transformer layer that normalises after each residual sum (arXiv 1706.03762), as BERT and those
 * who came after it have it under different names.
 *
 * @param heads number of attention heads
 * @param query like key, value and output [h, h]
 * @param up [intermediate, h]
 * @param down [h, intermediate]
 */
public record EncoderLayer(
    int heads,
    Linear query,
    Linear key,
    Linear value,
    Linear output,
    LayerNorm attentionNorm,
    Linear up,
    Activation activation,
    Linear down,
    LayerNorm norm) {

  /**
   * One layer.
   *
   * @param x tokens of all rows side by side [n, h]
   * @param runs of rows of one length, as {@link Kernels#attention} takes them
   * @param rows slices of the tokens
   * @return [n, h]
   */
  public NDArray forward(NDArray x, long[] runs, RowGroups rows) {
    try (NDScope scope = new NDScope()) { // frees all but the result
      scope.suppressNotUsedWarning();
      NDArray q = query.forward(x, rows);
      NDArray k = key.forward(x, rows);
      NDArray v = value.forward(x, rows);
      NDArray mixed = Kernels.attention(q, k, v, runs, heads); // [n, h]
      NDArray seen = output.forward(mixed, rows);
      Kernels.addInto(seen, x, 1);
      x = attentionNorm.forward(seen, rows);
      NDArray wide = activation.into(up.forward(x, rows)); // [n, intermediate]
      NDArray narrow = down.forward(wide, rows);
      Kernels.addInto(narrow, x, 1);
      NDArray y = norm.forward(narrow, rows);
      NDScope.unregister(y);
      return y;
    }
  }
}
