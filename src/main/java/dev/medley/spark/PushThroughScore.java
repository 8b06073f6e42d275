package dev.medley.spark;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Option;

/**
 * Has fewer rows scored, and for fewer calls: conditions that ask for no prediction and limits go
 * below a {@link Score}, and calls whose results nobody uses go away.
 */
final class PushThroughScore extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return pushed(plan).mapChildren(child -> apply(child));
  }

  private static LogicalPlan pushed(LogicalPlan plan) {
    if (plan.children().size() == 1 && plan.children().head() instanceof Score score) {
      LogicalPlan used = withoutUnused(plan, score);
      if (used != plan) {
        return used;
      }
    }
    if (plan instanceof Filter filter && filter.child() instanceof Score score) {
      return filtered(filter, score);
    }
    if (plan instanceof LocalLimit limit) {
      if (limit.child() instanceof Score score) {
        return limited(limit, score, score);
      }
      if (limit.child() instanceof Project project && project.child() instanceof Score score) {
        return limited(limit, project, score);
      }
    }
    return plan instanceof GlobalLimit limit
            && limit.child() instanceof LocalLimit local
            && local.child() instanceof Sort sort
        ? firstOfSorted(limit, local, sort)
        : plan;
  }

  /** The node over a Score without calls whose results it neither reads nor hands on. */
  private static LogicalPlan withoutUnused(LogicalPlan plan, Score score) {
    AttributeSet asked = plan.references().$plus$plus(plan.outputSet());
    List<Attribute> used = score.results().stream().filter(asked::contains).toList();
    if (used.size() == score.results().size()) {
      return plan;
    }
    LogicalPlan below = used.isEmpty() ? score.child() : score.with(used::contains);
    return plan.withNewChildren(ScalaLists.one(below));
  }

  private static LogicalPlan filtered(Filter filter, Score score) {
    List<Expression> below = new ArrayList<>();
    List<Expression> above = new ArrayList<>();
    for (Expression condition : conjuncts(filter.condition())) {
      boolean fits =
          condition.deterministic()
              && condition.references().subsetOf(score.child().outputSet())
              && (above.isEmpty() || above.stream().allMatch(Expression::deterministic));
      (fits ? below : above).add(condition);
    }
    if (below.isEmpty()) {
      return filter;
    }
    Score fewer = score.over(new Filter(all(below), score.child()));
    return above.isEmpty() ? fewer : new Filter(all(above), fewer);
  }

  private static List<Expression> conjuncts(Expression condition) {
    if (condition instanceof And and) {
      List<Expression> both = new ArrayList<>(conjuncts(and.left()));
      both.addAll(conjuncts(and.right()));
      return both;
    }
    return List.of(condition);
  }

  private static Expression all(List<Expression> conditions) {
    return conditions.stream().reduce(And::new).orElseThrow();
  }

  /** A row in is a row out: what is cut off after it is cut off before it. */
  private static LogicalPlan limited(LocalLimit limit, LogicalPlan over, Score score) {
    Option<Object> most = score.child().maxRowsPerPartition();
    Object asked = limit.limitExpr().eval(null);
    if (most.isDefined() && (long) most.get() <= (int) asked) {
      return limit;
    }
    Score fewer = score.over(new LocalLimit(limit.limitExpr(), score.child()));
    LogicalPlan child = over == score ? fewer : over.withNewChildren(ScalaLists.one(fewer));
    return new LocalLimit(limit.limitExpr(), child);
  }

  /** The first rows by something else than a prediction are known before any is scored. */
  private static LogicalPlan firstOfSorted(GlobalLimit limit, LocalLimit local, Sort sort) {
    Map<ExprId, Expression> computed = new HashMap<>();
    LogicalPlan over = sort.child();
    if (over instanceof Project project) {
      for (NamedExpression each : ScalaLists.<NamedExpression>java(project.projectList())) {
        if (each instanceof Alias alias) {
          computed.put(alias.exprId(), alias.child());
        }
      }
      over = project.child();
    }
    if (!(over instanceof Score score)) {
      return limit;
    }
    LogicalPlan sorted = sort.mapExpressions(each -> computed(each, computed));
    boolean fits =
        ScalaLists.<Expression>java(sorted.expressions()).stream()
            .allMatch(
                order ->
                    order.deterministic()
                        && order.references().subsetOf(score.child().outputSet()));
    if (!fits) {
      return limit;
    }
    LogicalPlan first = sorted.withNewChildren(ScalaLists.one(score.child()));
    Score fewer =
        score.over(
            limit.withNewChildren(ScalaLists.one(local.withNewChildren(ScalaLists.one(first)))));
    return sort.child() == score ? fewer : sort.child().withNewChildren(ScalaLists.one(fewer));
  }

  private static Expression computed(Expression expression, Map<ExprId, Expression> computed) {
    return expression instanceof Attribute column && computed.containsKey(column.exprId())
        ? computed.get(column.exprId())
        : expression.mapChildren(child -> computed(child, computed));
  }
}
