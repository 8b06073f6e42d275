package dev.medley.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.medley.model.layer.CausalBatch;
import java.util.Arrays;
import java.util.List;

/**
 * Rows of token ids, padded on the right to the longest. Arrays are made on the device of {@code
 * owner} and belong to it.
 */
public final class TokenBatch {
  private final NDManager owner;
  private final List<long[]> ids;
  private final List<long[]> typeIds;
  private final int width;

  /** Each row's {@code input_ids} and {@code token_type_ids}, unpadded. */
  public TokenBatch(NDManager owner, List<long[]> ids, List<long[]> typeIds) {
    this.owner = owner;
    this.ids = ids;
    this.typeIds = typeIds;
    this.width = ids.stream().mapToInt(row -> row.length).max().orElseThrow();
  }

  /** Number of rows. */
  public int rows() {
    return ids.size();
  }

  /** Number of tokens of the longest row. */
  public int width() {
    return width;
  }

  /** Number of tokens of each row. */
  public int[] lengths() {
    return ids.stream().mapToInt(row -> row.length).toArray();
  }

  /** {@code input_ids} of each row, not padded. */
  public List<long[]> unpadded() {
    return ids;
  }

  /** The same rows without padding. */
  CausalBatch sideBySide() {
    return CausalBatch.of(owner, ids);
  }

  /** {@code input_ids} [n, t], padded with {@code padding}. */
  public NDArray ids(long padding) {
    return padded(ids, padding);
  }

  /** {@code token_type_ids} [n, t], padded with 0. */
  public NDArray typeIds() {
    return padded(typeIds, 0);
  }

  /** Keys that attention may see, bool [n, t]; null when no row is padded, so that all are. */
  public NDArray mask() {
    return ids.stream().allMatch(row -> row.length == width) ? null : realTokens();
  }

  /** True for real tokens and false for padding, bool [n, t]. */
  public NDArray realTokens() {
    boolean[] real = new boolean[rows() * width];
    for (int row = 0; row < rows(); row++) {
      Arrays.fill(real, row * width, row * width + ids.get(row).length, true);
    }
    return owner.create(real, new Shape(rows(), width));
  }

  /** 0, 1, 2 … in each row, [n, t]. */
  public NDArray positions() {
    long[] positions = new long[width];
    Arrays.setAll(positions, i -> i);
    return padded(ids.stream().map(row -> Arrays.copyOf(positions, row.length)).toList(), 0);
  }

  /** Positions that count only tokens other than {@code padding}, from padding + 1 on, [n, t]. */
  public NDArray positionsAfter(long padding) {
    return padded(ids.stream().map(row -> count(row, padding)).toList(), padding);
  }

  private static long[] count(long[] row, long padding) {
    long[] positions = new long[row.length];
    long next = padding;
    for (int i = 0; i < row.length; i++) {
      positions[i] = row[i] == padding ? padding : ++next;
    }
    return positions;
  }

  private NDArray padded(List<long[]> values, long padding) {
    long[] flat = new long[rows() * width];
    Arrays.fill(flat, padding);
    for (int row = 0; row < rows(); row++) {
      System.arraycopy(values.get(row), 0, flat, row * width, values.get(row).length);
    }
    return owner.create(flat, new Shape(rows(), width));
  }
}
