package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.functions;

/**
 * SQL's functions as columns of the Dataset API, computed in batches as they are. Models are named
 * as {@link MedleyModels} has them.
 *
 * <pre>{@code
 * tickets.withColumn("label", MedleyFunctions.classify("support", col("text"), col("adapter")));
 * }</pre>
 *
 * <p>A row in error fails the query where its prediction is asked for; what {@code try…} gives is a
 * struct of {@code prediction} and {@code prediction_error}. A null text has a null prediction.
 */
public final class MedleyFunctions {
  private MedleyFunctions() {}

  /** {@code array<float>}, under the base alone. */
  public static Column embed(String model, Column text) {
    return call(SqlFunction.EMBED, OnError.FAIL, model, text);
  }

  /** {@code array<float>}. */
  public static Column embed(String model, Column text, Column adapter) {
    return call(SqlFunction.EMBED, OnError.FAIL, model, text, adapter);
  }

  /** {@link #embed} with errors in place of predictions. */
  public static Column tryEmbed(String model, Column text, Column adapter) {
    return call(SqlFunction.EMBED, OnError.ROW, model, text, adapter);
  }

  /** Label, score and scores, as {@link TextClassifier} gives them, under the base alone. */
  public static Column classify(String model, Column text) {
    return call(SqlFunction.CLASSIFY, OnError.FAIL, model, text);
  }

  /** Label, score and scores, as {@link TextClassifier} gives them. */
  public static Column classify(String model, Column text, Column adapter) {
    return call(SqlFunction.CLASSIFY, OnError.FAIL, model, text, adapter);
  }

  /** {@link #classify} with errors in place of predictions. */
  public static Column tryClassify(String model, Column text, Column adapter) {
    return call(SqlFunction.CLASSIFY, OnError.ROW, model, text, adapter);
  }

  /** Labelled tokens, as {@link TokenClassifier} gives them, under the base alone. */
  public static Column classifyTokens(String model, Column text) {
    return call(SqlFunction.CLASSIFY_TOKENS, OnError.FAIL, model, text);
  }

  /** Labelled tokens, as {@link TokenClassifier} gives them. */
  public static Column classifyTokens(String model, Column text, Column adapter) {
    return call(SqlFunction.CLASSIFY_TOKENS, OnError.FAIL, model, text, adapter);
  }

  /** {@link #classifyTokens} with errors in place of predictions. */
  public static Column tryClassifyTokens(String model, Column text, Column adapter) {
    return call(SqlFunction.CLASSIFY_TOKENS, OnError.ROW, model, text, adapter);
  }

  /**
   * The continuation of a prompt, or the answer in a chat, as {@link TextGenerator} gives it, under
   * the base alone.
   */
  public static Column generate(String model, Column textOrMessages) {
    return call(SqlFunction.GENERATE, OnError.FAIL, model, textOrMessages);
  }

  /** The continuation of a prompt, or the answer in a chat, as {@link TextGenerator} gives it. */
  public static Column generate(String model, Column textOrMessages, Column adapter) {
    return call(SqlFunction.GENERATE, OnError.FAIL, model, textOrMessages, adapter);
  }

  /** The same with a seed for each row. */
  public static Column generate(String model, Column textOrMessages, Column adapter, Column seed) {
    return call(SqlFunction.GENERATE, OnError.FAIL, model, textOrMessages, adapter, seed);
  }

  /** {@link #generate} with errors in place of predictions. */
  public static Column tryGenerate(String model, Column textOrMessages, Column adapter) {
    return call(SqlFunction.GENERATE, OnError.ROW, model, textOrMessages, adapter);
  }

  /** The same with a seed for each row. */
  public static Column tryGenerate(
      String model, Column textOrMessages, Column adapter, Column seed) {
    return call(SqlFunction.GENERATE, OnError.ROW, model, textOrMessages, adapter, seed);
  }

  /** How likely a text is, as {@link TextScorer} says. */
  public static Column logLikelihood(String model, Column text, Column adapter) {
    return call(SqlFunction.LOG_LIKELIHOOD, OnError.FAIL, model, text, adapter);
  }

  /** How likely a completion is after a prompt, as {@link TextScorer} says. */
  public static Column logLikelihood(
      String model, Column prompt, Column adapter, Column completion) {
    return call(SqlFunction.LOG_LIKELIHOOD, OnError.FAIL, model, prompt, adapter, completion);
  }

  /** {@link #logLikelihood} with errors in place of predictions. */
  public static Column tryLogLikelihood(
      String model, Column prompt, Column adapter, Column completion) {
    return call(SqlFunction.LOG_LIKELIHOOD, OnError.ROW, model, prompt, adapter, completion);
  }

  private static Column call(
      SqlFunction function, OnError onError, String model, Column... inputs) {
    List<Expression> arguments =
        new ArrayList<>(List.of(Catalyst.expression(functions.lit(model))));
    for (Column input : inputs) {
      arguments.add(Catalyst.expression(input));
    }
    return Catalyst.column(new ModelCall(function, onError, null, ScalaLists.of(arguments)));
  }
}
