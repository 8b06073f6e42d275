package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Option;

/**
 * Puts a {@link Score} below each node that calls models, and its results in place of the calls:
 * innermost first, one node for all calls of a model, equal calls once, be they in {@code where}
 * and {@code select}.
 *
 * <p>It runs at the end of the analysis: the optimizer would push a call through projections into
 * filters, and so have it computed twice, and what is cached must be found again by the plan that a
 * Dataset keeps.
 */
final class ExtractModelCalls extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    if (!plan.resolved()) {
      return plan; // Spark says what is wrong with it
    }
    new CheckModelCalls().apply(plan);
    return extracted(plan, new HashMap<>());
  }

  /**
   * The plan without calls.
   *
   * @param known columns by what was computed for them so far
   */
  private static LogicalPlan extracted(LogicalPlan plan, Map<Expression, Attribute> known) {
    LogicalPlan inside = plan.mapChildren(child -> extracted(child, known));
    LogicalPlan node = inside.mapExpressions(each -> inSubqueries(each, known));
    if (node instanceof Score || !callsIn(node, call -> true)) {
      return node;
    }
    if (!CheckModelCalls.fits(node)) {
      throw new IllegalStateException("calls in a node that was not checked: " + node.nodeName());
    }
    return node instanceof Aggregate aggregate
        ? overAggregate(aggregate, known)
        : overScores(node, known);
  }

  private static Expression inSubqueries(Expression expression, Map<Expression, Attribute> known) {
    Expression inside = expression.mapChildren(child -> inSubqueries(child, known));
    return inside instanceof SubqueryExpression subquery
        ? (Expression) subquery.withNewPlan(extracted(subquery.plan(), known))
        : inside;
  }

  /** A call of what an aggregate gives is computed after it, one in an aggregate before it. */
  private static LogicalPlan overAggregate(Aggregate aggregate, Map<Expression, Attribute> known) {
    List<NamedExpression> before = new ArrayList<>();
    List<NamedExpression> after = new ArrayList<>();
    for (NamedExpression each :
        ScalaLists.<NamedExpression>java(aggregate.aggregateExpressions())) {
      if (hasCallAbove((Expression) each, aggregate)) {
        after.add((NamedExpression) lifted((Expression) each, aggregate, before));
      } else {
        before.add(each);
        after.add(each.toAttribute());
      }
    }
    Aggregate own = Catalyst.with(aggregate, before);
    LogicalPlan scored = callsIn(own, call -> true) ? overScores(own, known) : own;
    return overScores(new Project(ScalaLists.of(after), scored), known);
  }

  private static boolean hasCallAbove(Expression expression, Aggregate aggregate) {
    return !belongsTo(aggregate, expression)
        && (expression instanceof ModelCall
            || ScalaLists.<Expression>java(expression.children()).stream()
                .anyMatch(child -> hasCallAbove(child, aggregate)));
  }

  private static boolean belongsTo(Aggregate aggregate, Expression expression) {
    return expression instanceof AggregateExpression
        || ScalaLists.<Expression>java(aggregate.groupingExpressions()).stream()
            .anyMatch(group -> group.semanticEquals(expression));
  }

  /** The expression over the aggregate's results, which it adds. */
  private static Expression lifted(
      Expression expression, Aggregate aggregate, List<NamedExpression> results) {
    if (!belongsTo(aggregate, expression)) {
      return expression.mapChildren(child -> lifted(child, aggregate, results));
    }
    NamedExpression result =
        expression instanceof NamedExpression named ? named : alias(expression, "_medley_of");
    results.add(result);
    return result.toAttribute();
  }

  private static LogicalPlan overScores(LogicalPlan node, Map<Expression, Attribute> known) {
    LogicalPlan all = node;
    while (callsIn(all, ExtractModelCalls::isInnermost)) {
      all = overScore(all, known);
    }
    return all.output().equals(node.output())
        ? all
        : new Project(ScalaLists.of(ScalaLists.<NamedExpression>java(node.output())), all);
  }

  /** The node without the innermost calls of one model. */
  private static LogicalPlan overScore(LogicalPlan node, Map<Expression, Attribute> known) {
    Map<Expression, ModelCall> calls = new LinkedHashMap<>(); // by what they compute
    ScalaLists.<Expression>java(node.expressions()).forEach(each -> collect(each, calls));
    Map<Expression, Attribute> results = new HashMap<>();
    LogicalPlan child = node.children().head();
    for (Expression computed : List.copyOf(calls.keySet())) {
      LogicalPlan exposing = exposing(child, known.get(computed));
      if (exposing != null) {
        child = exposing;
        results.put(computed, known.get(computed));
        calls.remove(computed);
      }
    }
    if (!calls.isEmpty()) {
      Score score = score(calls, child);
      List<Expression> computed = List.copyOf(calls.keySet());
      for (int i = 0; i < computed.size(); i++) {
        results.put(computed.get(i), score.results().get(i));
      }
      known.putAll(results);
      child = score;
    }
    return node.withNewChildren(ScalaLists.one(child))
        .mapExpressions(each -> replaced(each, results));
  }

  /** The plan with a column that it computes below, as a filter does; null where it does not. */
  private static LogicalPlan exposing(LogicalPlan plan, Attribute column) {
    if (column == null || plan.outputSet().contains(column)) {
      return column == null ? null : plan;
    }
    if (!(plan instanceof Project || plan instanceof Filter || plan instanceof Sort)) {
      return null;
    }
    LogicalPlan below = exposing(plan.children().head(), column);
    if (below == null) {
      return null;
    }
    if (!(plan instanceof Project project)) {
      return plan.withNewChildren(ScalaLists.one(below));
    }
    List<NamedExpression> columns = ScalaLists.java(project.projectList());
    columns.add(column);
    return new Project(ScalaLists.of(columns), below);
  }

  /** A node that computes calls of one model, its results in their order. */
  private static Score score(Map<Expression, ModelCall> calls, LogicalPlan child) {
    Map<Expression, Attribute> inputs = new HashMap<>();
    List<NamedExpression> columns = ScalaLists.java(child.output());
    List<Expression> scored = new ArrayList<>();
    List<Attribute> results = new ArrayList<>();
    for (ModelCall call : calls.values()) {
      Expression ofColumns = withColumns(call.tried(), inputs, columns);
      scored.add(ofColumns);
      results.add(alias(ofColumns, "_" + call.function().sqlName(OnError.FAIL)).toAttribute());
    }
    LogicalPlan below = inputs.isEmpty() ? child : new Project(ScalaLists.of(columns), child);
    QueryModel model = calls.values().iterator().next().model();
    return new Score(model, ScalaLists.of(scored), ScalaLists.of(results), below);
  }

  /** Calls without calls in them, of the model of the first. */
  private static void collect(Expression expression, Map<Expression, ModelCall> calls) {
    ScalaLists.<Expression>java(expression.children()).forEach(child -> collect(child, calls));
    if (expression instanceof ModelCall call
        && isInnermost(call)
        && calls.values().stream().allMatch(first -> first.model().equals(call.model()))) {
      calls.putIfAbsent(call.tried().canonicalized(), call);
    }
  }

  /** What is no column or constant becomes a column, which Spark computes as it does any. */
  private static Expression withColumns(
      ModelCall call, Map<Expression, Attribute> inputs, List<NamedExpression> columns) {
    List<Expression> arguments = new ArrayList<>(List.of(call.children().head()));
    for (Expression input : call.inputs()) {
      arguments.add(
          input instanceof Attribute || input instanceof Literal
              ? input
              : inputs.computeIfAbsent(
                  input.canonicalized(),
                  key -> {
                    Alias column = alias(input, "_medley_input");
                    columns.add(column);
                    return column.toAttribute();
                  }));
    }
    return call.with(ScalaLists.of(arguments));
  }

  private static Expression replaced(Expression expression, Map<Expression, Attribute> results) {
    if (expression instanceof ModelCall call) {
      Attribute result = results.get(call.tried().canonicalized());
      if (result != null) {
        return call.onError() == OnError.ROW ? result : new Predicted(result, call.shown());
      }
    }
    return expression.mapChildren(child -> replaced(child, results));
  }

  private static boolean isInnermost(ModelCall call) {
    return call.inputs().stream().noneMatch(input -> callsIn(input, inside -> true));
  }

  private static boolean callsIn(LogicalPlan node, Predicate<ModelCall> which) {
    return ScalaLists.<Expression>java(node.expressions()).stream()
        .anyMatch(each -> callsIn(each, which));
  }

  private static boolean callsIn(Expression expression, Predicate<ModelCall> which) {
    return expression instanceof ModelCall call && which.test(call)
        || ScalaLists.<Expression>java(expression.children()).stream()
            .anyMatch(child -> callsIn(child, which));
  }

  static Alias alias(Expression expression, String name) {
    return new Alias(
        expression,
        name,
        NamedExpression.newExprId(),
        ScalaLists.of(List.<String>of()),
        Option.empty(),
        ScalaLists.of(List.<String>of()));
  }
}
