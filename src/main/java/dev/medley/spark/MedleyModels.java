package dev.medley.spark;

import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.SparkSession;

/**
 * Names for models that SQL and {@link MedleyFunctions} may use.
 *
 * <pre>{@code
 * MedleyModels.register(spark, "support",
 *     new TextClassifier().setModel("bert").addAdapter("topic", "adapters/topic"));
 * spark.sql("select medley_classify('support', text, adapter).label from tickets");
 * }</pre>
 *
 * <p>Without code, Spark's configuration names models: {@code spark.medley.model.support.base} and
 * so on, see the guide.
 */
public final class MedleyModels {
  private MedleyModels() {}

  /**
   * Gives a model a name in this session, in place of any that has it. What the transformer says at
   * this time counts, but for columns, which a call names itself. Its files are read when a query
   * is analysed.
   *
   * @param name of a-z, 0-9, _ and -
   * @param model one of Medley's transformers, with a model
   * @throws IllegalArgumentException for another name or transformer
   */
  public static void register(SparkSession session, String name, Transformer model) {
    if (!(model instanceof TextTransformer<?> ours)) {
      throw new IllegalArgumentException(
          "model "
              + name
              + ": expected a TextEmbedder, TextClassifier, TokenClassifier, TextGenerator or"
              + " TextScorer, got "
              + model.getClass().getName());
    }
    if (ours.getModel() == null || ours.getModel().isBlank()) {
      throw new IllegalArgumentException(
          "model " + name + ": expected a transformer with a model, found none; call setModel");
    }
    new SessionModels(session).register(name, ours);
  }
}
