package dev.medley.engine;

import java.util.ArrayList;
import java.util.Collections;
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

  /** Throws IllegalArgumentException where nobody is told of the progress. */
  public MergeOptions {
    PeftModel.given(progress, "progress");
    // names that are null are refused where all names are looked up
    adapterNames =
        adapterNames == null ? null : Collections.unmodifiableList(new ArrayList<>(adapterNames));
  }

  /** How far a merge is: PEFT's {@code progressbar}. */
  @FunctionalInterface
  public interface Progress {
    /** After each tensor: how many of all are written. */
    void written(int done, int all);
  }

  /** The same with these adapters in place of the active ones. */
  public MergeOptions adapterNames(List<String> names) {
    return new MergeOptions(names, progress);
  }

  /** The same, telling of its progress. */
  public MergeOptions progress(Progress listener) {
    return new MergeOptions(adapterNames, listener);
  }
}
