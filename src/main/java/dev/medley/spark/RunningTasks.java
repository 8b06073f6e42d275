package dev.medley.spark;

import dev.medley.engine.Metric;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import scala.collection.Iterator;

/**
 * What tasks have counted, those that are running included, as far as the heartbeats of their
 * executors have told. For progress: one that fails takes its share back.
 */
public final class RunningTasks extends SparkListener implements AutoCloseable {
  private final SparkContext context;
  private final Map<Metric, TaskSum> done;
  private final Map<Long, Metric> metrics = new HashMap<>(); // by accumulator
  private final Map<Long, EnumMap<Metric, Long>> byTask = new HashMap<>();
  private boolean isEnded;

  RunningTasks(SparkContext context, Map<Metric, TaskSum> done) {
    this.context = context;
    this.done = done;
    done.forEach((metric, sum) -> metrics.put(sum.id(), metric));
    context.addSparkListener(this);
  }

  /** Over all tasks so far. */
  public synchronized long of(Metric metric) {
    return done.get(metric).value()
        + byTask.values().stream().mapToLong(task -> task.getOrDefault(metric, 0L)).sum();
  }

  @Override
  public synchronized void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
    var tasks = update.accumUpdates().iterator();
    while (tasks.hasNext()) {
      var task = tasks.next();
      EnumMap<Metric, Long> counts = new EnumMap<>(Metric.class);
      Iterator<AccumulableInfo> accumulables = task._4().iterator();
      while (accumulables.hasNext()) {
        AccumulableInfo accumulable = accumulables.next();
        Metric metric = metrics.get(accumulable.id());
        if (metric != null
            && accumulable.update().isDefined()
            && accumulable.update().get() instanceof Long amount) {
          counts.put(metric, amount);
        }
      }
      if (!counts.isEmpty() && !isEnded) {
        byTask.put((Long) task._1(), counts);
      }
    }
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    byTask.remove(end.taskInfo().taskId());
  }

  /** From here on only what tasks have done to their ends counts. */
  public synchronized void end() {
    isEnded = true;
    byTask.clear();
  }

  @Override
  public void close() {
    context.removeSparkListener(this);
    end();
  }
}
