package dev.medley.spark;

import java.util.Objects;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.physical.Partitioning;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.metric.SQLMetric;
import org.apache.spark.sql.types.DataType;
import scala.collection.Iterable;
import scala.collection.immutable.List;
import scala.collection.immutable.Map;
import scala.reflect.ClassTag$;

/**
 * What {@link Score} runs as: each task asks this JVM's engine for a window of its partition at a
 * time, as a transformer's tasks do.
 *
 * <p>Public because Spark copies nodes by their constructors.
 */
public final class ScoreExec extends UnaryExec {
  private static final long serialVersionUID = 1L;

  private final QueryModel model;
  private final List<Expression> calls;
  private final List<Attribute> results;
  private final SparkPlan child;
  private transient Map<String, SQLMetric> metrics;

  /** As Spark copies it; see {@link Score}. */
  public ScoreExec(
      QueryModel model, Iterable<Expression> calls, Iterable<Attribute> results, SparkPlan child) {
    this.model = model;
    this.calls = calls.toList();
    this.results = results.toList();
    this.child = child;
  }

  @Override
  public RDD<InternalRow> doExecute() {
    CallInput[] inputs =
        ScalaLists.<Expression>java(calls).stream()
            .map(call -> CallInput.of((ModelCall) call, child))
            .toArray(CallInput[]::new);
    ScoreCalls score =
        new ScoreCalls(
            model.broadcast(),
            inputs,
            ScalaLists.<Attribute>java(output()).stream()
                .map(Attribute::dataType)
                .toArray(DataType[]::new),
            new ScoreMetrics(metrics()));
    return JavaRDD.fromRDD(child.execute(), ClassTag$.MODULE$.<InternalRow>apply(InternalRow.class))
        .mapPartitions(score)
        .rdd();
  }

  /** What Spark's UI shows of the node. */
  @Override
  public synchronized Map<String, SQLMetric> metrics() {
    if (metrics == null) {
      metrics = ScoreMetrics.of(sparkContext());
    }
    return metrics;
  }

  @Override
  SparkPlan child() {
    return child;
  }

  @Override
  ScoreExec over(SparkPlan other) {
    return new ScoreExec(model, calls, results, other);
  }

  @Override
  public List<Attribute> output() {
    return Score.output(child.output(), results);
  }

  @Override
  public AttributeSet producedAttributes() {
    return Score.produced(results);
  }

  @Override
  public Partitioning outputPartitioning() {
    return child.outputPartitioning();
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
    return Score.argString(model, calls, results);
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
    return other instanceof ScoreExec;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ScoreExec exec
        && model.equals(exec.model)
        && calls.equals(exec.calls)
        && results.equals(exec.results)
        && child.equals(exec.child);
  }

  @Override
  public int hashCode() {
    return Objects.hash(model, calls, results, child);
  }
}
