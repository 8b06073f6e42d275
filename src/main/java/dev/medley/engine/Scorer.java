package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.RowGroups;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.RowError.Code;
import dev.medley.io.LoadException;
import dev.medley.io.Nearest;
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
import java.util.Set;

/**
 * One thread's pass over a stream of requests: reads a window, scores it, gives it back in order.
 */
final class Scorer implements Iterator<Result> {
  /** A window ends after so many rows per good row it may hold, so that bad rows cannot pile up. */
  private static final int ROWS_PER_GOOD_ROW = 4;

  /** And after so many characters. */
  private static final long WINDOW_CHARACTERS = 64L << 20;

  /** How many different contents of the adapter column are remembered between windows. */
  private static final int KEPT_CHOICES = 10_000;

  private final Engine engine;
  private final Iterator<Request> requests;
  private final Batching batching;
  private final ArrayDeque<Result> ready = new ArrayDeque<>();

  /** By what the adapter column holds: the adapters' names, or what is wrong with it. */
  private final Map<List<String>, Choice> choices = new HashMap<>();

  private final Map<AdapterRef, Integer> numbers = new HashMap<>();
  private final Runnable beforeBatch;
  private long position;
  private boolean broken;

  Scorer(Engine engine, Iterator<Request> requests, Runnable beforeBatch) {
    this.engine = engine;
    this.requests = requests;
    this.beforeBatch = beforeBatch;
    this.batching = engine.spec().batching();
  }

  @Override
  public boolean hasNext() {
    return !broken && (!ready.isEmpty() || requests.hasNext());
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

  /** Reads rows until there are enough good ones. */
  private List<Row> window() {
    if (choices.size() > KEPT_CHOICES) { // columns may hold ever new names that nobody has
      choices.clear();
      numbers.clear();
    }
    List<Row> rows = new ArrayList<>();
    int good = 0;
    long characters = 0;
    while (requests.hasNext()
        && good < batching.windowRows()
        && rows.size() / ROWS_PER_GOOD_ROW < batching.windowRows()
        && characters < WINDOW_CHARACTERS) {
      Request request = requests.next();
      Row row = read(request);
      row.position = position++;
      if (row.result != null) {
        failIfAsked(row);
      } else {
        good++;
        characters += request.text().length();
      }
      rows.add(row);
    }
    return rows;
  }

  private void failIfAsked(Row row) {
    if (engine.spec().onError() == OnError.FAIL && row.result.prediction() == null) {
      throw new RowException(row.position, row.result.error());
    }
  }

  private Row read(Request request) {
    if (request.text() == null) {
      return new Row(Result.failed(Code.TEXT_NULL, "text: expected a string, found null"));
    }
    if (request.text().isEmpty()) {
      return new Row(Result.failed(Code.TEXT_EMPTY, "text: expected a character, found none"));
    }
    Choice choice = choices.computeIfAbsent(request.adapter(), this::choose);
    if (choice.error != null) {
      return new Row(choice.error);
    }
    Tokens tokens = engine.tokenizer().encode(request.text());
    if (tokens.ids().length == 0) {
      return new Row(Result.failed(Code.TEXT_EMPTY, "text: expected a token, found none"));
    }
    int vocabSize = engine.base().model().vocabSize();
    for (int i = 0; i < tokens.ids().length; i++) {
      if (tokens.ids()[i] >= vocabSize) {
        return new Row(
            Result.failed(
                Code.TOKEN_UNKNOWN,
                "text: the tokenizer gives "
                    + tokens.words()[i]
                    + " the id "
                    + tokens.ids()[i]
                    + ", and the model has embeddings for ids below "
                    + vocabSize));
      }
    }
    if (tokens.isTruncated() && !batching.truncation()) {
      return new Row(
          Result.failed(
              Code.TEXT_TOO_LONG,
              "text: expected at most "
                  + engine.tokenizer().maxTokens()
                  + " tokens, found "
                  + tokens.total()));
    }
    return new Row(choice, tokens);
  }

  /** Finds the adapter and loads it once, so that a broken one is known before rows are batched. */
  private Choice choose(List<String> column) {
    AdapterRef ref;
    try {
      ref = AdapterRef.parse(column).expand(engine.sets());
    } catch (IllegalArgumentException e) {
      return Choice.failed(Code.ADAPTER_SYNTAX, e.getMessage());
    }
    if (ref.members().isEmpty()) {
      return usable(new Choice(null, numberOf(ref), null), AdapterSet.BASE);
    }
    for (AdapterRef.Member member : ref.members()) {
      if (!engine.store().knows(member.name())) {
        return Choice.failed(Code.ADAPTER_UNKNOWN, unknown(member.name()));
      }
    }
    try (Lease lease = engine.store().lease(ref)) {
      return usable(new Choice(ref, numberOf(ref), null), lease.set());
    } catch (LoadException e) {
      return Choice.failed(Code.ADAPTER_UNFIT, e.getMessage());
    }
  }

  /** Different spellings of one set are neighbours when rows are sorted. */
  private int numberOf(AdapterRef ref) {
    return numbers.computeIfAbsent(ref, key -> numbers.size());
  }

  private String unknown(String name) {
    Set<String> known = engine.store().names();
    known.addAll(engine.sets().keySet());
    return "adapter: no adapter is named "
        + name
        + Nearest.name(name, known).map(other -> "; did you mean " + other + "?").orElse("");
  }

  /** A head that neither the base nor the set has is never made up. */
  private Choice usable(Choice choice, AdapterSet set) {
    List<String> missing =
        engine.base().model().absent().stream()
            .filter(parameter -> set.parameter(parameter) == null)
            .toList();
    return missing.isEmpty()
        ? choice
        : Choice.failed(
            Code.HEAD_MISSING,
            engine.spec().task().pipeline()
                + ": the base has no "
                + String.join(", ", missing)
                + (choice.adapter == null ? "" : ", nor has adapter " + choice.adapter));
  }

  private void score(List<Row> window) {
    List<Batches.Row> good = new ArrayList<>();
    for (int i = 0; i < window.size(); i++) {
      if (window.get(i).result == null) {
        Row row = window.get(i);
        good.add(new Batches.Row(i, row.choice.number, row.tokens.ids().length));
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
        Lease lease = leases.get(row.choice.adapter);
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
      List<Prediction> predictions = engine.spec().task().predict(forward, hidden);
      for (int i = 0; i < batch.size(); i++) {
        batch.get(i).result = new Result(predictions.get(i), warning(encoded.get(i)));
      }
    } finally {
      leases.values().forEach(Lease::close);
    }
  }

  /**
   * Leases the row's adapters unless that is done. One that was evicted is loaded again, which can
   * fail though it went well before: then the row has an error.
   */
  private boolean hasAdapter(Row row, Map<AdapterRef, Lease> leases) {
    AdapterRef adapter = row.choice.adapter;
    if (adapter == null || leases.containsKey(adapter)) {
      return true;
    }
    try {
      leases.put(adapter, engine.store().lease(adapter));
      return true;
    } catch (LoadException e) {
      row.result = Result.failed(Code.ADAPTER_UNFIT, e.getMessage());
      failIfAsked(row);
      return false;
    }
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

  /**
   * What an adapter column means.
   *
   * @param adapter null for the base
   * @param number of the set, for sorting
   * @param error null where rows can be scored
   */
  private record Choice(AdapterRef adapter, int number, Result error) {
    static Choice failed(Code code, String message) {
      return new Choice(null, -1, Result.failed(code, message));
    }
  }

  /** A row of the window; the result comes last. */
  private static final class Row {
    final Choice choice;
    final Tokens tokens;
    long position;
    Result result;

    Row(Result result) {
      this.choice = null;
      this.tokens = null;
      this.result = result;
    }

    Row(Choice choice, Tokens tokens) {
      this.choice = choice;
      this.tokens = tokens;
    }
  }
}
