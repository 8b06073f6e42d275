package dev.medley.engine;

import dev.medley.engine.EngineSpec.Extra;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Requests in, predictions out, in order, each row under its own adapter. Immutable; many threads
 * may run it at the same time.
 *
 * <pre>{@code
 * EngineSpec spec = EngineSpec.of("all-MiniLM-L6-v2", FeatureExtraction.AUTO,
 *     Map.of("legal", AdapterSource.of("adapters/legal")));
 * try (Engine engine = Engine.load(spec)) {
 *   List<Result> results = engine.run(List.of(Request.of("a text", "legal"), Request.of("another")));
 * }
 * }</pre>
 */
public final class Engine implements AutoCloseable {
  private final EngineSpec spec;
  private final BaseModel base;
  private final boolean ownsBase;
  private final DevicePermits permits;
  private final TextTokenizer tokenizer;
  private final GenerationSettings generation; // null where no text is generated
  private ChatTemplate chat; // read when the first chat comes
  private final AdapterStore store;
  private final Map<String, AdapterRef> sets;
  private final ReadWriteLock open = new ReentrantReadWriteLock();
  private boolean closed;

  private Engine(
      EngineSpec spec, BaseModel base, Storage storage, DevicePermits permits, boolean ownsBase) {
    this.spec = spec;
    this.base = base;
    this.permits = permits;
    this.ownsBase = ownsBase;
    this.sets = spec.namedSets();
    sets.forEach(
        (name, set) -> {
          if (set.members().isEmpty()) { // rows that name it would be the base's
            throw new IllegalArgumentException(
                "set " + name + ": expected at least one adapter, found none");
          }
        });
    base.checkUnchanged(); // the tokenizer is read now
    this.generation =
        spec.task() instanceof TextGeneration asked
            ? GenerationSettings.of(base.storage(), base.folder(), asked)
            : null;
    this.tokenizer = base.tokenizer(spec.batching().maxLength(), spec.task());
    this.store =
        new AdapterStore(
            base, storage, spec.adapters(), spec.adapterMemory(), spec.has(Extra.LINEAGE));
  }

  /**
   * Loads the base from local files or anything a default Hadoop configuration reaches.
   *
   * @throws dev.medley.io.LoadException with every problem
   */
  public static Engine load(EngineSpec spec) {
    return load(spec, Storage.standard());
  }

  /**
   * The same from what a storage reaches, such as one with credentials.
   *
   * @throws dev.medley.io.LoadException with every problem
   */
  public static Engine load(EngineSpec spec, Storage storage) {
    Validation validation = Validation.of(spec, storage);
    validation.orThrow();
    BaseModel base =
        BaseModel.load(
            storage,
            Location.of(spec.base()),
            spec.task().head(),
            Devices.unassigned(spec.device()),
            spec.dtype());
    try {
      return new Engine(validation.spec(), base, storage, DevicePermits.unlimited(), true);
    } catch (RuntimeException | Error e) {
      base.close();
      throw e;
    }
  }

  /**
   * Runs on a base that somebody else owns and that fits the spec.
   *
   * @param storage for the adapters, which may lie elsewhere than the base
   */
  public static Engine on(BaseModel base, Storage storage, EngineSpec spec) {
    return on(base, storage, spec, DevicePermits.unlimited());
  }

  /** The same, with forward passes that wait for permits of the base's device. */
  public static Engine on(BaseModel base, Storage storage, EngineSpec spec, DevicePermits permits) {
    return new Engine(spec, base, storage, permits, false);
  }

  /** Scores a list. */
  public List<Result> run(List<Request> requests) {
    List<Result> results = new ArrayList<>();
    try (Results all = run(requests.iterator())) {
      all.forEachRemaining(results::add);
    }
    return results;
  }

  /**
   * Scores a stream, a window at a time: reads no further than that ahead.
   *
   * <p>After an exception the stream is at its end.
   *
   * @throws RowException from {@code next} for a row in error, where the spec says so
   */
  public Results run(Iterator<Request> requests) {
    return run(requests, () -> {});
  }

  /**
   * The same, and {@code beforeBatch} may stop it by an exception of its own: it is called before
   * each forward pass, and again and again while that waits for its turn on the device, in the
   * thread that asks for results.
   */
  public Results run(Iterator<Request> requests, Runnable beforeBatch) {
    return run(requests, beforeBatch, new Meter());
  }

  /** The same, counted by a meter that no other thread looks at. */
  public Results run(Iterator<Request> requests, Runnable beforeBatch, Meter meter) {
    return spec.task() instanceof OnePass task
        ? new Scorer(this, task, requests, beforeBatch, meter)
        : new Generator(this, requests, beforeBatch, meter);
  }

  /** Keeps the engine open for as long as a window takes. */
  void whileOpen(Runnable window) {
    open.readLock().lock();
    try {
      if (closed) {
        throw new IllegalStateException("the engine is closed");
      }
      window.run();
    } finally {
      open.readLock().unlock();
    }
  }

  EngineSpec spec() {
    return spec;
  }

  BaseModel base() {
    return base;
  }

  /** Of the base's device. */
  DevicePermits permits() {
    return permits;
  }

  /** The named sets. */
  Map<String, AdapterRef> sets() {
    return sets;
  }

  TextTokenizer tokenizer() {
    return tokenizer;
  }

  /** The model's way to write chats. */
  synchronized ChatTemplate chat() {
    if (chat == null) {
      chat = ChatTemplate.of(base.storage(), base.folder());
      base.checkUnchanged();
    }
    return chat;
  }

  /** How texts are continued. */
  GenerationSettings generation() {
    return generation;
  }

  /**
   * Of how many tokens a task holds keys and values; not by the batch size where rows are alone.
   */
  long cacheTokens() {
    Batching batching = spec.batching();
    int rows = spec.has(Extra.DETERMINISTIC) ? Batching.DEFAULT.batchSize() : batching.batchSize();
    return batching.cacheTokens(
        rows, base.model().cacheBytes(base.precision()), base.model().maxTokens());
  }

  AdapterStore store() {
    return store;
  }

  /** How this engine's sets are applied, what that costs measured when first asked for. */
  Planner planner() {
    return new Planner(
        spec.modes(), base.precision().bytes(), () -> CostModel.of(base.owner(), base.precision()));
  }

  /** Memory for one thread's merged weights. */
  MergeMemory mergeMemory() {
    return new MergeMemory(base.owner(), spec.merging().memory() / base.precision().bytes());
  }

  /** What it computes on, as torch writes it: {@code cpu}, {@code cuda:0}. */
  public String device() {
    return Devices.name(base.device());
  }

  /** How many adapters were read from files so far. */
  public int adapterLoads() {
    return store.loads();
  }

  /** Bytes that the adapters in memory take, and what sets of them add. */
  public long adapterBytes() {
    return store.bytes();
  }

  /** Waits for the windows in work; whoever goes on after that gets an IllegalStateException. */
  @Override
  public void close() {
    open.writeLock().lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      store.close();
      tokenizer.close();
      if (ownsBase) {
        base.close();
      }
    } finally {
      open.writeLock().unlock();
    }
  }
}
