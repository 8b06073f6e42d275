package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.engine.Prediction.Entities;
import dev.medley.engine.Prediction.Entity;
import dev.medley.model.Head;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.List;

/**
 * A label a token: HF's {@code token-classification} without aggregation.
 *
 * @param ignoreLabels tokens of these labels are left out; HF's default is O alone
 */
public record TokenClassification(List<String> ignoreLabels) implements OnePass {
  /** Leaves out tokens labelled O. */
  public static final TokenClassification AUTO = new TokenClassification(List.of("O"));

  @Override
  public String pipeline() {
    return "token-classification";
  }

  @Override
  public Head head() {
    return Head.TOKEN;
  }

  @Override
  public List<Prediction> predict(Forward forward, NDArray hidden) {
    List<Prediction> predictions = new ArrayList<>();
    for (Slice slice : forward.rows().slices()) {
      NDArray part = Kernels.rows(hidden, slice.start(), slice.size());
      NDArray logits = forward.logits(part, slice); // [m, t, labels]
      int width = (int) logits.getShape().get(1);
      int outputs = (int) logits.getShape().get(2);
      List<String> names = forward.labels(slice.set()).forOutputs(outputs);
      float[] flat = Kernels.to(logits, Precision.FLOAT32).toFloatArray();
      for (int row = slice.start(); row < slice.end(); row++) {
        int at = (row - slice.start()) * width * outputs;
        Tokens tokens = forward.encoded().get(row);
        predictions.add(
            Forward.areFinite(flat, at, at + tokens.ids().length * outputs)
                ? entities(tokens, flat, at, outputs, names)
                : null);
      }
    }
    return predictions;
  }

  private Entities entities(
      Tokens tokens, float[] logits, int at, int outputs, List<String> names) {
    List<Entity> entities = new ArrayList<>();
    for (int t = 0; t < tokens.ids().length; t++) {
      if (tokens.special()[t]) {
        continue;
      }
      float[] scores =
          TextClassification.scores(
              logits, at + t * outputs, outputs, TextClassification.Function.SOFTMAX);
      int best = 0;
      for (int label = 1; label < outputs; label++) {
        best = scores[label] > scores[best] ? label : best;
      }
      if (!ignoreLabels.contains(names.get(best))) {
        entities.add(
            new Entity(
                tokens.words()[t],
                names.get(best),
                scores[best],
                tokens.starts()[t],
                tokens.ends()[t]));
      }
    }
    return new Entities(entities);
  }
}
