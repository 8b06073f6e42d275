package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/** A task by its name in SQL: a function that fails at a row in error, and one that tries. */
enum SqlFunction {
  EMBED("medley_embed", FeatureExtraction.AUTO, TextEmbedder::new),
  CLASSIFY("medley_classify", TextClassification.AUTO, TextClassifier::new),
  CLASSIFY_TOKENS("medley_classify_tokens", TokenClassification.AUTO, TokenClassifier::new),
  GENERATE("medley_generate", TextGeneration.AUTO, TextGenerator::new, "seed"),
  LOG_LIKELIHOOD("medley_log_likelihood", TextScoring.AUTO, TextScorer::new, "completion");

  private final String sqlName;
  private final String pipeline;
  private final DataType type;
  private final Supplier<TextTransformer<?>> transformer;
  private final List<String> roles;

  SqlFunction(
      String sqlName, Task task, Supplier<TextTransformer<?>> transformer, String... furtherRoles) {
    this.sqlName = sqlName;
    this.pipeline = task.pipeline();
    this.type = PredictionColumns.type(task);
    this.transformer = transformer;
    String[] all = Arrays.copyOf(new String[] {"text", "adapter"}, 2 + furtherRoles.length);
    System.arraycopy(furtherRoles, 0, all, 2, furtherRoles.length);
    this.roles = List.of(all);
  }

  /** That of a task. */
  static SqlFunction of(Task task) {
    return Arrays.stream(values())
        .filter(each -> each.pipeline.equals(task.pipeline()))
        .findFirst()
        .orElseThrow();
  }

  /** As in {@code select medley_embed(…)}; {@code try_medley_embed} where a row is to be tried. */
  String sqlName(OnError onError) {
    return onError == OnError.ROW ? "try_" + sqlName : sqlName;
  }

  /** HF's name of the task. */
  String pipeline() {
    return pipeline;
  }

  /** Of a prediction; where a row is tried, a struct of that and its error. */
  DataType type(OnError onError) {
    return onError == OnError.FAIL
        ? type
        : new StructType()
            .add("prediction", type, true)
            .add("prediction_error", PredictionColumns.ERROR, true);
  }

  /** What the arguments after the model are, the first of them required. */
  List<String> roles() {
    return roles;
  }

  /** What an argument is, by its place after the model and its type. */
  String role(int place, DataType type) {
    return this == GENERATE && place == 0 && type instanceof ArrayType
        ? "messages"
        : roles.get(place);
  }

  /** All of it, as a caller writes it. */
  String usage(OnError onError) {
    String first = this == GENERATE ? "text or messages" : "text";
    return sqlName(onError)
        + "(model, "
        + first
        + "[, "
        + String.join("[, ", roles.subList(1, roles.size()))
        + "]".repeat(roles.size() - 1)
        + ")";
  }

  /** One of the task's, with its defaults. */
  TextTransformer<?> transformer() {
    return transformer.get();
  }
}
