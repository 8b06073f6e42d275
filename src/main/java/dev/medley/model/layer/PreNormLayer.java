package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import dev.medley.adapter.RowGroups;
import dev.medley.tensor.Kernels;

/** A layer that normalises what goes into each of its halves, as GPT-2 and Llama have it. */
public record PreNormLayer(Norm attentionNorm, Attention attention, Norm mlpNorm, Mlp mlp)
    implements DecoderLayer {

  @Override
  public NDArray forward(NDArray x, CausalBatch batch, RowGroups rows) {
    try (NDScope scope = new NDScope()) { // frees all but the result
      scope.suppressNotUsedWarning();
      NDArray y = attention.forward(attentionNorm.forward(x, rows), batch, rows);
      Kernels.addInto(y, x, 1);
      NDArray z = mlp.forward(mlpNorm.forward(y, rows), rows);
      Kernels.addInto(z, y, 1);
      NDScope.unregister(z);
      return z;
    }
  }

  @Override
  public Heads heads() {
    return attention.heads();
  }
}
