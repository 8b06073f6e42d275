package dev.medley.engine;

import dev.medley.engine.SetUses.Use;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.ObjLongConsumer;

/**
 * Counts what one thread's run does, for whoever started it to take out while it goes on. Only that
 * thread touches it.
 */
public final class Meter {
  /** Sets that are told apart until they are taken out. */
  private static final int SETS = 256;

  private static final long NANOS = 1_000_000; // of a millisecond

  private final long[] counts = new long[Metric.values().length];
  private final SetUses sets = new SetUses(SETS);
  private long forwardNanos;
  private long loadNanos;

  /**
   * The rows of one set in a pass.
   *
   * @param set as {@link AdapterRef} writes it
   */
  record Part(String set, Planner.Mode mode, long tokens) {}

  /** Counts something that happened. */
  public void add(Metric metric, long amount) {
    counts[metric.ordinal()] += amount;
  }

  /** Rows of a set that have their results, and windows that had some of it. */
  void rows(String set, long rows, long runs) {
    sets.add(set, new Use(rows, runs, 0, 0, Set.of()));
  }

  /** A pass of a batch. */
  void pass(List<Part> parts, long padding, long nanos) {
    long tokens = parts.stream().mapToLong(Part::tokens).sum();
    Set<Planner.Mode> modes = EnumSet.noneOf(Planner.Mode.class);
    for (Part part : parts) {
      modes.add(part.mode);
      long share = nanos * part.tokens / tokens;
      sets.add(part.set, new Use(0, 0, part.tokens, share, Set.of(part.mode.word())));
    }
    modes.forEach(mode -> add(metric(mode), 1));
    add(Metric.FORWARDS, 1);
    add(Metric.TOKENS, tokens);
    add(Metric.PADDING_TOKENS, padding);
    forwardNanos += nanos;
  }

  /** An adapter that was read. */
  void load(long bytes, long nanos) {
    add(Metric.ADAPTER_LOADS, 1);
    add(Metric.ADAPTER_BYTES, bytes);
    loadNanos += nanos;
  }

  /** Takes out all that was counted since the last time. */
  public void drain(ObjLongConsumer<Metric> into, SetUses intoSets) {
    add(Metric.FORWARD_MS, forwardNanos / NANOS);
    add(Metric.ADAPTER_LOAD_MS, loadNanos / NANOS);
    forwardNanos %= NANOS;
    loadNanos %= NANOS;
    for (Metric metric : Metric.values()) {
      if (counts[metric.ordinal()] != 0) {
        into.accept(metric, counts[metric.ordinal()]);
        counts[metric.ordinal()] = 0;
      }
    }
    intoSets.add(sets);
    sets.clear();
  }

  private static Metric metric(Planner.Mode mode) {
    return switch (mode) {
      case BASE -> Metric.FORWARDS_BASE;
      case ADDED -> Metric.FORWARDS_ADDED;
      case MERGED -> Metric.FORWARDS_MERGED;
      case SCRATCH -> Metric.FORWARDS_SCRATCH;
    };
  }
}
