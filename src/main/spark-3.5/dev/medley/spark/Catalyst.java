package dev.medley.spark;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.execution.datasources.DataSourceUtils;
import org.apache.spark.sql.execution.datasources.FileFormat;
import org.apache.spark.sql.internal.SessionState;
import org.apache.spark.sql.types.StructType;

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

  /** Throws AnalysisException where a format cannot hold the columns. */
  static void verify(FileFormat format, StructType columns) {
    DataSourceUtils.verifySchema(format, columns);
  }
}
