package dev.medley.spark;

import dev.medley.engine.Meter;
import dev.medley.engine.Metric;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.Results;
import dev.medley.engine.RowException;
import dev.medley.engine.SetUses;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.util.TaskCompletionListener;

/**
 * What a task does with its partition.
 *
 * @param fields of its rows
 * @param counters null for none
 */
record ScorePartition(Broadcast<byte[]> shared, RequestFields fields, ScoringCounters counters)
    implements MapPartitionsFunction<Row, Row> {

  /** Rows after which what was counted is passed on. */
  private static final int COUNTED_TOGETHER = 64;

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    if (!rows.hasNext()) {
      return Collections.emptyIterator(); // a task without rows loads no model
    }
    TaskContext task = TaskContext.get();
    Scored scored =
        new Scored(
            rows, ExecutorEngines.OF_THIS_JVM.lease(SharedSpec.of(shared.value()), task), task);
    task.addTaskCompletionListener((TaskCompletionListener) ended -> scored.close());
    return scored;
  }

  /**
   * The rows with their predictions, read a window ahead and no further. A downstream operator may
   * pull rows in a thread of its own, so closing waits for the window in work.
   */
  private final class Scored implements Iterator<Row> {
    private final ExecutorEngines.Lease lease;
    private final TaskContext task;
    private final Results results;
    private final Meter meter = new Meter();
    private final MetricTotals totals = ExecutorEngines.OF_THIS_JVM.totals();
    private final ScoringCounters.OfTask counts; // null for none

    /** Rows whose results are still to come. */
    private final ArrayDeque<Row> ahead = new ArrayDeque<>();

    private int uncounted; // rows
    private boolean closed;

    Scored(Iterator<Row> rows, ExecutorEngines.Lease lease, TaskContext task) {
      this.lease = lease;
      this.task = task;
      this.results = lease.engine().run(new Requests(rows), task::killTaskIfInterrupted, meter);
      this.counts = counters == null ? null : counters.ofTask(task, lease.engine().device());
    }

    @Override
    public synchronized boolean hasNext() {
      return !closed && results.hasNext();
    }

    @Override
    public synchronized Row next() {
      if (closed) {
        throw new NoSuchElementException("the task has ended");
      }
      Result result;
      try {
        result = results.next();
      } catch (RowException e) {
        throw new ScoringException(task.partitionId(), e);
      }
      meter.add(Metric.ROWS, 1);
      if (result.error() != null) {
        totals.add(result.error().code());
      }
      if (counts != null) {
        counts.add(result);
      }
      if (++uncounted == COUNTED_TOGETHER) {
        count();
      }
      return scored(ahead.remove(), result);
    }

    /** Passes on what the meter has. */
    private void count() {
      uncounted = 0;
      if (counts != null) {
        counts.take(meter, totals);
      } else {
        meter.drain(totals::add, new SetUses(1));
      }
    }

    /** By Spark however the task ends: done, failed, killed, or left early. */
    synchronized void close() {
      closed = true;
      ahead.clear();
      try {
        results.close(); // while the engine is certainly open
      } finally {
        count();
        lease.close();
      }
    }

    /** What the engine reads. */
    private final class Requests implements Iterator<Request> {
      private final Iterator<Row> rows;

      Requests(Iterator<Row> rows) {
        this.rows = rows;
      }

      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Request next() {
        Row row = rows.next();
        ahead.add(row);
        return fields.request(row);
      }
    }
  }

  private static Row scored(Row row, Result result) {
    boolean isTraced = result.lineage() != null;
    Object[] values = new Object[row.size() + (isTraced ? 3 : 2)];
    for (int i = 0; i < row.size(); i++) {
      values[i] = row.get(i);
    }
    values[row.size()] = PredictionColumns.value(result.prediction());
    values[row.size() + 1] = PredictionColumns.value(result.error());
    if (isTraced) {
      values[row.size() + 2] = PredictionColumns.value(result.lineage());
    }
    return RowFactory.create(values);
  }
}
