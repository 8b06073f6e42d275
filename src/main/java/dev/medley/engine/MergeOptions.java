package dev.medley.engine;

import java.util.List;

/**
 * The options of PEFT's {@code merge_and_unload}. {@code safe_merge} is no option: the merged
 * numbers are always checked before anything appears under its name.
 *
 * @param adapterNames to merge, in order; null for the active ones
 * @param progress told of every tensor
 */
public record MergeOptions(List<String> adapterNames, Progress progress) {
  /** The active adapters, without a word. */
  public static final MergeOptions DEFAULT = new MergeOptions(null, (done, all) -> {});

  /** How far a merge is: PEFT's {@code progressbar}. */
  @FunctionalInterface
  public interface Progress {
    /** After each tensor: how many of all are written. */
    void written(int done, int all);
  }

  /** The same with these adapters in place of the active ones. */
  public MergeOptions adapterNames(List<String> names) {
    return new MergeOptions(List.copyOf(names), progress);
  }

  /** The same, telling of its progress. */
  public MergeOptions progress(Progress listener) {
    return new MergeOptions(adapterNames, listener);
  }
}
