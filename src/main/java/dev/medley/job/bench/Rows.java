package dev.medley.job.bench;

import dev.medley.engine.Request;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Rows to score.
 *
 * @param lengths of the texts in tokens
 * @param sets each row's adapter or adapters, {@code a+b}; null for the base alone
 */
record Rows(List<String> texts, int[] lengths, List<String> sets) {
  /** The same texts under the base. */
  Rows underBase() {
    return new Rows(texts, lengths, Collections.nCopies(texts.size(), null));
  }

  /** The first rows. */
  Rows first(int count) {
    int n = Math.min(count, size());
    return new Rows(texts.subList(0, n), Arrays.copyOf(lengths, n), sets.subList(0, n));
  }

  int size() {
    return texts.size();
  }

  long tokens() {
    return Arrays.stream(lengths).asLongStream().sum();
  }

  List<Request> requests() {
    return IntStream.range(0, size()).mapToObj(i -> Request.of(texts.get(i), sets.get(i))).toList();
  }

  /**
   * Rows by their numbers, sorted by length within neighbours of one set, in batches as the engine
   * makes them.
   *
   * @param maxRows of a batch
   * @param maxTokens of a batch, padding included
   * @param alone whether a batch holds rows of one set only
   */
  List<List<Integer>> batches(int maxRows, int maxTokens, boolean alone) {
    List<String> order = sets.stream().distinct().toList();
    List<Integer> sorted =
        IntStream.range(0, size())
            .boxed()
            .sorted(
                Comparator.<Integer>comparingInt(i -> order.indexOf(sets.get(i)))
                    .thenComparingInt(i -> lengths[i]))
            .toList();
    List<List<Integer>> batches = new ArrayList<>();
    List<Integer> batch = new ArrayList<>();
    int width = 0;
    for (int row : sorted) {
      int wider = Math.max(width, lengths[row]);
      boolean isFull = batch.size() == maxRows || (batch.size() + 1) * wider > maxTokens;
      boolean isForeign =
          alone && !batch.isEmpty() && !Objects.equals(sets.get(batch.get(0)), sets.get(row));
      if (!batch.isEmpty() && (isFull || isForeign)) {
        batches.add(batch);
        batch = new ArrayList<>();
        wider = lengths[row];
      }
      batch.add(row);
      width = wider;
    }
    if (!batch.isEmpty()) {
      batches.add(batch);
    }
    return batches;
  }
}
