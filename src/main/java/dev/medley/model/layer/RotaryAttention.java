package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;

/**
 * Attention with rotary positions.
 *
 * @param layer its number
 * @param q [heads·d, h]
 * @param k [kvHeads·d, h], like v
 * @param o [h, heads·d]
 * @param qNorm over each head's queries; null for none
 * @param kNorm over each head's keys; null for none
 */
public record RotaryAttention(
    int layer,
    Heads heads,
    Rope rope,
    Linear q,
    Linear k,
    Linear v,
    Linear o,
    RmsNorm qNorm,
    RmsNorm kNorm)
    implements Attention {

  @Override
  public NDArray forward(NDArray x, CausalBatch batch, RowGroups rows) {
    NDArray queries = q.forward(x, rows); // [n, heads·d]
    NDArray keys = k.forward(x, rows); // [n, kvHeads·d]
    if (qNorm != null) {
      queries = qNorm.forwardHeads(queries, rows);
      keys = kNorm.forwardHeads(keys, rows);
    }
    queries = rope.turn(queries, batch, heads.query());
    keys = rope.turn(keys, batch, heads.keyValue());
    return o.forward(batch.attend(layer, queries, keys, v.forward(x, rows), heads), rows);
  }
}
