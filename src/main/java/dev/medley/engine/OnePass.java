package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import java.util.List;

/** A task that one forward pass of a row answers. */
public sealed interface OnePass extends Task
    permits FeatureExtraction, TextClassification, TokenClassification, TextScoring {
  /**
   * Predictions of a batch, null for a row of which the model computed NaN or infinity.
   *
   * @param hidden last hidden state [n, t, h]
   */
  List<Prediction> predict(Forward forward, NDArray hidden);
}
