package dev.medley.engine;

import java.util.Locale;

/** What is counted while rows are scored. */
public enum Metric {
  /** That came out, those in error too. */
  ROWS,
  /** That the model is done with, those that wait for rows before them to come out included. */
  SCORED,
  /** That went through the model; in generation prompts, and each token that was made. */
  TOKENS,
  /**
   * Places without a token that a task's head was given beside them, since it takes rows as long as
   * the batch's longest. The layers before it take none, and generation has none.
   */
  PADDING_TOKENS,
  /** Passes of a batch through the model; in generation steps. */
  FORWARDS,
  /** Those that had rows of the base alone; a pass with rows of several modes counts for each. */
  FORWARDS_BASE,
  /** Those that had rows to whose products their set's shares were added. */
  FORWARDS_ADDED,
  /** Those that had rows whose set was merged once for a run. */
  FORWARDS_MERGED,
  /** Those that had rows whose set was merged anew for each product. */
  FORWARDS_SCRATCH,
  /** Milliseconds that passes took, heads and merging included, loads and tokenising not. */
  FORWARD_MS,
  /** Adapters read from files. */
  ADAPTER_LOADS,
  /** How often an adapter or a set that a batch needed was in memory, or on its way there. */
  ADAPTER_HITS,
  /** Adapters and sets that went, since all together were over the budget. */
  ADAPTER_EVICTIONS,
  /** Bytes of the tensors of adapters that were read. */
  ADAPTER_BYTES,
  /** Milliseconds that rows waited for adapters to be read. */
  ADAPTER_LOAD_MS,
  /** Files that came from remote storage, bases' and adapters'; one in a cache folder does not. */
  DOWNLOADS,
  /** Their bytes. */
  DOWNLOADED_BYTES;

  /** Such as {@code adapter_loads}. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
