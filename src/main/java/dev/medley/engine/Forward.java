package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.model.Labels;
import dev.medley.model.TokenBatch;
import java.util.List;
import java.util.Map;

/**
 * What a task needs to know of the batch whose hidden state it is given.
 *
 * @param encoded each row's tokens
 * @param headLabels of the sets that bring their own head
 */
record Forward(
    BaseModel base,
    TokenBatch tokens,
    List<Tokens> encoded,
    RowGroups rows,
    Map<AdapterSet, Labels> headLabels) {

  /** Whether none of the values from one place up to another is NaN or infinite. */
  static boolean areFinite(float[] values, int from, int to) {
    for (int i = from; i < to; i++) {
      if (!Float.isFinite(values[i])) {
        return false;
      }
    }
    return true;
  }

  /** The head over the rows of a slice. part [m, t, h] → [m, labels] or [m, t, labels] */
  NDArray logits(NDArray part, Slice slice) {
    List<long[]> ids = tokens.unpadded().subList(slice.start(), slice.end());
    return base.model().logits(part, ids, slice.set());
  }

  /**
   * Labels of a set's head: its own, completed by the base's. As in transformers, a head whose
   * number of labels is the base's and that has no names takes the base's.
   */
  Labels labels(AdapterSet set) {
    Labels base = this.base.model().labels();
    Labels own = headLabels.getOrDefault(set, Labels.NONE);
    return new Labels(
        own.names().isEmpty() ? base.names() : own.names(),
        own.problemType() == null ? base.problemType() : own.problemType());
  }
}
