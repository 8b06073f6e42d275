package dev.medley.engine;

import dev.medley.adapter.Work;
import java.util.Locale;
import java.util.function.Supplier;

/** Chooses how a set is applied to the rows of a run. */
final class Planner {
  private final Merging merging;
  private final int bytes;
  private final Supplier<CostModel> cost;

  /** How a set is applied. */
  enum Mode {
    /** Not at all: the rows are the base's. */
    BASE,
    /** Its shares are added to the base's products. */
    ADDED,
    /** Merged once, for all batches of its run. */
    MERGED,
    /** Merged anew for each product. */
    SCRATCH;

    /** As a {@link Lineage} has it. */
    String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * The rows of one set in a window.
   *
   * @param tokens of all of them
   * @param batches that they are in
   * @param alone whether no other set is in those
   */
  record Run(long tokens, int batches, boolean alone) {}

  /**
   * By cost and what the spec allows.
   *
   * @param bytes of a number
   * @param cost measured when first asked for
   */
  Planner(Merging merging, int bytes, Supplier<CostModel> cost) {
    this.merging = merging;
    this.bytes = bytes;
    this.cost = cost;
  }

  /** Measures costs now if they will be asked for: later there may be work beside it. */
  void prepare() {
    if (merging.mode() == Merging.Mode.AUTO) {
      cost.get();
    }
  }

  /** How to apply a set that costs so much. */
  Mode mode(Work work, Run run) {
    if (work.maps() == 0) {
      return Mode.ADDED; // it has nothing to merge
    }
    Mode merged = run.batches > 1 && fits(work) ? Mode.MERGED : Mode.SCRATCH;
    return switch (merging.mode()) {
      case NEVER -> Mode.ADDED;
      case RUN -> merged;
      case LAYER -> Mode.SCRATCH;
      case AUTO ->
          seconds(Mode.ADDED, work, run) <= seconds(merged, work, run) ? Mode.ADDED : merged;
    };
  }

  /** What a set costs in a run beside the base's products, in seconds. */
  double seconds(Mode mode, Work work, Run run) {
    CostModel costs = cost.get();
    double apart = run.alone ? 0 : run.batches * costs.apart(work);
    return switch (mode) {
      case BASE -> 0;
      case ADDED -> run.batches * costs.adding(work, (double) run.tokens / run.batches);
      case MERGED -> costs.merging(work) + apart;
      case SCRATCH -> run.batches * costs.merging(work) + apart;
    };
  }

  /** Bytes of a set's merged weights, or more where members change the same. */
  long memory(Work work) {
    return (long) (work.numbers() * bytes);
  }

  private boolean fits(Work work) {
    return memory(work) <= merging.memory();
  }
}
