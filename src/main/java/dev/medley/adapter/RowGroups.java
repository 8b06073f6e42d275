package dev.medley.adapter;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * The rows of a batch as contiguous slices, each of one adapter set.
 *
 * @param bank where short slices' low-rank shares may be taken from; null for nowhere
 */
public record RowGroups(List<Slice> slices, LowRankBank bank) {

  /**
   * Rows {@code start} up to, not including, {@code end}.
   *
   * @param merged memory for weights that the set is merged into; null where its share is added to
   *     the base's product
   */
  public record Slice(int start, int end, AdapterSet set, MergedWeights merged) {
    /** Number of rows. */
    public int size() {
      return end - start;
    }
  }

  /** Groups neighbours of the same set, by identity. */
  public static RowGroups of(List<? extends AdapterSet> sets) {
    List<Slice> slices = new ArrayList<>();
    int start = 0;
    for (int row = 1; row <= sets.size(); row++) {
      if (row == sets.size() || sets.get(row) != sets.get(start)) {
        slices.add(new Slice(start, row, sets.get(start), null));
        start = row;
      }
    }
    return new RowGroups(List.copyOf(slices), null);
  }

  /** The same with a bank. */
  public RowGroups with(LowRankBank other) {
    return new RowGroups(slices, other);
  }

  /** The same with memory for merged weights; null for sets that are not to be merged. */
  public RowGroups merging(Function<AdapterSet, MergedWeights> memory) {
    List<Slice> merging =
        slices.stream().map(s -> new Slice(s.start, s.end, s.set, memory.apply(s.set))).toList();
    return new RowGroups(merging, bank);
  }

  /** All rows of one set. */
  public static RowGroups all(int rows, AdapterSet set) {
    return new RowGroups(List.of(new Slice(0, rows, set, null)), null);
  }

  /** The same for tokens side by side, {@code lengths} of them for each row. */
  public RowGroups ofTokens(int[] lengths) {
    List<Slice> ofTokens = new ArrayList<>();
    int row = 0;
    int start = 0;
    for (Slice slice : slices) {
      int end = start;
      for (; row < slice.end; row++) {
        end += lengths[row];
      }
      ofTokens.add(new Slice(start, end, slice.set, slice.merged));
      start = end;
    }
    return new RowGroups(List.copyOf(ofTokens), bank);
  }

  /** Whether any slice's set passes. */
  public boolean any(Predicate<AdapterSet> test) {
    return slices.stream().anyMatch(slice -> test.test(slice.set()));
  }
}
