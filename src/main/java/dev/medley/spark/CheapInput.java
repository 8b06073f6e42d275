package dev.medley.spark;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.UserDefinedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Generate;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LeafNode;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Repartition;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionByExpression;
import org.apache.spark.sql.catalyst.plans.logical.ResolvedHint;
import org.apache.spark.sql.catalyst.plans.logical.Sample;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.plans.logical.SubqueryAlias;
import org.apache.spark.sql.catalyst.plans.logical.Union;
import org.apache.spark.sql.catalyst.plans.logical.View;
import org.apache.spark.sql.execution.ExternalRDD;
import org.apache.spark.sql.execution.LogicalRDD;
import scala.Option;

/**
 * Whether an input costs little when it is computed once more: files, tables, caches and local rows
 * do, and what only picks, renames, cuts or rearranges their rows. Joins, aggregates, RDDs and
 * functions of the user's, another model's scores among them, may cost anything.
 */
final class CheapInput {
  private static final List<Class<?>> CHEAP =
      List.of(
          Filter.class,
          Generate.class,
          GlobalLimit.class,
          LeafNode.class,
          LocalLimit.class,
          Project.class,
          Repartition.class,
          RepartitionByExpression.class,
          ResolvedHint.class,
          Sample.class,
          Sort.class,
          SubqueryAlias.class,
          Union.class,
          View.class);

  private static final List<Class<?>> UNKNOWN = List.of(ExternalRDD.class, LogicalRDD.class);

  private CheapInput() {}

  /** What may cost much, by Spark's name; null for nothing. */
  static String obstacle(LogicalPlan plan) {
    Option<LogicalPlan> node = plan.find(each -> !isCheap(each));
    if (node.isDefined()) {
      return node.get().nodeName();
    }
    Option<LogicalPlan> function = plan.find(CheapInput::hasFunction);
    return function.isDefined() ? "a function in " + function.get().nodeName() : null;
  }

  private static boolean isCheap(LogicalPlan node) {
    return CHEAP.stream().anyMatch(type -> type.isInstance(node))
        && UNKNOWN.stream().noneMatch(type -> type.isInstance(node));
  }

  private static boolean hasFunction(LogicalPlan node) {
    scala.collection.Iterator<Expression> expressions = node.expressions().iterator();
    while (expressions.hasNext()) {
      if (expressions.next().exists(each -> each instanceof UserDefinedExpression)) {
        return true;
      }
    }
    return false;
  }
}
