package dev.medley.spark;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.CollectMetrics;
import org.apache.spark.sql.catalyst.plans.logical.Expand;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Generate;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionByExpression;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.plans.logical.Window;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** Refuses calls that stand where rows cannot be scored in batches, once a query is analysed. */
final class CheckModelCalls extends AbstractFunction1<LogicalPlan, BoxedUnit> {
  /** Nodes with one child whose rows can be scored before they get there. */
  private static final List<Class<?>> FIT =
      List.of(
          Aggregate.class,
          CollectMetrics.class,
          Expand.class,
          Filter.class,
          Generate.class,
          Project.class,
          RepartitionByExpression.class,
          Score.class,
          Sort.class,
          Window.class);

  @Override
  public BoxedUnit apply(LogicalPlan plan) {
    ScalaLists.<LogicalPlan>java(plan.children()).forEach(this::apply);
    ScalaLists.<Expression>java(plan.expressions()).forEach(each -> check(each, plan));
    return BoxedUnit.UNIT;
  }

  /** Whether calls may stand in a node. */
  static boolean fits(LogicalPlan node) {
    return FIT.stream().anyMatch(type -> type.isInstance(node));
  }

  private void check(Expression expression, LogicalPlan node) {
    if (expression instanceof ModelCall call) {
      checkPlace(call, node);
    }
    if (expression instanceof LambdaFunction function) {
      checkNone(
          function.function(),
          "a lambda function, whose elements are no rows; explode the array first");
    }
    if (expression instanceof SubqueryExpression subquery) {
      LogicalPlan plan = subquery.plan();
      if (subquery.isCorrelated()) {
        checkNone(plan);
      }
      apply(plan);
    }
    ScalaLists.<Expression>java(expression.children()).forEach(each -> check(each, node));
  }

  private static void checkPlace(ModelCall call, LogicalPlan node) {
    if (node instanceof Join) {
      throw refused(
          call, "a join condition; compute it in a subquery of the side that has the text");
    }
    if (!fits(node)) {
      throw refused(call, node.nodeName() + "; compute it in a subquery");
    }
    for (Expression input : call.inputs()) {
      if (!input.deterministic()) {
        throw AnalysisErrors.at(
            call.origin(),
            call.sqlName()
                + ": expected arguments that are the same each time, found "
                + input.sql()
                + "; give it a name in a subquery, and that to the function");
      }
    }
  }

  private static void checkNone(LogicalPlan plan) {
    ScalaLists.<LogicalPlan>java(plan.children()).forEach(CheckModelCalls::checkNone);
    for (Expression each : ScalaLists.<Expression>java(plan.expressions())) {
      checkNone(each, "a correlated subquery; join instead");
    }
  }

  private static void checkNone(Expression expression, String place) {
    if (expression instanceof ModelCall call) {
      throw refused(call, place);
    }
    ScalaLists.<Expression>java(expression.children()).forEach(each -> checkNone(each, place));
  }

  private static RuntimeException refused(ModelCall call, String place) {
    return AnalysisErrors.at(call.origin(), call.sqlName() + ": cannot be used in " + place);
  }
}
