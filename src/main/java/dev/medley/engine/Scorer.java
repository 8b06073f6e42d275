package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.RowGroups;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.RowReader.Row;
import dev.medley.model.Labels;
import dev.medley.model.TokenBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * One thread's pass over a stream of requests: reads a window, scores it, gives it back in order.
 */
final class Scorer implements Results {
  /** A window ends after so many rows per good row it may hold, so that bad rows cannot pile up. */
  private static final int ROWS_PER_GOOD_ROW = 4;

  /** And after so many characters. */
  private static final long WINDOW_CHARACTERS = 64L << 20;

  private final Engine engine;
  private final OnePass task;
  private final RowReader reader;
  private final Batching batching;
  private final ArrayDeque<Result> ready = new ArrayDeque<>();

  private final Runnable beforeBatch;
  private boolean broken;

  Scorer(Engine engine, OnePass task, Iterator<Request> requests, Runnable beforeBatch) {
    this.task = task;
    this.engine = engine;
    this.reader = new RowReader(engine, requests);
    this.beforeBatch = beforeBatch;
    this.batching = engine.spec().batching();
  }

  @Override
  public boolean hasNext() {
    return !broken && (!ready.isEmpty() || reader.hasNext());
  }

  @Override
  public Result next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    if (ready.isEmpty()) {
      broken = true; // whoever caught an exception and went on would miss rows
      engine.whileOpen(() -> score(window()));
      broken = false;
    }
    return ready.poll();
  }

  @Override
  public void close() {
    broken = true; // nothing is held between windows
  }

  /** Reads rows until there are enough good ones. */
  private List<Row> window() {
    reader.endWindow();
    List<Row> rows = new ArrayList<>();
    int good = 0;
    long characters = 0;
    while (reader.hasNext()
        && good < batching.windowRows()
        && rows.size() / ROWS_PER_GOOD_ROW < batching.windowRows()
        && characters < WINDOW_CHARACTERS) {
      Row row = reader.next();
      if (row.result == null) {
        good++;
        characters += row.characters;
      }
      rows.add(row);
    }
    return rows;
  }

  private void score(List<Row> window) {
    List<Batches.Row> good = new ArrayList<>();
    for (int i = 0; i < window.size(); i++) {
      if (window.get(i).result == null) {
        Row row = window.get(i);
        good.add(new Batches.Row(i, row.choice.number(), row.tokens.ids().length));
      }
    }
    for (List<Batches.Row> batch : Batches.of(good, batching.batchSize(), batching.batchTokens())) {
      beforeBatch.run();
      forward(batch.stream().map(row -> window.get(row.index())).toList());
    }
    window.forEach(row -> ready.add(row.result));
  }

  private void forward(List<Row> rows) {
    Map<AdapterRef, Lease> leases = new LinkedHashMap<>();
    try (NDManager scope = engine.base().owner().newSubManager()) {
      List<Row> batch = rows.stream().filter(row -> hasAdapter(row, leases)).toList();
      if (batch.isEmpty()) {
        return;
      }
      Map<AdapterSet, Labels> labels = new HashMap<>();
      List<AdapterSet> sets = new ArrayList<>();
      for (Row row : batch) {
        Lease lease = leases.get(row.choice.adapter());
        sets.add(lease == null ? AdapterSet.BASE : lease.set());
        if (lease != null) {
          labels.put(lease.set(), lease.headLabels());
        }
      }
      List<Tokens> encoded = batch.stream().map(row -> row.tokens).toList();
      TokenBatch tokens =
          new TokenBatch(
              scope,
              encoded.stream().map(Tokens::ids).toList(),
              encoded.stream().map(Tokens::typeIds).toList());
      RowGroups groups = RowGroups.of(sets);
      NDArray hidden = engine.base().model().hidden(tokens, groups);
      Forward forward = new Forward(engine.base(), tokens, encoded, groups, labels);
      List<Prediction> predictions = task.predict(forward, hidden);
      for (int i = 0; i < batch.size(); i++) {
        batch.get(i).result = new Result(predictions.get(i), warning(encoded.get(i)));
      }
    } finally {
      leases.values().forEach(Lease::close);
    }
  }

  /** Leases the row's adapters unless that is done; false where that fails. */
  private boolean hasAdapter(Row row, Map<AdapterRef, Lease> leases) {
    AdapterRef adapter = row.choice.adapter();
    if (adapter == null || leases.containsKey(adapter)) {
      return true;
    }
    Lease lease = reader.lease(row);
    if (lease == null) {
      return false;
    }
    leases.put(adapter, lease);
    return true;
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
