package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LowRankBank;
import dev.medley.adapter.RowGroups;
import dev.medley.engine.AdapterStore.Lease;
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
import java.util.Iterator;
import java.util.List;
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

  private final Engine engine;
  private final TextModel model;
  private final RowReader reader;
  private final Runnable beforeBatch;
  private final Batching batching;
  private final Sampler sampler;
  private final ArrayDeque<Row> order = new ArrayDeque<>(); // read and not given back
  private final ArrayDeque<Row> waiting = new ArrayDeque<>();
  private final List<Running> running = new ArrayList<>(); // those of one set are neighbours
  private KvCache cache;
  private LowRankBank bank;
  private long arrivals;
  private boolean ended;

  Generator(Engine engine, Iterator<Request> requests, Runnable beforeBatch) {
    this.engine = engine;
    this.model = engine.base().model();
    this.reader = new RowReader(engine, requests);
    this.beforeBatch = beforeBatch;
    this.batching = engine.spec().batching();
    this.sampler = new Sampler(engine.generation());
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
      return order.poll().result;
    } catch (RuntimeException | Error e) { // whoever caught it and went on would miss rows
      close();
      throw e;
    }
  }

  /** Gives back what running rows hold; twice does no harm. */
  @Override
  public void close() {
    ended = true;
    running.forEach(Running::release);
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
    if (running.isEmpty()) {
      return; // all that was read has its result
    }
    beforeBatch.run();
    try (NDManager scope = engine.base().owner().newSubManager()) {
      forward(scope);
    }
    for (Running row : running) {
      if (row.isDone()) {
        row.release();
      }
    }
    if (running.removeIf(Running::isDone)) {
      bank.keep(running.stream().map(Running::set).toList());
    }
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
    waiting.addAll(window);
  }

  private void admit() {
    int most = Math.min(batching.batchSize(), batching.batchTokens()); // each has a token a step
    while (running.size() < most && !waiting.isEmpty()) {
      Row row = waiting.peek();
      Continuation continuation =
          new Continuation(
              row.tokens.ids(),
              model.maxTokens() - row.tokens.ids().length,
              sampler,
              RowRandom.of(sampler.settings().seed(), row.seed, row.tokens.ids(), row.adapters()),
              engine.tokenizer()::decode);
      if (continuation.isFinished()) {
        row.result = new Result(continuation.prediction(), null);
        waiting.remove();
        continue;
      }
      KvCache memory = cache();
      if (continuation.capacity() > memory.places()) {
        row.result = Result.failed(Code.TEXT_TOO_LONG, tooLarge(continuation.capacity(), memory));
        reader.failIfAsked(row);
        waiting.remove();
        continue;
      }
      KvCache.Slot slot = memory.take(continuation.capacity());
      if (slot == null) {
        return; // a row that ends makes room
      }
      Lease lease = row.choice.adapter() == null ? null : lease(row, memory, slot);
      waiting.remove();
      if (row.result == null) {
        running.add(new Running(row, continuation, memory, slot, lease, arrivals++));
      }
    }
    running.sort(
        Comparator.comparingInt((Running row) -> row.row.choice.number())
            .thenComparingLong(row -> row.arrival));
  }

  private Lease lease(Row row, KvCache memory, KvCache.Slot slot) {
    Lease lease = null;
    try {
      lease = reader.lease(row);
    } finally {
      if (lease == null) {
        memory.free(slot);
      }
    }
    return lease;
  }

  private KvCache cache() {
    if (cache == null) {
      Precision precision = engine.base().precision();
      long tokens = batching.cacheTokens(model.cacheBytes(precision), model.maxTokens());
      cache = model.cache(engine.base().owner(), precision, tokens);
      bank = new LowRankBank(engine.base().owner());
    }
    return cache;
  }

  private String tooLarge(int tokens, KvCache memory) {
    return "text: its tokens and those to come, "
        + tokens
        + ", take more than the memory for keys and values has places for, "
        + memory.places()
        + "; raise cache-memory, or ask for fewer new tokens";
  }

  private void forward(NDManager scope) {
    List<Running> rows = new ArrayList<>();
    List<Part> parts = new ArrayList<>();
    for (Running row : pieces()) {
      rows.add(row);
      parts.add(row.part());
    }
    CausalBatch batch = CausalBatch.of(scope, parts, cache, engine.base().precision());
    RowGroups sets = RowGroups.of(rows.stream().map(Running::set).toList()).with(bank);
    NDArray hidden = model.hidden(batch, sets.ofTokens(batch.lengths())); // [n, h]
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
  }

  /** logits [m, v] of the rows */
  private void choose(List<Running> rows, NDArray logits) {
    NDArray wide = Kernels.to(logits, Precision.FLOAT32);
    long[] likeliest = Kernels.likeliest(wide);
    for (int i = 0; i < likeliest.length; i++) {
      Running row = rows.get(i);
      if (likeliest[i] < 0) {
        row.fail("expected finite logits, found NaN or infinity at token " + row.tokens.size());
        reader.failIfAsked(row.row);
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
   * shortest. So no prompt waits for all of a long one, and none for ever.
   */
  private List<Running> pieces() {
    int budget = batching.batchTokens();
    List<Running> prompts = new ArrayList<>();
    for (Running row : running) {
      row.taken = 0;
      if (row.pendingTokens(model.restartAt()) == 1) {
        row.taken = 1;
        budget--;
      } else {
        prompts.add(row);
      }
    }
    budget = Math.max(1, budget);
    prompts.sort(Comparator.comparingLong(row -> row.arrival));
    if (!prompts.isEmpty()) {
      Running oldest = prompts.get(0);
      oldest.taken = Math.min(oldest.pending, (budget + 1) / 2);
      budget -= oldest.taken;
      List<Running> others = new ArrayList<>(prompts.subList(1, prompts.size()));
      others.sort(Comparator.comparingInt(row -> row.pending));
      for (Running row : others) {
        row.taken = Math.min(row.pending, budget);
        budget -= row.taken;
      }
      int more = Math.min(oldest.pending - oldest.taken, budget);
      oldest.taken += more;
    }
    return running.stream().filter(row -> row.taken > 0).toList();
  }

  /** A row of the batch. */
  private static final class Running {
    final Row row;
    final Continuation continuation;
    final long arrival;
    final Ids tokens;
    private final KvCache cache;
    private final KvCache.Slot slot;
    private final Lease lease; // null for the base
    private int cached; // tokens whose keys and values are in the cache
    private int length; // of the row when those were computed
    int pending;
    int taken;

    Running(
        Row row,
        Continuation continuation,
        KvCache cache,
        KvCache.Slot slot,
        Lease lease,
        long arrival) {
      this.row = row;
      this.continuation = continuation;
      this.cache = cache;
      this.slot = slot;
      this.lease = lease;
      this.arrival = arrival;
      this.tokens = new Ids(row.tokens.ids(), continuation.capacity());
    }

    AdapterSet set() {
      return lease == null ? AdapterSet.BASE : lease.set();
    }

    /** How many tokens have to go through the model before there is a next one. */
    int pendingTokens(int restartAt) {
      if (tokens.size() >= restartAt && length < restartAt) {
        cached = 0; // angles of all its keys change
      }
      length = tokens.size();
      pending = tokens.size() - cached;
      return pending;
    }

    Part part() {
      return new Part(tokens.slice(cached, cached + taken), cached, tokens.size(), slot);
    }

    /** After a step; true where the next token is due. */
    boolean advance() {
      cached += taken;
      return cached == tokens.size();
    }

    void accept(long token) {
      tokens.add(token);
      continuation.accept(token);
      if (continuation.isFinished()) {
        row.result = new Result(continuation.prediction(), null);
      }
    }

    void fail(String message) {
      row.result = Result.failed(Code.LOGITS_NOT_FINITE, message);
    }

    boolean isDone() {
      return row.result != null;
    }

    void release() {
      cache.free(slot);
      if (lease != null) {
        lease.close();
      }
    }
  }

  /** Ids in an array that is as long as they can become. */
  private static final class Ids {
    private final long[] ids;
    private int size;

    Ids(long[] prompt, int capacity) {
      ids = Arrays.copyOf(prompt, capacity);
      size = prompt.length;
    }

    int size() {
      return size;
    }

    void add(long id) {
      ids[size++] = id;
    }

    long[] slice(int from, int to) {
      return Arrays.copyOfRange(ids, from, to);
    }
  }
}
