package dev.medley.engine;

import java.util.List;

/** What a task says of one row. */
public sealed interface Prediction {

  /** Of {@link FeatureExtraction}: [h]. */
  record Embedding(float[] values) implements Prediction {}

  /**
   * Of {@link TextClassification}.
   *
   * @param label the best
   * @param score its score
   * @param scores in the order of label ids
   */
  record Classification(String label, float score, List<LabelScore> scores) implements Prediction {}

  /** One label's score. */
  record LabelScore(String label, float score) {}

  /** Of {@link TokenClassification}, in the order of the text. */
  record Entities(List<Entity> entities) implements Prediction {}

  /**
   * One labelled token.
   *
   * @param word the token as the vocabulary has it, such as {@code ##ing}, and the text itself
   *     where the vocabulary has none
   * @param start first character, counted in Unicode code points
   * @param end one after the last character
   */
  record Entity(String word, String label, float score, int start, int end) {}

  /**
   * Of {@link TextScoring}.
   *
   * @param logLikelihood sum of {@code logProbs}
   * @param perplexity e to the power of −logLikelihood / tokens
   * @param tokens the ids that are scored
   * @param logProbs natural logarithm of each token's probability after those before it
   * @param isGreedy whether every token is the likeliest there, as greedy generation would have it
   */
  record Likelihood(
      double logLikelihood, double perplexity, int[] tokens, float[] logProbs, boolean isGreedy)
      implements Prediction {}

  /**
   * Of {@link TextGeneration}.
   *
   * @param text the continuation without the prompt, without special tokens and cut before a stop
   *     string. The prompt's text and this one are the text of all tokens
   * @param tokens every id that was generated, also those of a stop string and the one that ended
   *     the text
   * @param promptTokens how many the prompt has, special ones included
   * @param generatedTokens how many {@code tokens} are
   */
  record Generation(
      String text, int[] tokens, FinishReason finishReason, int promptTokens, int generatedTokens)
      implements Prediction {}
}
