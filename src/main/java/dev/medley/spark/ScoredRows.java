package dev.medley.spark;

import dev.medley.engine.Meter;
import dev.medley.engine.Metric;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.Results;
import dev.medley.engine.RowException;
import dev.medley.engine.SetUses;
import dev.medley.io.Downloads;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.apache.spark.TaskContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.TaskCompletionListener;

/**
 * A task's rows with their results, in order, read a window ahead and no further. A downstream
 * operator may pull rows in a thread of its own, so closing waits for the window in work.
 *
 * @param <R> what goes in
 * @param <S> what comes out
 */
final class ScoredRows<R, S> implements Iterator<S> {
  /** Rows after which what was counted is passed on. */
  private static final int COUNTED_TOGETHER = 64;

  /** Time after which it is, where no rows come out. */
  private static final long COUNTED_NANOS = 1_000_000_000;

  private final ExecutorEngines.Lease lease;
  private final TaskContext task;
  private final Function<R, Request> request;
  private final BiFunction<R, Result, S> scored;
  private final Function<R, Object> keyOf;
  private final ScoringObserver observer;
  private final Results results;
  private final Meter meter = new Meter();
  private final MetricTotals totals = ExecutorEngines.OF_THIS_JVM.totals();

  /** Rows whose results are still to come. */
  private final ArrayDeque<R> ahead = new ArrayDeque<>();

  private long scoredRows;
  private long lastCount = System.nanoTime();
  private boolean closed;

  private ScoredRows(
      Iterator<R> rows,
      Function<R, Request> request,
      BiFunction<R, Result, S> scored,
      Function<R, Object> keyOf,
      ScoringObserver.Start observer,
      ExecutorEngines.Lease lease,
      TaskContext task) {
    this.request = request;
    this.scored = scored;
    this.keyOf = keyOf;
    this.observer = observer.of(task, lease.engine().device());
    this.lease = lease;
    this.task = task;
    this.results = lease.engine().run(new Requests(rows), this::beforeBatch, meter);
  }

  /**
   * Holds an engine of this JVM's until the task ends, however that is.
   *
   * @param shared {@link SharedSpec}
   * @param request what a row asks for; rows are kept until they are scored
   * @param scored a row and its result in one
   * @param keyOf what tells a row from others, for those in error; null for its place
   */
  static <R, S> Iterator<S> of(
      Broadcast<byte[]> shared,
      Iterator<R> rows,
      Function<R, Request> request,
      BiFunction<R, Result, S> scored,
      Function<R, Object> keyOf,
      ScoringObserver.Start observer) {
    if (!rows.hasNext()) {
      return Collections.emptyIterator(); // a task without rows loads no model
    }
    TaskContext task = TaskContext.get();
    ExecutorEngines.Lease lease =
        ExecutorEngines.OF_THIS_JVM.lease(SharedSpec.of(shared.value()), task);
    ScoredRows<R, S> all = new ScoredRows<>(rows, request, scored, keyOf, observer, lease, task);
    task.addTaskCompletionListener((TaskCompletionListener) ended -> all.close());
    return all;
  }

  @Override
  public synchronized boolean hasNext() {
    return !closed && results.hasNext();
  }

  @Override
  public synchronized S next() {
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
    R row = ahead.remove();
    observer.scored(result, () -> name(row));
    scoredRows++;
    if (scoredRows % COUNTED_TOGETHER == 0) {
      count();
    }
    return scored.apply(row, result);
  }

  /** A window may take minutes: whoever looks on is told meanwhile. */
  private void beforeBatch() {
    task.killTaskIfInterrupted();
    if (System.nanoTime() - lastCount > COUNTED_NANOS) {
      count();
    }
  }

  private String name(R row) {
    Object key = keyOf.apply(row);
    return key == null
        ? "row %d scored in partition %d".formatted(scoredRows, task.partitionId())
        : "" + key;
  }

  /** Passes on what the meter has. */
  private void count() {
    lastCount = System.nanoTime();
    SetUses uses = new SetUses(SetUseCounts.OF_A_TASK);
    Downloads.Taken downloads = Downloads.OF_THIS_JVM.take();
    meter.add(Metric.DOWNLOADS, downloads.files());
    meter.add(Metric.DOWNLOADED_BYTES, downloads.bytes());
    meter.drain(
        (metric, amount) -> {
          totals.add(metric, amount);
          observer.counted(metric, amount);
        },
        uses);
    observer.counted(uses);
  }

  /** By Spark however the task ends: done, failed, killed, or left early. */
  private synchronized void close() {
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
    private final Iterator<R> rows;

    Requests(Iterator<R> rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      return rows.hasNext();
    }

    @Override
    public Request next() {
      R row = rows.next();
      ahead.add(row);
      return request.apply(row);
    }
  }
}
