package dev.medley.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanExec;
import org.apache.spark.sql.execution.adaptive.QueryStageExec;

/** Looks into the plan of a query that ran. */
final class SqlPlans {
  private SqlPlans() {}

  /** Runs a query; what its scoring nodes counted, together. */
  static Map<String, Long> run(Dataset<?> query) {
    query.collect();
    Map<String, Long> sums = new TreeMap<>();
    for (ScoreExec node : scores(query)) {
      scala.collection.Iterator<
              scala.Tuple2<String, org.apache.spark.sql.execution.metric.SQLMetric>>
          each = node.metrics().iterator();
      while (each.hasNext()) {
        var metric = each.next();
        sums.merge(metric._1(), metric._2().value(), Long::sum);
      }
    }
    return sums;
  }

  /** The scoring nodes, as they were run at last. */
  static List<ScoreExec> scores(Dataset<?> query) {
    List<ScoreExec> found = new ArrayList<>();
    collect(query.queryExecution().executedPlan(), found);
    return found;
  }

  private static void collect(SparkPlan plan, List<ScoreExec> found) {
    if (plan instanceof ScoreExec score) {
      found.add(score);
    }
    if (plan instanceof AdaptiveSparkPlanExec adaptive) {
      collect(adaptive.executedPlan(), found);
    } else if (plan instanceof QueryStageExec stage) {
      collect(stage.plan(), found);
    }
    ScalaLists.<SparkPlan>java(plan.children()).forEach(child -> collect(child, found));
    ScalaLists.<SparkPlan>java(plan.subqueries()).forEach(child -> collect(child, found));
  }
}
