package dev.medley.spark;

import dev.medley.spark.SetCounts.SetCount;
import java.util.List;
import java.util.Locale;

/**
 * Whether moving rows to their adapters pays, all in tokens: what a core could score in that time.
 *
 * <pre>
 * saved = LOAD · (loads as they lie - loads as planned) + MERGE · (runs as they lie - runs as planned)
 * spent = ROW · rows + TASK · 2 · partitions + START
 * </pre>
 *
 * <p>A load is an adapter that an executor reads. Where there is room in its memory for those of
 * all sets, it reads each at most once; where there is not, each partition reads its own. A run is
 * the rows of one set in one window, for which the set is merged once.
 *
 * @param loads adapters read where rows stay where they are
 * @param plannedLoads and where they are moved
 * @param runs of equal sets where rows stay
 * @param plannedRuns and where they are moved
 */
record AffinityGain(
    long rows, int partitions, long loads, long plannedLoads, long runs, long plannedRuns) {
  /** 5 ms of a core that scores 20 000 tokens a second, as MiniLM does. */
  static final long LOAD_TOKENS = 100;

  /** A merge of rank r costs about what r tokens do, and a thin product more than in theory. */
  static final long MERGE_TOKENS = 30;

  /** 50 µs: a row is counted, and twice written, sorted and read. */
  static final long ROW_TOKENS = 1;

  /** 5 ms: a partition has two more tasks. */
  static final long TASK_TOKENS = 100;

  /** Half a second: the counting job. */
  static final long START_TOKENS = 10_000;

  /** Of an adapter in memory, where nobody has read it yet: MiniLM's of rank 8 take 1.3 MB. */
  private static final long ADAPTER_BYTES = 2L << 20;

  /** What it costs to have a set of so many adapters in a partition: each loaded, all merged. */
  static long presence(int members) {
    return members == 0 ? 0 : members * LOAD_TOKENS + MERGE_TOKENS;
  }

  /**
   * By what was counted and what is planned.
   *
   * @param memory of an executor for adapters, in bytes
   */
  static AffinityGain of(
      List<SetCount> counts, AffinityPlan plan, int executors, int windowRows, long memory) {
    int holders = counts.size() * ADAPTER_BYTES <= memory ? executors : Integer.MAX_VALUE;
    long rows = 0;
    long loads = 0;
    long plannedLoads = 0;
    long runs = 0;
    for (SetCount count : counts) {
      int members = SetKeys.members(count.key());
      rows += count.rows();
      loads += members * Math.min(count.parts(), holders);
      plannedLoads += members * Math.min(plan.places(count.key()).size(), holders);
      runs += members == 0 ? 0 : count.windows();
    }
    return new AffinityGain(
        rows, plan.partitions(), loads, plannedLoads, runs, plan.loads() + rows / windowRows);
  }

  long saved() {
    return LOAD_TOKENS * (loads - plannedLoads) + MERGE_TOKENS * (runs - plannedRuns);
  }

  long spent() {
    return ROW_TOKENS * rows + TASK_TOKENS * 2 * partitions + START_TOKENS;
  }

  boolean pays() {
    return saved() > spent();
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "saves %d tokens = %d · (%d - %d loads) + %d · (%d - %d runs),"
            + " costs %d = %d · %d rows + %d · 2 · %d partitions + %d",
        saved(),
        LOAD_TOKENS,
        loads,
        plannedLoads,
        MERGE_TOKENS,
        runs,
        plannedRuns,
        spent(),
        ROW_TOKENS,
        rows,
        TASK_TOKENS,
        partitions,
        START_TOKENS);
  }
}
