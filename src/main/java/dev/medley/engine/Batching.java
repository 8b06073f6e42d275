package dev.medley.engine;

import java.io.Serializable;

/**
 * How rows are put together.
 *
 * @param batchSize most rows of a forward pass
 * @param batchTokens most tokens of a forward pass; a longer row goes alone
 * @param windowRows rows that are read, sorted and scored before any of them is given back, while
 *     as many more are read
 * @param maxLength most tokens of a row; 0 for the model's own limit
 * @param cacheMemory most bytes that a task takes for keys and values of texts that it generates; 0
 *     for room for {@code batchSize} rows of 1024 tokens, but at most 2 GiB
 * @param truncation whether longer rows are cut, which their result says, or fail
 */
public record Batching(
    int batchSize,
    int batchTokens,
    int windowRows,
    int maxLength,
    boolean truncation,
    long cacheMemory)
    implements Serializable {
  /** 32 rows, 4096 tokens, windows of 8192 rows, the model's limit, truncation. */
  public static final Batching DEFAULT = new Batching(32, 4096, 8192, 0, true, 0);

  private static final int ROW_TOKENS = 1024;

  private static final long CACHE_MEMORY = 2L << 30;

  private static final int MOST_TOKENS = 1 << 30;

  /** Throws IllegalArgumentException for a number below its least. */
  public Batching {
    atLeast("batch-size", batchSize, 1);
    atLeast("batch-tokens", batchTokens, 1);
    atLeast("window-rows", windowRows, 1);
    atLeast("max-length", maxLength, 0);
    atLeast("cache-memory", cacheMemory, 0);
  }

  /** The same without a word on memory for generation. */
  public Batching(
      int batchSize, int batchTokens, int windowRows, int maxLength, boolean truncation) {
    this(batchSize, batchTokens, windowRows, maxLength, truncation, 0);
  }

  /** The same with one row in a pass, whole however long it is. */
  Batching alone() {
    return new Batching(1, MOST_TOKENS, windowRows, maxLength, truncation, cacheMemory);
  }

  /**
   * How many tokens' keys and values a task holds.
   *
   * @param rows that it has room for
   * @param tokenBytes bytes of one token's
   * @param positions of the model
   */
  long cacheTokens(int rows, long tokenBytes, int positions) {
    long room = (long) rows * Math.min(positions, ROW_TOKENS);
    long bytes = cacheMemory > 0 ? cacheMemory : Math.min(room * tokenBytes, CACHE_MEMORY);
    return Math.max(1, bytes / tokenBytes);
  }

  private static void atLeast(String name, long value, long least) {
    if (value < least) {
      throw new IllegalArgumentException(name + ": expected at least " + least + ", got " + value);
    }
  }
}
