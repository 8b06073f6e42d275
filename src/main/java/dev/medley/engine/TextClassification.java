package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.model.Head;
import dev.medley.model.Labels;
import dev.medley.model.Labels.ProblemType;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A label a row: HF's {@code text-classification}.
 *
 * @param topK how many of the scores to keep, the best; 0 for all
 * @param function what makes scores of logits
 */
public record TextClassification(int topK, Function function) implements OnePass {
  /** All scores, by the function that HF chooses. */
  public static final TextClassification AUTO = new TextClassification(0, Function.AUTO);

  /** HF's {@code function_to_apply}. */
  public enum Function {
    /**
     * As HF chooses: none for regression, sigmoid for multi-label problems and single outputs, else
     * softmax.
     */
    AUTO,
    SOFTMAX,
    SIGMOID,
    /** Raw logits. */
    NONE;

    private Function resolve(ProblemType type, int outputs) {
      if (this != AUTO) {
        return this;
      }
      if (type == ProblemType.REGRESSION) {
        return NONE;
      }
      return type == ProblemType.MULTI_LABEL_CLASSIFICATION || outputs == 1 ? SIGMOID : SOFTMAX;
    }
  }

  /** Throws IllegalArgumentException for a negative number. */
  public TextClassification {
    if (topK < 0) {
      throw new IllegalArgumentException("top-k: expected a positive number, got " + topK);
    }
  }

  @Override
  public String pipeline() {
    return "text-classification";
  }

  @Override
  public Head head() {
    return Head.SEQUENCE;
  }

  @Override
  public List<Prediction> predict(Forward forward, NDArray hidden) {
    List<Prediction> predictions = new ArrayList<>();
    for (Slice slice : forward.rows().slices()) {
      NDArray part = Kernels.rows(hidden, slice.start(), slice.size());
      NDArray logits = forward.logits(part, slice); // [m, labels]
      int outputs = (int) logits.getShape().get(1);
      Labels labels = forward.labels(slice.set());
      List<String> names = labels.forOutputs(outputs);
      Function resolved = function.resolve(labels.problemType(), outputs);
      float[] flat = Kernels.to(logits, Precision.FLOAT32).toFloatArray();
      for (int at = 0; at < flat.length; at += outputs) {
        predictions.add(
            Forward.areFinite(flat, at, at + outputs)
                ? classify(scores(flat, at, outputs, resolved), names)
                : null);
      }
    }
    return predictions;
  }

  static float[] scores(float[] logits, int from, int length, Function function) {
    float[] row = Arrays.copyOfRange(logits, from, from + length);
    switch (function) {
      case SOFTMAX -> softmax(row);
      case SIGMOID -> {
        for (int i = 0; i < row.length; i++) {
          row[i] = (float) (1 / (1 + Math.exp(-row[i])));
        }
      }
      default -> {}
    }
    return row;
  }

  private static void softmax(float[] row) {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : row) {
      max = Math.max(max, logit);
    }
    double sum = 0;
    for (float logit : row) {
      sum += Math.exp(logit - max);
    }
    for (int i = 0; i < row.length; i++) {
      row[i] = (float) (Math.exp(row[i] - max) / sum);
    }
  }

  private Classification classify(float[] scores, List<String> names) {
    List<Integer> best =
        IntStream.range(0, scores.length)
            .boxed()
            .sorted(Comparator.comparing((Integer i) -> scores[i]).reversed())
            .toList();
    List<LabelScore> kept =
        best.stream()
            .limit(topK == 0 ? scores.length : topK)
            .sorted()
            .map(i -> new LabelScore(names.get(i), scores[i]))
            .toList();
    return new Classification(names.get(best.get(0)), scores[best.get(0)], kept);
  }
}
