package dev.medley.spark;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;

/** How tasks have ended, as Spark tells the driver. */
final class TaskEnds extends SparkListener {
  private final SparkContext context;
  private final List<End> ends = new ArrayList<>();

  /**
   * An attempt of a task.
   *
   * @param reason such as {@code Success}, {@code ExecutorLostFailure(…)}
   */
  record End(long task, String executor, boolean isCopy, String reason) {}

  private TaskEnds(SparkContext context) {
    this.context = context;
  }

  /** Of a context from now on. */
  static TaskEnds of(SparkContext context) {
    TaskEnds listener = new TaskEnds(context);
    context.addSparkListener(listener);
    return listener;
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    ends.add(
        new End(
            end.taskInfo().taskId(),
            end.taskInfo().executorId(),
            end.taskInfo().speculative(),
            end.reason().toString()));
  }

  /** Those that were no success, or of copies, so far. */
  List<End> unusual() throws Exception {
    context.listenerBus().waitUntilEmpty();
    synchronized (this) {
      return ends.stream().filter(end -> end.isCopy || !end.reason.equals("Success")).toList();
    }
  }
}
