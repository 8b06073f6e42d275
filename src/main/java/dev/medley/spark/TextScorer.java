package dev.medley.spark;

import dev.medley.engine.TextScoring;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Adds a column with how likely a decoder finds a completion after a prompt, or a text by itself,
 * {@code struct<log_likelihood:double, perplexity:double, tokens:array<int>,
 * log_probs:array<float>, is_greedy:boolean>}: lm-evaluation-harness's {@code loglikelihood}, each
 * row under its own adapter. No text is cut: one that is too long is an error, whatever {@code
 * truncation} says.
 */
public final class TextScorer extends TextTransformer<TextScorer> {
  private static final long serialVersionUID = 1L;

  private final Param<String> completionCol;

  public TextScorer() {
    this(randomUid("textScorer"));
  }

  /** With the name that a saved one has. */
  public TextScorer(String uid) {
    super(uid);
    completionCol =
        new Param<>(
            this,
            "completionCol",
            "column with what is scored after the prompt: string; none for the whole text");
    setDefaults();
  }

  public Param<String> completionCol() {
    return completionCol;
  }

  /**
   * Column with what is scored after the prompt, which the input column has then. Its blanks are
   * its own: a completion usually begins with one.
   */
  public TextScorer setCompletionCol(String column) {
    return with(completionCol, column);
  }

  /** Null for none. */
  public String getCompletionCol() {
    return orNull(completionCol);
  }

  /** {@link #transform} by a verb, as DJL's Spark extension has them. */
  public Dataset<Row> score(Dataset<?> rows) {
    return transform(rows);
  }

  @Override
  TextScoring task() {
    return TextScoring.AUTO;
  }

  @Override
  ScoringColumns columns() {
    return super.columns().withCompletion(getCompletionCol());
  }

  @Override
  TextScorer self() {
    return this;
  }

  public static MLReader<TextScorer> read() {
    return new DefaultParamsReader<>();
  }

  public static TextScorer load(String path) {
    return read().load(path);
  }
}
