package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.SparkSessionExtensionsProvider;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * Medley's functions in SQL: {@code medley_embed}, {@code medley_classify}, {@code
 * medley_classify_tokens}, {@code medley_generate} and {@code medley_log_likelihood}, each also as
 * {@code try_medley_…}, and the table function {@code medley_score}.
 *
 * <p>Sessions that are made while Medley's jar is on the class path have them; {@code
 * spark.sql.extensions=dev.medley.spark.MedleyExtensions} says so where Spark does not look.
 */
public final class MedleyExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit>
    implements SparkSessionExtensionsProvider {

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    for (SqlFunction function : SqlFunction.values()) {
      for (OnError onError : OnError.values()) {
        String name = function.sqlName(onError);
        extensions.injectFunction(
            new Tuple3<>(
                new FunctionIdentifier(name),
                info(name, function.usage(onError) + " - " + says(function, onError)),
                arguments -> new ModelCall(function, onError, null, arguments)));
      }
    }
    extensions.injectTableFunction(
        new Tuple3<>(
            new FunctionIdentifier(MedleyScoreFunction.NAME),
            info(MedleyScoreFunction.NAME, "all columns of a view, with a model's predictions"),
            arguments ->
                MedleyScoreFunction.of(SparkSession.active(), ScalaLists.java(arguments))));
    extensions.injectResolutionRule(ResolveModelCalls::new);
    extensions.injectPostHocResolutionRule(session -> new ExtractModelCalls());
    extensions.injectOptimizerRule(session -> new PushThroughScore());
    extensions.injectPlannerStrategy(session -> new ScoreStrategy());
    return BoxedUnit.UNIT;
  }

  private static String says(SqlFunction function, OnError onError) {
    return onError == OnError.FAIL
        ? function.pipeline() + " by a registered model, each row under its adapter"
        : "struct of prediction and prediction_error, which a row in error has in its place";
  }

  private static ExpressionInfo info(String name, String usage) {
    return new ExpressionInfo(
        MedleyExtensions.class.getName(), null, name, usage, "", "", "", "", "", "", "");
  }
}
