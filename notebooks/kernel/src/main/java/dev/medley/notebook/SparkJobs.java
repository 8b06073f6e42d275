package dev.medley.notebook;

import java.util.HashSet;
import java.util.Set;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkJobInfo;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.SparkStatusTracker;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;

/** Jobs of the session that cells have made, if any: how far they are, and how they are ended. */
class SparkJobs {
  /**
   * Tasks of jobs that run now.
   *
   * @param done tasks of their active stages that have ended
   * @param tasks of those stages
   */
  record Counts(int jobs, int done, int tasks) {}

  /**
   * Names the jobs that this thread starts from now on, and lets a cancelled one be interrupted.
   */
  void describe(String cell) {
    SparkContext context = context();
    if (context != null) {
      context.setLocalProperty("spark.job.description", cell);
      context.setLocalProperty("spark.job.interruptOnCancel", "true");
    }
  }

  /** Without those of streams, which go on beside cells. */
  Counts running() {
    SparkContext context = context();
    if (context == null) {
      return new Counts(0, 0, 0);
    }
    SparkStatusTracker tracker = context.statusTracker();
    int jobs = 0;
    int done = 0;
    int tasks = 0;
    Set<Integer> streams = ofStreams(tracker);
    for (int id : tracker.getActiveJobIds()) {
      SparkJobInfo job = tracker.getJobInfo(id).getOrElse(() -> null);
      if (job == null || streams.contains(id)) {
        continue;
      }
      jobs++;
      for (int stage : job.stageIds()) {
        SparkStageInfo info = tracker.getStageInfo(stage).getOrElse(() -> null);
        if (info != null && info.numActiveTasks() > 0) {
          done += info.numCompletedTasks();
          tasks += info.numTasks();
        }
      }
    }
    return new Counts(jobs, done, tasks);
  }

  /** Ends all jobs that run, but for those of streams. */
  void cancel() {
    SparkContext context = context();
    if (context != null) {
      Set<Integer> streams = ofStreams(context.statusTracker());
      for (int id : context.statusTracker().getActiveJobIds()) {
        if (!streams.contains(id)) {
          context.cancelJob(id, "the notebook's cell was interrupted");
        }
      }
    }
  }

  private static Set<Integer> ofStreams(SparkStatusTracker tracker) {
    Set<Integer> ids = new HashSet<>();
    SparkSession session = session();
    if (session == null) {
      return ids; // a cell has just ended it
    }
    for (StreamingQuery query : session.streams().active()) {
      for (int id : tracker.getJobIdsForGroup(query.runId().toString())) {
        ids.add(id);
      }
    }
    return ids;
  }

  /** Null for none. */
  private static SparkContext context() {
    SparkSession session = session();
    return session == null || session.sparkContext().isStopped() ? null : session.sparkContext();
  }

  private static SparkSession session() {
    return SparkSession.getDefaultSession().getOrElse(() -> null);
  }
}
