package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import dev.medley.model.Head;
import dev.medley.model.Pooling;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One vector a row: HF's {@code feature-extraction} with sentence-transformers' pooling.
 *
 * @param pooling null for what sentence-transformers' files beside the model say, else mean
 * @param normalize to length 1; null for what those files say, else no
 */
public record FeatureExtraction(Pooling pooling, Boolean normalize) implements OnePass {
  /** As sentence-transformers' files say. */
  public static final FeatureExtraction AUTO = new FeatureExtraction(null, null);

  @Override
  public String pipeline() {
    return "feature-extraction";
  }

  @Override
  public Head head() {
    return Head.NONE;
  }

  @Override
  public List<Prediction> predict(Forward forward, NDArray hidden) {
    SentenceFiles files = forward.base().sentenceFiles();
    Pooling how = pooling == null ? files.pooling() : pooling;
    NDArray pooled = how.pool(hidden, forward.tokens()); // [n, h]
    if (normalize == null ? files.normalize() : normalize) {
      pooled = Kernels.normalize(pooled);
    }
    int width = (int) pooled.getShape().get(1);
    float[] flat = Kernels.to(pooled, Precision.FLOAT32).toFloatArray();
    List<Prediction> predictions = new ArrayList<>();
    for (int at = 0; at < flat.length; at += width) {
      predictions.add(
          Forward.areFinite(flat, at, at + width)
              ? new Prediction.Embedding(Arrays.copyOfRange(flat, at, at + width))
              : null);
    }
    return predictions;
  }
}
