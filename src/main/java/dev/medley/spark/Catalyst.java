package dev.medley.spark;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.internal.SessionState;

/** The few doors to Spark's inside that are elsewhere, or have another shape, in later versions. */
final class Catalyst {
  private Catalyst() {}

  static SessionState state(SparkSession session) {
    return session.sessionState();
  }

  static Column column(Expression expression) {
    return new Column(expression);
  }

  static Expression expression(Column column) {
    return column.expr();
  }

  /** The same groups with other results. */
  static Aggregate with(Aggregate aggregate, List<NamedExpression> results) {
    return new Aggregate(
        aggregate.groupingExpressions(), ScalaLists.of(results), aggregate.child());
  }
}
