package dev.medley.engine;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Puts the rows of a window together: integers in, integers out. */
final class Batches {
  private Batches() {}

  /**
   * One row.
   *
   * @param set number of its adapter set
   * @param length in tokens
   */
  record Row(int index, int set, int length) {}

  /**
   * Rows of one set in a batch.
   *
   * @param run all that the window has of the set
   */
  record Part(int set, List<Row> rows, Planner.Run run) {
    int tokens() {
      return Batches.tokens(rows);
    }
  }

  /** Rows of one forward pass. */
  record Batch(List<Part> parts) {
    int rows() {
      return parts.stream().mapToInt(part -> part.rows.size()).sum();
    }

    int tokens() {
      return parts.stream().mapToInt(Part::tokens).sum();
    }

    /**
     * Its first rows and its last ones, each half a batch of its own; where it has one row, that
     * alone.
     */
    List<Batch> halves() {
      int rows = rows();
      return rows == 1 ? List.of(this) : List.of(some(0, rows / 2), some(rows / 2, rows));
    }

    private Batch some(int from, int to) {
      List<List<Row>> kept = new ArrayList<>();
      int start = 0;
      for (Part part : parts) {
        int end = start + part.rows.size();
        if (Math.max(start, from) < Math.min(end, to)) {
          kept.add(part.rows.subList(Math.max(start, from) - start, Math.min(end, to) - start));
        }
        start = end;
      }
      return new Batch(
          kept.stream()
              .map(
                  rows ->
                      new Part(
                          rows.get(0).set,
                          rows,
                          new Planner.Run(Batches.tokens(rows), 1, kept.size() == 1)))
              .toList());
    }
  }

  /**
   * Batches of at most {@code batchSize} rows and {@code batchTokens} tokens; a longer row goes
   * alone. The rows of a set that would fill more than half of a batch have batches of their own,
   * all of much the same size; then come those of other sets, which share batches, whole. Which
   * rows are together depends on nothing but those before them and on what comes next, so a set
   * that is taken out leaves the batches before it as they are.
   *
   * @param sets in the order in which they are to come; null for that of their numbers
   */
  static List<Batch> of(List<Row> rows, int batchSize, int batchTokens, Comparator<Integer> sets) {
    Map<Integer, List<Row>> runs = new LinkedHashMap<>();
    rows.stream()
        .sorted(
            Comparator.comparing(Row::set, sets == null ? Comparator.naturalOrder() : sets)
                .thenComparingInt(Row::set)
                .thenComparingInt(Row::length))
        .forEach(row -> runs.computeIfAbsent(row.set, set -> new ArrayList<>()).add(row));
    List<Batch> batches = new ArrayList<>();
    List<Batch> mixed = new ArrayList<>();
    List<Part> shared = new ArrayList<>();
    int size = 0;
    int tokens = 0;
    for (List<Row> run : runs.values()) {
      int all = tokens(run);
      if (2 * run.size() > batchSize || 2L * all > batchTokens) {
        batches.addAll(alone(run, batchSize, batchTokens));
        continue;
      }
      if (size + run.size() > batchSize || tokens + all > batchTokens) {
        mixed.add(closed(shared));
        shared.clear();
        size = 0;
        tokens = 0;
      }
      shared.add(new Part(run.get(0).set, run, new Planner.Run(all, 1, false)));
      size += run.size();
      tokens += all;
    }
    if (!shared.isEmpty()) {
      mixed.add(closed(shared));
    }
    batches.addAll(mixed);
    return batches;
  }

  private static Batch closed(List<Part> parts) {
    if (parts.size() > 1) {
      return new Batch(List.copyOf(parts));
    }
    Part only = parts.get(0);
    return new Batch(
        List.of(new Part(only.set, only.rows, new Planner.Run(only.run.tokens(), 1, true))));
  }

  /** Rows dealt to n batches, to and fro, so that each has as many, of the same lengths. */
  private static List<Batch> alone(List<Row> run, int batchSize, int batchTokens) {
    int tokens = tokens(run);
    int n = Math.max(ceil(run.size(), batchSize), ceil(tokens, batchTokens));
    List<List<Row>> dealt = dealt(run, Math.min(n, run.size()));
    while (dealt.size() < run.size()
        && dealt.stream().anyMatch(rows -> tokens(rows) > batchTokens)) {
      dealt = dealt(run, dealt.size() + 1);
    }
    Planner.Run whole = new Planner.Run(tokens, dealt.size(), true);
    return dealt.stream()
        .map(rows -> new Batch(List.of(new Part(rows.get(0).set, rows, whole))))
        .toList();
  }

  private static List<List<Row>> dealt(List<Row> run, int n) {
    List<List<Row>> dealt = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      dealt.add(new ArrayList<>());
    }
    for (int i = 0; i < run.size(); i++) {
      int place = i % (2 * n);
      Row row = run.get(run.size() - 1 - i); // the longest first
      dealt.get(place < n ? place : 2 * n - 1 - place).add(row);
    }
    dealt.forEach(Collections::reverse);
    return dealt;
  }

  private static int tokens(List<Row> rows) {
    return rows.stream().mapToInt(Row::length).sum();
  }

  private static int ceil(int number, int by) {
    return (number + by - 1) / by;
  }
}
