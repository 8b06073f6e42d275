package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LowRankBank;
import dev.medley.adapter.RowGroups;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.engine.Origins.Applied;
import dev.medley.engine.Planner.Mode;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.RowReader.Row;
import dev.medley.model.TextModel;
import dev.medley.model.layer.CausalBatch;
import dev.medley.model.layer.CausalBatch.Part;
import dev.medley.model.layer.KvCache;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * One thread's continuation of a stream of requests: a running batch, in which each row is at a
 * place of its own and under adapters of its own. Every step takes one more token of each row whose
 * prompt is done, and pieces of the other rows' prompts, up to the token budget; a row that ends
 * makes room for the next that waits.
 *
 * <p>Rows are read a window ahead and start in the order of their sets, so that few sets run at a
 * time. Results come in the order of the requests.
 *
 * <p>Owns the memory of keys and values, and a lease for each running row, until the end of the
 * stream or {@link #close}.
 */
final class Generator implements Results {
  /** A window holds so many times as many rows as may run. */
  private static final int WINDOW = 8;

  /**
   * A row starts with room for so many tokens after its prompt, and takes more when it has them.
   */
  private static final int ROOM = 64;

  private final Engine engine;
  private final TextModel model;
  private final RowReader reader;
  private final Turns turns;
  private final Batching batching;
  private final Sampler sampler;
  private final Origins origins;
  private final Meter meter;
  private final ArrayDeque<Row> order = new ArrayDeque<>(); // read and not given back
  private final ArrayDeque<Running> waiting = new ArrayDeque<>();
  private final Map<AdapterRef, Long> places = new HashMap<>(); // of sets, by when they came
  private final List<Running> running = new ArrayList<>(); // those of one set are neighbours
  private KvCache cache;
  private LowRankBank bank;
  private long arrivals;
  private long steps;
  private boolean ended;

  Generator(Engine engine, Iterator<Request> requests, Runnable beforeBatch, Meter meter) {
    this.meter = meter;
    this.engine = engine;
    this.model = engine.base().model();
    this.reader = new RowReader(engine, requests);
    this.turns = new Turns(engine, beforeBatch);
    this.batching = engine.spec().passes();
    this.sampler = new Sampler(engine.generation());
    this.origins = new Origins(engine);
  }

  @Override
  public boolean hasNext() {
    if (!ended && order.isEmpty() && !reader.hasNext()) {
      close();
    }
    return !ended;
  }

  @Override
  public Result next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    try {
      while (order.isEmpty() || order.peek().result == null) {
        engine.whileOpen(this::step);
      }
      return origins.of(order.poll());
    } catch (RuntimeException | Error e) { // whoever caught it and went on would miss rows
      close();
      throw e;
    }
  }

  @Override
  public long waitedNanos() {
    return turns.waitedNanos();
  }

  /** Gives back what running rows hold; twice does no harm. */
  @Override
  public void close() {
    ended = true;
    running.forEach(Running::pause);
    running.clear();
    waiting.clear();
    order.clear();
    if (cache != null) {
      cache.close();
      bank.close();
      cache = null;
    }
  }

  private void step() {
    if (waiting.isEmpty()) {
      readWindow();
    }
    admit();
    makeRoom();
    if (!running.isEmpty()) {
      turns.check();
      takeStep(pieces());
    }
    if (running.removeIf(Running::endIfDone)) {
      bank.keep(running.stream().map(Running::set).toList());
      places.keySet().retainAll(running.stream().map(row -> row.row.choice.adapter()).toList());
    }
  }

  /** Where the device has no memory for all of the tokens, the next step has fewer. */
  private void takeStep(List<Running> rows) {
    int tokens = rows.stream().mapToInt(row -> row.taken).sum();
    steps++;
    rows.forEach(row -> row.lastStep = steps);
    Runnable pass =
        () -> {
          try (NDManager scope = engine.base().owner().newSubManager()) {
            forward(rows, scope);
          }
        };
    if (turns.pass(tokens, pass)) {
      return;
    }
    undo(rows);
    if (tokens == 1 && !turns.alone(tokens, pass)) {
      undo(rows);
      rows.get(0).row.result = turns.tooLarge();
      reader.failIfAsked(rows.get(0).row);
    }
  }

  /** As if the step had not been taken, and without the memory that comes and goes. */
  private void undo(List<Running> rows) {
    rows.forEach(Running::stepBack);
    bank.close(); // some of its sets may be there by half
    bank = new LowRankBank(engine.base().owner());
  }

  /** Rows that wait start in the order of their sets; the shortest prompts of a set first. */
  private void readWindow() {
    int most = Math.min(batching.windowRows(), WINDOW * batching.batchSize());
    List<Row> window = new ArrayList<>();
    int room = 2 * most - order.size(); // a row that runs long keeps those behind it in memory
    for (int i = 0; i < Math.min(most, room) && reader.hasNext(); i++) {
      Row row = reader.next();
      order.add(row);
      if (row.result == null) {
        window.add(row);
      }
    }
    reader.endWindow();
    window.sort(
        Comparator.comparingInt((Row row) -> row.choice.number())
            .thenComparingInt(row -> row.tokens.ids().length));
    for (Row row : window) {
      Running next = new Running(row, continuation(row), arrivals++);
      if (next.continuation.isFinished()) {
        fail(next, Code.TEXT_TOO_LONG, noRoom(row.tokens.ids().length));
      } else {
        waiting.add(next);
      }
    }
  }

  private Continuation continuation(Row row) {
    long[] prompt = row.tokens.ids();
    RowRandom random = RowRandom.of(sampler.settings().seed(), row.seed, prompt, row.adapters());
    int room = model.maxTokens() - prompt.length;
    return new Continuation(prompt, room, sampler, random, engine.tokenizer()::decode);
  }

  private String noRoom(int prompt) {
    return "text: expected fewer tokens than "
        + Math.min(model.maxTokens(), sampler.settings().maxLength())
        + ", the least of the model's positions and max_length, so that one can follow, found "
        + prompt;
  }

  private void fail(Running row, Code code, String message) {
    row.row.result = Result.failed(code, message);
    reader.failIfAsked(row.row);
  }

  /** Starts waiting rows while there is room. */
  private void admit() {
    int most = Math.min(batching.batchSize(), turns.tokens()); // each has a token a step
    while (running.size() < most && !waiting.isEmpty()) {
      Running next = waiting.peek();
      if (next.tokens.size() + 1 > cache().places()) {
        failTooLarge(next);
      } else if (!start(next)) {
        break; // a row that ends makes room
      }
      waiting.remove();
    }
    running.sort(
        Comparator.comparingLong((Running row) -> places.get(row.row.choice.adapter()))
            .thenComparingLong(row -> row.arrival));
  }

  /** False where there is no room; a row whose adapter cannot be had has its result. */
  private boolean start(Running row) {
    int tokens = row.tokens.size();
    row.slot = cache.take(Math.min(row.capacity(), Math.min(tokens + ROOM, (int) cache.places())));
    if (row.slot == null) {
      return false;
    }
    running.add(row); // from here on it gives back what it holds
    AdapterRef adapter = row.row.choice.adapter();
    row.lease = adapter == null ? null : reader.lease(row.row, meter);
    if (row.row.result != null) {
      row.endIfDone();
      running.remove(row);
    }
    places.putIfAbsent(adapter, row.arrival);
    return true;
  }

  /**
   * Rows that have outgrown their room get twice as much. Where there is none, rows that came last
   * make room: they wait again, and what was known of their tokens is computed anew.
   */
  private void makeRoom() {
    for (Running row : List.copyOf(running)) {
      if (row.slot == null || row.tokens.size() <= row.slot.size()) {
        continue;
      }
      int wanted = Math.min(row.capacity(), 2 * row.slot.size());
      KvCache.Slot larger = wanted > cache.places() ? null : cache.take(wanted);
      while (larger == null && running.size() > 1) {
        Running last =
            running.stream()
                .filter(other -> other != row)
                .max(Comparator.comparingLong(other -> other.arrival))
                .orElseThrow();
        if (last.arrival < row.arrival) { // it is this one that came last
          last = row;
        }
        last.pause();
        running.remove(last);
        waiting.addFirst(last);
        if (last == row) {
          break;
        }
        larger = wanted > cache.places() ? null : cache.take(wanted);
      }
      if (larger != null) {
        row.moveTo(larger);
      } else if (running.contains(row)) {
        alone(row, wanted);
      }
    }
    running.removeIf(Running::endIfDone);
  }

  /** The only row that runs may have all memory. */
  private void alone(Running row, int wanted) {
    row.forget();
    int most = (int) Math.min(wanted, cache.places());
    if (row.tokens.size() > most) {
      row.note();
      failTooLarge(row);
    } else {
      row.slot = cache.take(most);
    }
  }

  private KvCache cache() {
    if (cache == null) {
      Precision precision = engine.base().precision();
      cache =
          turns.memory(
              engine.cacheTokens(), fewer -> model.cache(engine.base().owner(), precision, fewer));
      bank = new LowRankBank(engine.base().owner());
    }
    return cache;
  }

  private void failTooLarge(Running row) {
    String found =
        "text: expected fewer tokens, prompt and continuation together, than the memory for keys and"
            + " values has places for, "
            + cache.places()
            + ", found "
            + row.tokens.size();
    if (turns.memoryIsCut()) {
      fail(row, Code.DEVICE_OUT_OF_MEMORY, found + "; make room on the device");
    } else {
      fail(row, Code.TEXT_TOO_LONG, found + "; raise cache-memory, or ask for fewer new tokens");
    }
  }

  private void forward(List<Running> rows, NDManager scope) {
    long start = System.nanoTime();
    List<Part> parts = rows.stream().map(Running::part).toList();
    CausalBatch batch = CausalBatch.of(scope, parts, cache, engine.base().precision());
    RowGroups sets = RowGroups.of(rows.stream().map(Running::set).toList()).with(bank);
    NDArray hidden = model.hidden(batch, sets.ofTokens(batch.lengths())); // [n, h]
    List<Meter.Part> measured = rows.stream().map(Running::measured).toList();
    List<Running> ready = new ArrayList<>();
    List<Long> last = new ArrayList<>();
    long end = 0;
    for (int i = 0; i < rows.size(); i++) {
      end += batch.lengths()[i];
      if (rows.get(i).advance()) {
        ready.add(rows.get(i));
        last.add(end - 1);
      }
    }
    if (!ready.isEmpty()) {
      long[] places = last.stream().mapToLong(place -> place).toArray();
      RowGroups groups = RowGroups.of(ready.stream().map(Running::set).toList()).with(bank);
      choose(ready, model.nextTokens(Kernels.tokens(hidden, places), groups));
    }
    meter.pass(measured, 0, System.nanoTime() - start);
  }

  /** logits [m, v] of the rows */
  private void choose(List<Running> rows, NDArray logits) {
    NDArray wide = Kernels.to(logits, Precision.FLOAT32);
    long[] likeliest = Kernels.likeliest(wide);
    for (int i = 0; i < likeliest.length; i++) {
      Running row = rows.get(i);
      if (likeliest[i] < 0) {
        String found = "expected finite logits, found NaN or infinity at token ";
        row.note();
        fail(row, Code.LOGITS_NOT_FINITE, found + row.tokens.size());
      } else if (row.continuation.isGreedy()) {
        row.accept(likeliest[i]);
      } else {
        row.accept(row.continuation.choose(Kernels.rows(wide, i, 1).toFloatArray()));
      }
    }
  }

  /**
   * Who takes part in this step, and with how many tokens: one of every row whose prompt is done,
   * and of the budget's rest half goes to the prompt that has waited longest, the other half to the
   * shortest. So no prompt waits for all of a long one, and none for ever. Where memory is short
   * and the budget with it, those take part that have waited longest.
   */
  private List<Running> pieces() {
    int budget = turns.tokens();
    List<Running> prompts = new ArrayList<>();
    List<Running> others = new ArrayList<>(); // rows whose prompt is done
    for (Running row : running) {
      row.taken = 0;
      row.plan(model.restartAt());
      (row.pending == 1 ? others : prompts).add(row);
    }
    others.sort(Comparator.comparingLong(row -> row.lastStep));
    for (Running row : others.subList(0, Math.min(others.size(), budget))) {
      row.taken = 1;
      budget--;
    }
    budget = turns.areCut() ? budget : Math.max(1, budget);
    prompts.sort(Comparator.comparingLong(row -> row.arrival));
    if (!prompts.isEmpty()) {
      Running oldest = prompts.get(0);
      oldest.taken = Math.min(oldest.pending, budget - budget / 2);
      budget -= oldest.taken;
      List<Running> shortest = new ArrayList<>(prompts.subList(1, prompts.size()));
      shortest.sort(Comparator.comparingInt(row -> row.pending));
      for (Running row : shortest) {
        row.taken = Math.min(row.pending, budget);
        budget -= row.taken;
      }
      int more = Math.min(oldest.pending - oldest.taken, budget);
      oldest.taken += more;
    }
    return running.stream().filter(row -> row.taken > 0).toList();
  }

  /** A row that runs, or waits to. */
  private final class Running {
    final Row row;
    final Continuation continuation;
    final long arrival;
    final Ids tokens;
    KvCache.Slot slot; // null while it waits
    Lease lease; // null while it waits, and for the base
    private int cached; // tokens whose keys and values are in the slot
    private int length; // of the row when those were computed
    private int start; // of this step's tokens
    int pending;
    int taken;
    long lastStep;

    Running(Row row, Continuation continuation, long arrival) {
      this.row = row;
      this.continuation = continuation;
      this.arrival = arrival;
      this.tokens = new Ids(row.tokens.ids());
    }

    int capacity() {
      return continuation.capacity();
    }

    /** By what the row asks for: one that names adapters and holds none is never the base's. */
    AdapterSet set() {
      return row.choice.adapter() == null ? AdapterSet.BASE : lease.set();
    }

    /** How many tokens have to go through the model before there is a next one. */
    void plan(int restartAt) {
      if (tokens.size() >= restartAt && length < restartAt) {
        cached = 0; // angles of all its keys change
      }
      length = tokens.size();
      start = cached;
      pending = tokens.size() - cached;
    }

    Part part() {
      return new Part(tokens.slice(cached, cached + taken), cached, tokens.size(), slot);
    }

    /** After a step; true where the next token is due. */
    boolean advance() {
      cached += taken;
      return cached == tokens.size();
    }

    /** What a step has not finished is computed anew. */
    void stepBack() {
      cached = start;
    }

    /** Its part of a step. */
    Meter.Part measured() {
      return new Meter.Part(row.ref().toString(), mode(), taken);
    }

    private Mode mode() {
      return row.choice.adapter() == null ? Mode.BASE : Mode.ADDED;
    }

    /** For its lineage. */
    void note() {
      List<Lineage.Member> content = mode() == Mode.BASE ? List.of() : lease.content();
      row.applied = new Applied(mode(), content, tokens.size());
    }

    void accept(long token) {
      tokens.add(token);
      continuation.accept(token);
      if (continuation.isFinished()) {
        row.result = new Result(continuation.prediction(), null);
        note();
        meter.rows(row.ref().toString(), 1, 0);
        meter.add(Metric.SCORED, 1);
      }
    }

    void moveTo(KvCache.Slot larger) {
      cache.move(slot, larger, cached);
      cache.free(slot);
      slot = larger;
    }

    /** Gives its room back. */
    void forget() {
      cache.free(slot);
      slot = null;
      cached = 0;
      length = 0;
    }

    /** Gives back what it holds. */
    void pause() {
      if (slot != null) {
        forget();
      }
      if (lease != null) {
        lease.close();
        lease = null;
      }
    }

    /** Whether it has its result, and holds nothing any more. */
    boolean endIfDone() {
      if (row.result != null) {
        pause();
      }
      return row.result != null;
    }
  }

  /** Ids that become more. */
  private static final class Ids {
    private long[] ids;
    private int size;

    Ids(long[] prompt) {
      ids = prompt;
      size = prompt.length;
    }

    int size() {
      return size;
    }

    void add(long id) {
      if (size == ids.length) {
        ids = Arrays.copyOf(ids, 2 * size);
      }
      ids[size++] = id;
    }

    long[] slice(int from, int to) {
      return Arrays.copyOfRange(ids, from, to);
    }
  }
}
