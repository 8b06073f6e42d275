package dev.medley.engine;

import dev.medley.adapter.AdapterSet;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.Origins.Applied;
import dev.medley.engine.RowError.Code;
import dev.medley.io.LoadException;
import dev.medley.io.Nearest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One thread's reading of requests: what a row asks for, or what is wrong with it. */
final class RowReader {
  /** How many different contents of the adapter column are remembered between windows. */
  private static final int KEPT_CHOICES = 10_000;

  private final Engine engine;
  private final Iterator<Request> requests;

  /** By what the adapter column holds: the adapters' names, or what is wrong with it. */
  private final Map<List<String>, Choice> choices = new HashMap<>();

  private final Map<AdapterRef, Integer> numbers = new HashMap<>();
  private long position;

  RowReader(Engine engine, Iterator<Request> requests) {
    this.engine = engine;
    this.requests = requests;
  }

  boolean hasNext() {
    return requests.hasNext();
  }

  /**
   * The next row, which has a result already where it cannot be scored.
   *
   * @throws RowException for such a row where errors are to fail
   */
  Row next() {
    return read(requests.next());
  }

  /** The next requests, at most so many rows and, but for the last of them, so many characters. */
  List<Request> requests(int rows, long characters) {
    List<Request> read = new ArrayList<>();
    for (long left = characters; read.size() < rows && left > 0 && requests.hasNext(); ) {
      Request request = requests.next();
      read.add(request);
      left -= request.text() == null ? 0 : request.text().length();
    }
    return read;
  }

  /**
   * Rows in their order, each as {@link #next} gives it. One thread at a time may read rows, be it
   * another one than asked for the requests.
   */
  List<Row> rows(List<Request> read) {
    List<Row> rows = new ArrayList<>(read.size());
    read.forEach(request -> rows.add(read(request)));
    return rows;
  }

  private Row read(Request request) {
    Row row = rowOf(request);
    row.asked = request.error() == null ? request.adapter() : null;
    row.position = position++;
    if (row.result != null) {
      failIfAsked(row);
    }
    return row;
  }

  /** Sets get new numbers from here on, so that ever new names in a column do not pile up. */
  void endWindow() {
    if (choices.size() > KEPT_CHOICES) {
      choices.clear();
      numbers.clear();
    }
  }

  /** Throws RowException where the row failed and errors are to fail. */
  void failIfAsked(Row row) {
    if (engine.spec().onError() == OnError.FAIL && row.result.prediction() == null) {
      throw new RowException(row.position, row.result.error());
    }
  }

  /** The row's adapters, or null with the row's error. */
  Lease lease(Row row, Meter meter) {
    Lease lease;
    try {
      lease = engine.store().lease(row.choice.adapter(), meter);
    } catch (LoadException e) {
      fail(row, unleased(e));
      return null;
    }
    Result missing = missing(row.choice.adapter(), lease.set());
    if (missing == null) {
      return lease;
    }
    lease.close();
    fail(row, missing);
    return null;
  }

  /** The error of rows whose adapters could not be had. */
  Result unleased(LoadException problem) {
    boolean isFull = problem instanceof DeviceMemoryException;
    return Result.failed(
        isFull ? Code.DEVICE_OUT_OF_MEMORY : Code.ADAPTER_UNFIT, problem.getMessage());
  }

  /**
   * Gives a row its error.
   *
   * @throws RowException where errors are to fail
   */
  void fail(Row row, Result error) {
    row.result = error;
    failIfAsked(row);
  }

  private Row rowOf(Request request) {
    if (request.error() != null) {
      return new Row(new Result(null, request.error()));
    }
    boolean isChat = request.messages() != null;
    Task task = engine.spec().task();
    if (isChat && !(task instanceof TextGeneration)) {
      throw new IllegalArgumentException(task.pipeline() + " takes texts, got messages");
    }
    if (request.completion() != null && !(task instanceof TextScoring)) {
      throw new IllegalArgumentException(task.pipeline() + " takes no completions, got one");
    }
    String text = request.text();
    if (isChat) {
      try {
        text = engine.chat().render(request.messages());
      } catch (IllegalArgumentException e) {
        return new Row(Result.failed(Code.MESSAGES_UNFIT, e.getMessage()));
      }
    }
    if (text == null) {
      return new Row(Result.failed(Code.TEXT_NULL, "text: expected a string, found null"));
    }
    if (text.isEmpty() && request.completion() == null) {
      return new Row(Result.failed(Code.TEXT_EMPTY, "text: expected a character, found none"));
    }
    Choice choice = choices.computeIfAbsent(request.adapter(), this::choose);
    if (choice.error != null) {
      return new Row(choice.error);
    }
    TextTokenizer tokenizer = engine.tokenizer();
    Tokens tokens =
        isChat
            ? tokenizer.encodeChat(text)
            : request.completion() == null
                ? tokenizer.encode(text)
                : tokenizer.encode(text, request.completion());
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
    Batching batching = engine.spec().batching();
    boolean mayTruncate = batching.truncation() && engine.spec().task().mayTruncate();
    if (tokens.isTruncated() && !mayTruncate) {
      return new Row(
          Result.failed(
              Code.TEXT_TOO_LONG,
              "text: expected at most "
                  + engine.tokenizer().maxTokens()
                  + " tokens, found "
                  + tokens.total()));
    }
    if (engine.spec().task() instanceof TextScoring && tokens.scored() == 0) {
      return new Row(
          Result.failed(
              Code.TEXT_EMPTY,
              "text: expected a token after the first one, which has none before it, found none"));
    }
    return new Row(choice, tokens, request.seed(), text.length());
  }

  /** Finds the adapters, which are read when their rows are scored. */
  private Choice choose(List<String> column) {
    AdapterRef ref;
    try {
      ref = AdapterRef.parse(column).expand(engine.sets());
    } catch (IllegalArgumentException e) {
      return Choice.failed(Code.ADAPTER_SYNTAX, e.getMessage());
    }
    if (ref.members().isEmpty()) {
      return new Choice(null, numberOf(ref), missing(null, AdapterSet.BASE));
    }
    for (AdapterRef.Member member : ref.members()) {
      if (!engine.store().knows(member.name())) {
        return Choice.failed(Code.ADAPTER_UNKNOWN, unknown(member.name()));
      }
    }
    return new Choice(ref, numberOf(ref), null);
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

  /**
   * The error of rows whose head neither the base nor their set has: it is never made up; null
   * where there is one.
   *
   * @param adapter null for the base
   */
  Result missing(AdapterRef adapter, AdapterSet set) {
    List<String> missing =
        engine.base().model().absent().stream()
            .filter(parameter -> set.parameter(parameter) == null)
            .toList();
    return missing.isEmpty()
        ? null
        : Result.failed(
            Code.HEAD_MISSING,
            engine.spec().task().pipeline()
                + ": the base has no "
                + String.join(", ", missing)
                + (adapter == null ? "" : ", nor has adapter " + adapter));
  }

  /**
   * What an adapter column means.
   *
   * @param adapter null for the base
   * @param number of the set, for sorting
   * @param error null where rows can be scored
   */
  record Choice(AdapterRef adapter, int number, Result error) {
    static Choice failed(Code code, String message) {
      return new Choice(null, -1, Result.failed(code, message));
    }
  }

  /** A row; the result comes last. */
  static final class Row {
    final Choice choice;
    final Tokens tokens;
    final Long seed; // its own; null for none
    final int characters;
    List<String> asked; // by the adapter column; null where nobody knows
    long position;
    Applied applied; // by a forward pass; null for none
    Result result;

    Row(Result result) {
      this(null, null, null, 0);
      this.result = result;
    }

    Row(Choice choice, Tokens tokens, Long seed, int characters) {
      this.choice = choice;
      this.tokens = tokens;
      this.seed = seed;
      this.characters = characters;
    }

    /** The set that it asks for; with no member for the base. */
    AdapterRef ref() {
      return choice.adapter == null ? AdapterRef.NONE : choice.adapter;
    }

    /** The adapters' names, the same for all spellings of a set; empty for the base. */
    String adapters() {
      return choice.adapter == null ? "" : choice.adapter.toString();
    }
  }
}
