package dev.medley.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.medley.model.layer.CausalBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Rows of token ids, side by side and without padding. Arrays are made on the device of {@code
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

  /** {@code input_ids} of all rows [tokens]. */
  NDArray ids() {
    return flat(ids);
  }

  /** {@code token_type_ids} of all rows [tokens]. */
  NDArray typeIds() {
    return flat(typeIds);
  }

  /** For each run of neighbouring rows of one length how many rows, and how many tokens each. */
  long[] runs() {
    List<Long> runs = new ArrayList<>();
    for (int row = 0; row < rows(); row++) {
      int last = runs.size() - 1;
      if (row > 0 && ids.get(row).length == ids.get(row - 1).length) {
        runs.set(last - 1, runs.get(last - 1) + 1);
      } else {
        runs.add(1L);
        runs.add((long) ids.get(row).length);
      }
    }
    return runs.stream().mapToLong(Long::longValue).toArray();
  }

  /** True for real tokens and false for padding to the longest row, bool [n, t]. */
  public NDArray realTokens() {
    boolean[] real = new boolean[rows() * width];
    for (int row = 0; row < rows(); row++) {
      Arrays.fill(real, row * width, row * width + ids.get(row).length, true);
    }
    return owner.create(real, new Shape(rows(), width));
  }

  /** 0, 1, 2 … in each row [tokens]. */
  NDArray positions() {
    long[] positions = new long[width];
    Arrays.setAll(positions, i -> i);
    return flat(ids.stream().map(row -> Arrays.copyOf(positions, row.length)).toList());
  }

  /** Positions that count only tokens other than {@code padding}, from padding + 1 on [tokens]. */
  NDArray positionsAfter(long padding) {
    return flat(ids.stream().map(row -> count(row, padding)).toList());
  }

  private static long[] count(long[] row, long padding) {
    long[] positions = new long[row.length];
    long next = padding;
    for (int i = 0; i < row.length; i++) {
      positions[i] = row[i] == padding ? padding : ++next;
    }
    return positions;
  }

  private NDArray flat(List<long[]> values) {
    return owner.create(values.stream().flatMapToLong(Arrays::stream).toArray());
  }
}
