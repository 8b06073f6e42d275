package dev.medley.spark;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.classic.ColumnNodeToExpressionConverter$;
import org.apache.spark.sql.classic.ExpressionUtils;
import org.apache.spark.sql.execution.datasources.DataSourceUtils;
import org.apache.spark.sql.execution.datasources.FileFormat;
import org.apache.spark.sql.internal.SessionState;
import org.apache.spark.sql.types.StructType;

/**
 * The few doors to Spark's inside that were elsewhere, or had another shape, in earlier versions.
 */
final class Catalyst {
  private Catalyst() {}

  static SessionState state(SparkSession session) {
    return ((org.apache.spark.sql.classic.SparkSession) session).sessionState();
  }

  static Column column(Expression expression) {
    return ExpressionUtils.column(expression);
  }

  static Expression expression(Column column) {
    return ColumnNodeToExpressionConverter$.MODULE$.apply(column.node());
  }

  /** The same groups with other results. */
  static Aggregate with(Aggregate aggregate, List<NamedExpression> results) {
    return new Aggregate(
        aggregate.groupingExpressions(),
        ScalaLists.of(results),
        aggregate.child(),
        aggregate.hint());
  }

  /** Throws AnalysisException where a format cannot hold the columns. */
  static void verify(FileFormat format, StructType columns) {
    DataSourceUtils.verifySchema(format, columns, false);
  }
}
