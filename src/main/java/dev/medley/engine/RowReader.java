package dev.medley.engine;

import dev.medley.adapter.AdapterSet;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.RowError.Code;
import dev.medley.io.LoadException;
import dev.medley.io.Nearest;
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
    Request request = requests.next();
    Row row = read(request);
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

  /** The row's adapters, or null with the row's error: one that was evicted is loaded again. */
  Lease lease(Row row) {
    try {
      return engine.store().lease(row.choice.adapter());
    } catch (LoadException e) {
      row.result = Result.failed(Code.ADAPTER_UNFIT, e.getMessage());
      failIfAsked(row);
      return null;
    }
  }

  private Row read(Request request) {
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
    long position;
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

    /** The adapters' names, the same for all spellings of a set; empty for the base. */
    String adapters() {
      return choice.adapter == null ? "" : choice.adapter.toString();
    }
  }
}
