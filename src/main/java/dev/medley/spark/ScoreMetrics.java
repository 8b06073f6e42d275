package dev.medley.spark;

import dev.medley.engine.Metric;
import dev.medley.engine.Result;
import java.io.Serializable;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.execution.metric.SQLMetric;
import org.apache.spark.sql.execution.metric.SQLMetrics;
import scala.collection.immutable.Map;

/**
 * What Spark's UI shows of a {@link ScoreExec}: texts that were scored, those of them in error,
 * forward passes, and adapters read from files.
 */
record ScoreMetrics(SQLMetric texts, SQLMetric errors, SQLMetric forwards, SQLMetric adapterLoads)
    implements ScoringObserver, Serializable {

  /** Those of {@link #of(SparkContext)}. */
  ScoreMetrics(Map<String, SQLMetric> metrics) {
    this(
        metrics.apply("texts"),
        metrics.apply("errors"),
        metrics.apply("forwards"),
        metrics.apply("adapterLoads"));
  }

  /** At zero. */
  static Map<String, SQLMetric> of(SparkContext context) {
    return new Map.Map4<>(
        "texts", SQLMetrics.createMetric(context, "number of texts scored"),
        "errors", SQLMetrics.createMetric(context, "number of texts in error"),
        "forwards", SQLMetrics.createMetric(context, "number of forward passes"),
        "adapterLoads", SQLMetrics.createMetric(context, "number of adapters loaded"));
  }

  @Override
  public void scored(Result result, Supplier<String> name) {
    texts.add(1);
    if (result.prediction() == null) {
      errors.add(1);
    }
  }

  @Override
  public void counted(Metric metric, long amount) {
    if (metric == Metric.FORWARDS) {
      forwards.add(amount);
    } else if (metric == Metric.ADAPTER_LOADS) {
      adapterLoads.add(amount);
    }
  }
}
