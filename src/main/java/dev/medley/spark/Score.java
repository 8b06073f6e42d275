package dev.medley.spark;

import java.util.ArrayList;
import java.util.Objects;
import java.util.function.Predicate;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.AttributeSet$;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkPlan;
import scala.Option;
import scala.collection.Iterable;
import scala.collection.immutable.List;

/**
 * A plan's rows with what a model says of each: one row out for each that goes in, in order, with a
 * struct of prediction and error for each call.
 *
 * <p>Public because Spark copies nodes by their constructors.
 */
public final class Score extends UnaryPlan {
  private static final long serialVersionUID = 1L;

  private final QueryModel model;
  private final List<Expression> calls;
  private final List<Attribute> results;
  private final LogicalPlan child;

  /**
   * As Spark copies it.
   *
   * @param calls of the model, with columns and constants
   * @param results a column for each call
   */
  public Score(
      QueryModel model,
      Iterable<Expression> calls,
      Iterable<Attribute> results,
      LogicalPlan child) {
    this.model = model;
    this.calls = calls.toList();
    this.results = results.toList();
    this.child = child;
  }

  java.util.List<Attribute> results() {
    return ScalaLists.java(results);
  }

  /** The same for fewer of its results. */
  Score with(Predicate<Attribute> wanted) {
    java.util.List<Expression> fewerCalls = new ArrayList<>();
    java.util.List<Attribute> fewerResults = new ArrayList<>();
    for (int i = 0; i < results.size(); i++) {
      if (wanted.test(results.apply(i))) {
        fewerCalls.add(calls.apply(i));
        fewerResults.add(results.apply(i));
      }
    }
    return new Score(model, ScalaLists.of(fewerCalls), ScalaLists.of(fewerResults), child);
  }

  /** As it runs. */
  ScoreExec over(SparkPlan planned) {
    return new ScoreExec(model, calls, results, planned);
  }

  @Override
  LogicalPlan child() {
    return child;
  }

  @Override
  Score over(LogicalPlan other) {
    return new Score(model, calls, results, other);
  }

  @Override
  public List<Attribute> output() {
    return output(child.output(), results);
  }

  static List<Attribute> output(Iterable<Attribute> child, Iterable<Attribute> results) {
    java.util.List<Attribute> all = ScalaLists.java(child);
    all.addAll(ScalaLists.<Attribute>java(results));
    return ScalaLists.of(all);
  }

  @Override
  public AttributeSet producedAttributes() {
    return produced(results);
  }

  static AttributeSet produced(Iterable<Attribute> results) {
    return AttributeSet$.MODULE$.apply(
        ScalaLists.<Expression>of(ScalaLists.<Attribute>java(results)));
  }

  @Override
  public Option<Object> maxRows() {
    return child.maxRows();
  }

  @Override
  public Option<Object> maxRowsPerPartition() {
    return child.maxRowsPerPartition();
  }

  @Override
  public List<SortOrder> outputOrdering() {
    return child.outputOrdering().toList();
  }

  @Override
  public String nodeName() {
    return "MedleyScore";
  }

  @Override
  public String argString(int maxFields) {
    return argString(model, calls, results);
  }

  static String argString(QueryModel model, List<Expression> calls, List<Attribute> results) {
    return model + calls.mkString(", [", ", ", "]") + results.mkString(", [", ", ", "]");
  }

  @Override
  public int productArity() {
    return 4;
  }

  @Override
  public Object productElement(int index) {
    return switch (index) {
      case 0 -> model;
      case 1 -> calls;
      case 2 -> results;
      default -> child;
    };
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof Score;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Score score
        && model.equals(score.model)
        && calls.equals(score.calls)
        && results.equals(score.results)
        && child.equals(score.child);
  }

  @Override
  public int hashCode() {
    return Objects.hash(model, calls, results, child);
  }
}
