package dev.medley.spark;

import dev.medley.engine.AdapterRef;
import dev.medley.engine.EngineSpec;
import dev.medley.io.Storage;
import dev.medley.spark.SetCounts.SetCount;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What the rows of an input ask for, and where they would be scored, found by the pass that adapter
 * affinity makes and nothing more.
 *
 * @param sets with rows, the most tokens first
 * @param errors rows that name no adapter that there is
 * @param partitions of the input
 * @param moved whether rows would be moved to their adapters
 * @param affinity the same in words, and why
 * @param loads adapters read where rows stay
 * @param plannedLoads and where they are moved
 */
public record InputCounts(
    List<OfSet> sets,
    long errors,
    int partitions,
    boolean moved,
    String affinity,
    long loads,
    long plannedLoads) {

  /**
   * The rows of one set.
   *
   * @param tokens of all of them, told from the bytes of their texts
   * @param partitions that it would be scored in
   * @param runs pairs of a partition and a window in it that it would be scored in
   */
  public record OfSet(AdapterRef set, long rows, long tokens, long partitions, long runs) {}

  /**
   * Reads the adapter column and the lengths of texts, once.
   *
   * @param spec as {@code Validation} gives it back
   */
  public static InputCounts of(
      Dataset<Row> rows, EngineSpec spec, ScoringColumns columns, AdapterAffinity affinity) {
    Storage storage = ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(rows.sparkSession()));
    int partitions = rows.rdd().getNumPartitions();
    String stay = reasonToStay(rows, partitions, spec, columns, affinity);
    AffinityStep step =
        AffinityStep.of(
            rows, Math.max(1, partitions), Scoring.withAbsolutePaths(spec), columns, storage);
    boolean moved = stay == null && step.moves(affinity);
    List<OfSet> sets = new ArrayList<>();
    long errors = 0;
    for (SetCount count : step.counts()) {
      errors += count.errors();
      long good = count.rows() - count.errors();
      if (good > 0) {
        long places = moved ? step.plan().places(count.key()).size() : count.parts();
        long windows = moved ? places + good / spec.batching().windowRows() : count.windows();
        sets.add(
            new OfSet(
                count.key().equals(SetKeys.BASE)
                    ? new AdapterRef(List.of())
                    : AdapterRef.parse(List.of(count.key())),
                good,
                count.tokens() - count.errors() * TokenEstimate.ERROR,
                Math.min(good, places),
                Math.min(good, windows)));
      }
    }
    return new InputCounts(
        List.copyOf(sets),
        errors,
        partitions,
        moved,
        stay == null
            ? step.decision(affinity)
            : "off: " + stay + "; the plan would be " + step.plan() + "; it " + step.gain(),
        step.gain().loads(),
        step.gain().plannedLoads());
  }

  /** Why rows would not be moved whatever the plan; null where the plan decides. */
  private static String reasonToStay(
      Dataset<Row> rows,
      int partitions,
      EngineSpec spec,
      ScoringColumns columns,
      AdapterAffinity affinity) {
    if (Scoring.mayMove(rows.isStreaming(), spec, columns, affinity)) {
      return AffinityStep.reasonToStay(affinity, rows, partitions);
    }
    if (affinity == AdapterAffinity.OFF) {
      return "so it is set";
    }
    return columns.adapter() == null
        ? "no column of adapters"
        : "fewer than " + AdapterAffinity.LEAST_SETS + " adapters and sets have names";
  }
}
