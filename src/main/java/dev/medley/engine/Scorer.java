package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.MergedWeights;
import dev.medley.adapter.RowGroups;
import dev.medley.engine.Batches.Batch;
import dev.medley.engine.Batches.Part;
import dev.medley.engine.Leases.Leased;
import dev.medley.engine.Origins.Applied;
import dev.medley.engine.Planner.Mode;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.RowReader.Row;
import dev.medley.model.Labels;
import dev.medley.model.TokenBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Future;

/**
 * One thread's pass over a stream of requests: reads a window, scores it, gives it back in order.
 * While one window is scored the texts of the next become tokens, and while one batch is scored the
 * adapters of the next are read.
 *
 * <p>Owns memory for merged weights and the threads that look ahead, until it is closed or at its
 * end.
 */
final class Scorer implements Results {
  /** A window ends after so many rows per good row it may hold, so that bad rows cannot pile up. */
  private static final int ROWS_PER_GOOD_ROW = 4;

  /** No more than so many characters are read ahead. */
  private static final long CHARACTERS = 16L << 20;

  private static final Result NOT_FINITE =
      Result.failed(
          Code.LOGITS_NOT_FINITE,
          "expected finite numbers of the model, found NaN or infinity; its adapters are broken, or"
              + " too large for the run's dtype");

  private final Engine engine;
  private final OnePass task;
  private final RowReader reader;
  private final Batching batching;
  private final ArrayDeque<Result> ready = new ArrayDeque<>();
  private final Turns turns;
  private final Lookahead ahead = new Lookahead();
  private final Planner planner;
  private final MergeMemory memory;
  private final Origins origins;
  private final Meter meter;
  private final ArrayDeque<Row> read = new ArrayDeque<>();
  private Future<List<Row>> coming; // rows after those; null where none are being read
  private boolean broken;

  Scorer(
      Engine engine, OnePass task, Iterator<Request> requests, Runnable beforeBatch, Meter meter) {
    this.meter = meter;
    this.task = task;
    this.engine = engine;
    this.reader = new RowReader(engine, requests);
    this.turns = new Turns(engine, beforeBatch);
    this.batching = engine.spec().passes();
    this.planner = engine.planner();
    this.memory = engine.mergeMemory();
    this.origins = new Origins(engine);
  }

  @Override
  public boolean hasNext() {
    return !broken && (!ready.isEmpty() || !read.isEmpty() || coming != null || reader.hasNext());
  }

  @Override
  public Result next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    if (ready.isEmpty()) {
      broken = true; // whoever caught an exception and went on would miss rows
      engine.whileOpen(this::score);
      broken = false;
    }
    Result result = ready.poll();
    if (!hasNext()) {
      close();
    }
    return result;
  }

  @Override
  public long waitedNanos() {
    return turns.waitedNanos();
  }

  @Override
  public void close() {
    broken = true;
    ahead.close();
    memory.close();
  }

  private void score() {
    try {
      List<Row> window = window();
      if (window.stream().anyMatch(row -> row.result == null && row.choice.adapter() != null)) {
        planner.prepare();
      }
      if (coming == null && read.size() < batching.windowRows() && reader.hasNext()) {
        reader.endWindow();
        List<Request> following = requests();
        coming = ahead.begin(() -> reader.rows(following));
      }
      score(window);
    } finally {
      ahead.rest(); // the engine may be closed between windows
    }
  }

  /** Rows until there are enough good ones. */
  private List<Row> window() {
    List<Row> window = new ArrayList<>();
    int good = 0;
    while (good < batching.windowRows()
        && window.size() / ROWS_PER_GOOD_ROW < batching.windowRows()
        && fill()) {
      Row row = read.remove();
      good += row.result == null ? 1 : 0;
      window.add(row);
    }
    return window;
  }

  /** Whether there is a row, be it after waiting for it. */
  private boolean fill() {
    while (read.isEmpty() && (coming != null || reader.hasNext())) {
      read.addAll(coming == null ? reader.rows(requests()) : ahead.get(coming));
      coming = null;
    }
    return !read.isEmpty();
  }

  private List<Request> requests() {
    return reader.requests(batching.windowRows(), CHARACTERS);
  }

  private void score(List<Row> window) {
    List<Batches.Row> good = new ArrayList<>();
    Map<Integer, AdapterRef> sets = new HashMap<>(); // by number
    for (int i = 0; i < window.size(); i++) {
      Row row = window.get(i);
      if (row.result == null) {
        good.add(new Batches.Row(i, row.choice.number(), row.tokens.ids().length));
        sets.put(row.choice.number(), row.choice.adapter());
      }
    }
    Set<Integer> there = new HashSet<>(sets.keySet());
    there.removeIf(number -> sets.get(number) != null && !engine.store().holds(sets.get(number)));
    Comparator<Integer> order = // what is in memory would be evicted by what is read first
        Comparator.comparing((Integer number) -> !there.contains(number));
    List<Batch> plan = plan(good, order);
    int next = 0;
    try (Leases leases = new Leases(engine.store(), ahead, meter)) {
      while (next < plan.size()) {
        turns.check();
        Map<AdapterRef, Leased> adapters = leases.take(adapters(plan, sets, next, next + 2));
        if (fail(adapters, good, window)) {
          plan = plan(good, order); // as if those rows had never been; the same up to here
          continue;
        }
        leases.expect(adapters(plan, sets, next + 2, next + 3));
        score(plan.get(next++), window, adapters);
      }
    }
    Map<AdapterRef, Integer> scored = new HashMap<>();
    good.forEach(row -> scored.merge(window.get(row.index()).ref(), 1, Integer::sum));
    scored.forEach((ref, rows) -> meter.rows(ref.toString(), rows, 1));
    window.forEach(row -> ready.add(origins.of(row)));
  }

  private List<Batch> plan(List<Batches.Row> rows, Comparator<Integer> order) {
    return Batches.of(rows, batching.batchSize(), batching.batchTokens(), order);
  }

  /** What the batches from one place of the plan to another need. */
  private static List<AdapterRef> adapters(
      List<Batch> plan, Map<Integer, AdapterRef> sets, int from, int to) {
    return plan.stream()
        .limit(to)
        .skip(from)
        .flatMap(batch -> batch.parts().stream())
        .map(part -> sets.get(part.set()))
        .filter(Objects::nonNull)
        .distinct()
        .toList();
  }

  /**
   * Gives all rows of adapters that cannot be used their error, and takes them out; whether there
   * were any.
   */
  private boolean fail(Map<AdapterRef, Leased> adapters, List<Batches.Row> good, List<Row> window) {
    Map<AdapterRef, Result> errors = new HashMap<>();
    adapters.forEach((ref, leased) -> errors.put(ref, error(ref, leased)));
    errors.values().removeIf(Objects::isNull);
    return !errors.isEmpty()
        && good.removeIf(
            at -> {
              Row row = window.get(at.index());
              Result error = errors.get(row.choice.adapter());
              if (error != null) {
                reader.fail(row, error);
              }
              return error != null;
            });
  }

  /** A batch in one forward pass, or in halves as often as the device has no memory for it. */
  private void score(Batch batch, List<Row> window, Map<AdapterRef, Leased> adapters) {
    boolean isRow = batch.rows() == 1;
    if (isRow || batch.tokens() <= turns.tokens()) {
      Runnable pass = () -> forward(batch, window, adapters);
      if (turns.pass(batch.tokens(), pass)) {
        return;
      }
      memory.close(); // merged weights take some, too, and half of them may be missing
      if (isRow) {
        if (!turns.alone(batch.tokens(), pass)) {
          memory.close();
          Row row = window.get(batch.parts().get(0).rows().get(0).index());
          row.applied = null;
          reader.fail(row, turns.tooLarge());
        }
        return;
      }
    }
    batch.halves().forEach(half -> score(half, window, adapters));
  }

  private void forward(Batch batch, List<Row> window, Map<AdapterRef, Leased> adapters) {
    List<Row> rows = new ArrayList<>();
    List<AdapterSet> sets = new ArrayList<>();
    Map<AdapterSet, Labels> labels = new HashMap<>();
    Map<AdapterSet, MergedWeights> merged = new HashMap<>();
    List<Meter.Part> measured = new ArrayList<>();
    long start = System.nanoTime();
    for (Part part : batch.parts()) {
      List<Row> ofPart = part.rows().stream().map(row -> window.get(row.index())).toList();
      AdapterRef ref = ofPart.get(0).choice.adapter();
      AdapterSet set = ref == null ? AdapterSet.BASE : adapters.get(ref).lease().set();
      Mode mode = ref == null ? Mode.BASE : planner.mode(set.work(), part.run());
      if (ref != null) {
        labels.put(set, adapters.get(ref).lease().headLabels());
        merged.put(set, memory.of(mode, set));
      }
      List<Lineage.Member> content = ref == null ? List.of() : adapters.get(ref).lease().content();
      measured.add(new Meter.Part(ofPart.get(0).ref().toString(), mode, part.tokens()));
      ofPart.forEach(row -> row.applied = new Applied(mode, content, row.tokens.ids().length));
      rows.addAll(ofPart);
      sets.addAll(Collections.nCopies(ofPart.size(), set));
    }
    List<Tokens> encoded = rows.stream().map(row -> row.tokens).toList();
    try (NDManager scope = engine.base().owner().newSubManager()) {
      TokenBatch tokens =
          new TokenBatch(
              scope,
              encoded.stream().map(Tokens::ids).toList(),
              encoded.stream().map(Tokens::typeIds).toList());
      RowGroups groups = RowGroups.of(sets).merging(merged::get);
      NDArray hidden = engine.base().model().hidden(tokens, groups);
      Forward forward = new Forward(engine.base(), tokens, encoded, groups, labels);
      List<Prediction> predictions = task.predict(forward, hidden);
      int places = tokens.rows() * tokens.width();
      meter.pass(measured, places - batch.tokens(), System.nanoTime() - start);
      meter.add(Metric.SCORED, rows.size());
      for (int i = 0; i < rows.size(); i++) {
        if (predictions.get(i) == null) {
          reader.fail(rows.get(i), NOT_FINITE);
        } else {
          rows.get(i).result = new Result(predictions.get(i), warning(encoded.get(i)));
        }
      }
    }
  }

  /** What keeps a set's rows from being scored; null for nothing. */
  private Result error(AdapterRef ref, Leased leased) {
    return leased.problem() == null
        ? reader.missing(ref, leased.lease().set())
        : reader.unleased(leased.problem());
  }

  private static RowError warning(Tokens tokens) {
    return tokens.isTruncated()
        ? new RowError(
            Code.TEXT_TRUNCATED,
            "text: the first "
                + tokens.ids().length
                + " of "
                + tokens.total()
                + " tokens were scored")
        : null;
  }
}
