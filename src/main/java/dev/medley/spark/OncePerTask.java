package dev.medley.spark;

import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.util.AccumulatorV2;

/**
 * A sum over tasks in which a task counts once. Spark passes on what tasks that succeeded have
 * counted, and those that failed or were killed have not; but a task may succeed again, for its
 * output was lost with an executor, or as a speculative duplicate: whoever comes first counts.
 *
 * @param <T> what is added
 * @param <R> the sum
 */
abstract class OncePerTask<T, R> extends AccumulatorV2<T, R> {
  private static final long serialVersionUID = 1L;

  /** Stages whose tasks are remembered: a stream never ends. */
  private static final int STAGES = 64;

  private int stage = -1;
  private int partition = -1;
  private transient Map<Integer, BitSet> counted; // partitions by stage, where sums come together

  /** Whose the numbers are that are added from now on, to a copy in a task. */
  final void begin(TaskContext task) {
    begin(task.stageId(), task.partitionId());
  }

  /** A task that is tried again has the same stage and partition. */
  synchronized void begin(int ofStage, int ofPartition) {
    stage = ofStage;
    partition = ofPartition;
  }

  /** Adds what another one has. */
  abstract void plus(OncePerTask<T, R> other);

  /** Another one of its kind, with nothing in it. */
  abstract OncePerTask<T, R> empty();

  @Override
  public final synchronized void merge(AccumulatorV2<T, R> other) {
    OncePerTask<T, R> that = (OncePerTask<T, R>) other;
    if (that.stage < 0 || isFirst(that.stage, that.partition)) {
      plus(that);
    }
  }

  private boolean isFirst(int ofStage, int ofPartition) {
    if (counted == null) {
      counted =
          new LinkedHashMap<>() {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Integer, BitSet> eldest) {
              return size() > STAGES;
            }
          };
    }
    BitSet partitions = counted.computeIfAbsent(ofStage, missing -> new BitSet());
    boolean isFirst = !partitions.get(ofPartition);
    partitions.set(ofPartition);
    return isFirst;
  }

  @Override
  public final synchronized AccumulatorV2<T, R> copy() {
    OncePerTask<T, R> copy = empty();
    copy.stage = stage;
    copy.partition = partition;
    copy.plus(this);
    return copy;
  }

  @Override
  public final AccumulatorV2<T, R> copyAndReset() {
    return empty();
  }
}
