package dev.medley.spark;

import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.SparkStrategy;
import scala.collection.immutable.List;

/** Runs {@link Score} as {@link ScoreExec}. */
final class ScoreStrategy extends SparkStrategy {
  private static final long serialVersionUID = 1L;

  @Override
  public List<SparkPlan> apply(LogicalPlan plan) {
    return plan instanceof Score score
        ? ScalaLists.one(score.over(planLater(score.child())))
        : ScalaLists.of(java.util.List.of());
  }
}
