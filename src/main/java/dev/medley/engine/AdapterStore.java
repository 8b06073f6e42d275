package dev.medley.engine;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterLoader;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.MixedSet;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import dev.medley.model.Labels;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Torch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The adapters of one base that are in memory, and the sets compiled of them, shared by all
 * threads. Each is loaded once however many ask at the same time, stays while anybody holds a
 * lease, and is closed, the longest unused first, when all together are over the budget. A set
 * keeps its members. A failed load is reported to all who waited for it, and forgotten: who asks
 * later tries again. Where it failed since the loading thread was interrupted, or the device was
 * full, the others try themselves.
 */
final class AdapterStore implements AutoCloseable {
  /** Sets that nobody uses are kept up to this many: some hold no bytes but Java's own. */
  static final int KEPT_SETS = 1024;

  private final BaseModel base;
  private final Storage storage;
  private final Map<String, AdapterSource> sources;
  private final long budget;
  private final boolean hashes;
  private final Map<AdapterRef, Entry> entries = new HashMap<>();
  private final Set<Entry> idle = new LinkedHashSet<>(); // adapters nobody uses, longest first
  private final Set<Entry> idleSets = new LinkedHashSet<>();
  private final Map<String, String> versions = new HashMap<>();
  private final Map<String, Opened> opened = new ConcurrentHashMap<>(); // by name
  private long clock;
  private long bytes;
  private int loads;
  private int sets;

  AdapterStore(BaseModel base, Storage storage, Map<String, AdapterSource> sources, long budget) {
    this(base, storage, sources, budget, false);
  }

  /**
   * Nothing loaded yet.
   *
   * @param hashes whether leases know the hashes of what was loaded, which takes reading it
   */
  AdapterStore(
      BaseModel base,
      Storage storage,
      Map<String, AdapterSource> sources,
      long budget,
      boolean hashes) {
    this.base = base;
    this.storage = storage;
    this.sources = new ConcurrentHashMap<>(sources);
    this.budget = budget;
    this.hashes = hashes;
  }

  /** Whether there is an adapter of that name. */
  boolean knows(String name) {
    return sources.containsKey(name);
  }

  /** Names of all adapters, in memory or not. */
  Set<String> names() {
    return new TreeSet<>(sources.keySet());
  }

  /** One more adapter, to be loaded when it is first leased. */
  void add(String name, AdapterSource source) {
    if (sources.putIfAbsent(name, source) != null) {
      throw new IllegalArgumentException("adapter: there is one named " + name + " already");
    }
  }

  /**
   * Forgets an adapter.
   *
   * @throws IllegalStateException while it, or a set that it is in, is in memory
   */
  synchronized void remove(String name) {
    for (AdapterRef ref : entries.keySet()) {
      if (ref.members().stream().anyMatch(member -> member.name().equals(name))) {
        throw new IllegalStateException(ref + " is in memory and in use");
      }
    }
    sources.remove(name);
    versions.remove(name);
  }

  /** Whether an adapter or a set is in memory now. */
  synchronized boolean holds(AdapterRef ref) {
    return entries.containsKey(ref);
  }

  /** How many adapters were read so far; compiled sets do not count. */
  synchronized int loads() {
    return loads;
  }

  /** How many sets are in memory. */
  synchronized int sets() {
    return sets;
  }

  /** Arrays of the adapters and sets in memory, for tests. */
  synchronized int arrays() {
    return entries.values().stream()
        .filter(entry -> entry.loaded.isDone())
        .mapToInt(entry -> entry.loaded.join().owner.getManagedArrays().size())
        .sum();
  }

  /** Bytes of the adapters in memory, and of what sets add to them. */
  synchronized long bytes() {
    return bytes;
  }

  /** {@link #lease(AdapterRef, Meter)} that nobody counts. */
  Lease lease(AdapterRef ref) {
    return lease(ref, new Meter());
  }

  /**
   * An adapter or a set, loaded if need be, that stays until the lease is closed.
   *
   * @param ref at least one adapter; no named set
   * @throws LoadException when it cannot be loaded, or its members do not fit together
   */
  Lease lease(AdapterRef ref, Meter meter) {
    while (true) {
      Entry entry;
      boolean mine;
      synchronized (this) {
        mine = !entries.containsKey(ref);
        entry = entries.computeIfAbsent(ref, Entry::new);
        pin(entry);
      }
      if (mine) {
        load(entry, meter);
      } else {
        meter.add(Metric.ADAPTER_HITS, 1);
      }
      try {
        Lease lease = new Lease(this, entry, entry.loaded.join(), meter);
        evict(meter);
        return lease;
      } catch (CompletionException e) {
        if (mine || !entry.failedAlone) {
          throw reported(ref, e);
        }
      }
    }
  }

  private static RuntimeException reported(AdapterRef ref, CompletionException e) {
    if (!(e.getCause() instanceof LoadException problem)) {
      return e;
    }
    return ref.isPlain() && !(problem instanceof DeviceMemoryException)
        ? new LoadException(ref.toString(), problem.getMessage(), problem)
        : problem;
  }

  private void load(Entry entry, Meter meter) {
    try {
      long start = System.nanoTime();
      Loaded loaded = loaded(entry.ref, meter);
      if (entry.ref.isPlain()) {
        meter.load(loaded.bytes, System.nanoTime() - start);
      }
      synchronized (this) {
        entry.bytes = loaded.bytes;
        bytes += entry.bytes;
        loads += entry.ref.isPlain() ? 1 : 0;
        sets += entry.ref.isPlain() ? 0 : 1;
      }
      entry.loaded.complete(loaded);
    } catch (RuntimeException | Error e) {
      synchronized (this) {
        entries.remove(entry.ref);
      }
      Throwable problem = problem(entry.ref, e);
      entry.failedAlone =
          Thread.currentThread().isInterrupted() || problem instanceof DeviceMemoryException;
      entry.loaded.completeExceptionally(problem);
    }
  }

  /** What one adapter does to the loader costs its own rows alone. */
  private Throwable problem(AdapterRef ref, Throwable e) {
    if (e instanceof EngineException engine) {
      return unusable(ref, engine);
    }
    return e instanceof LoadException || e instanceof Error || e instanceof IllegalStateException
        ? e
        : new LoadException(ref.toString(), "cannot be read: " + e, e);
  }

  /** Where the device has no memory for it, those that nobody uses make room. */
  private Loaded loaded(AdapterRef ref, Meter meter) {
    try {
      return ref.isPlain() ? read(ref.members().get(0).name()) : compile(ref, meter);
    } catch (EngineException e) {
      if (!Torch.isOutOfMemory(e)) {
        throw e;
      }
    }
    evict(meter, 0, 0);
    return ref.isPlain() ? read(ref.members().get(0).name()) : compile(ref, meter);
  }

  /** Numbers that libtorch cannot work with, such as those of a matrix that has no inverse. */
  private LoadException unusable(AdapterRef ref, EngineException e) {
    if (Torch.isOutOfMemory(e)) {
      return new DeviceMemoryException(ref, Devices.name(base.device()), e);
    }
    String said = String.valueOf(e.getMessage()).strip();
    return new LoadException(
        ref.toString(),
        "libtorch cannot work with its numbers: " + said.substring(said.lastIndexOf('\n') + 1),
        e);
  }

  private Loaded compile(AdapterRef ref, Meter meter) {
    NDManager owner = base.owner().newSubManager();
    List<Lease> leases = new ArrayList<>();
    try {
      List<MixedSet.Member> members = new ArrayList<>();
      List<Lineage.Member> content = new ArrayList<>();
      Labels labels = Labels.NONE;
      for (AdapterRef.Member member : ref.members()) {
        Lease lease = lease(AdapterRef.of(member.name()), meter);
        leases.add(lease);
        Adapter adapter = lease.loaded.adapter;
        members.add(new MixedSet.Member(adapter, member.weight()));
        lease.content().forEach(one -> content.add(one.weighing(member.weight())));
        labels = adapter.bringsLabels(base.model().modules()) ? lease.headLabels() : labels;
      }
      MixedSet set = MixedSet.of(members, base.model().modules(), owner);
      return new Loaded(
          null,
          set,
          labels,
          List.copyOf(content),
          Kernels.bytes(owner.getManagedArrays()),
          owner,
          leases);
    } catch (RuntimeException | Error e) {
      owner.close();
      leases.forEach(Lease::close);
      throw e;
    }
  }

  /**
   * Brings the files of what is not in memory near, so that a lease has only to load them. This
   * waits for storage and does not touch libtorch, whose threads are the forward passes'.
   */
  void open(AdapterRef ref) {
    for (AdapterRef.Member member : ref.members()) {
      String name = member.name();
      if (!holds(AdapterRef.of(name)) && !opened.containsKey(name)) {
        Opened mine = files(name);
        if (opened.putIfAbsent(name, mine) != null) {
          mine.checkpoint.close();
        }
      }
    }
  }

  /** Closes files that were opened and that no lease has taken. */
  void discard(AdapterRef ref) {
    for (AdapterRef.Member member : ref.members()) {
      Opened left = opened.remove(member.name());
      if (left != null) {
        left.checkpoint.close();
      }
    }
  }

  private Opened files(String name) {
    AdapterSource source = sources.get(name).resolve(storage);
    source.checkUnchanged(storage);
    String version = source.weightsVersion(storage);
    source.verify(storage);
    Checkpoint checkpoint = Checkpoint.open(storage, source.location(), "adapter_model");
    try {
      checkpoint.readAhead();
      List<Lineage.Member> content = hashes ? List.of(source.content(name, storage)) : List.of();
      return new Opened(source, version, content, checkpoint);
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  private Loaded read(String name) {
    Opened ready = opened.remove(name);
    Opened files = ready == null ? files(name) : ready;
    AdapterSource source = files.source;
    AdapterConfig config = source.config();
    String version = files.version;
    NDManager owner = base.owner().newSubManager();
    try (Checkpoint checkpoint = files.checkpoint) {
      AdapterLoader loader = new AdapterLoader(base.model().modules(), base.precision());
      Adapter adapter = loader.load(name, config, checkpoint, owner);
      checkSame(name, version, source.weightsVersion(storage));
      return new Loaded(
          adapter,
          adapter,
          source.headLabels(),
          files.content,
          Kernels.bytes(owner.getManagedArrays()),
          owner,
          List.of());
    } catch (RuntimeException | Error e) {
      owner.close();
      throw e;
    }
  }

  /** All rows of a job are scored under the same weights, or say that they are not. */
  private void checkSame(String name, String before, String after) {
    String first;
    synchronized (this) {
      first = versions.computeIfAbsent(name, key -> before);
    }
    if (!first.equals(after)) {
      throw new LoadException(
          sources.get(name).location().toString(),
          "its weights have changed since they were first read; start the job again");
    }
  }

  private synchronized void pin(Entry entry) {
    entry.pins++;
    idle.remove(entry);
    idleSets.remove(entry);
  }

  private synchronized void unpin(Entry entry) {
    entry.pins--;
    entry.lastUse = ++clock;
    if (entry.pins == 0 && entries.get(entry.ref) == entry) {
      (entry.ref.isPlain() ? idle : idleSets).add(entry);
    }
  }

  private void evict(Meter meter) {
    evict(meter, budget, KEPT_SETS);
  }

  /** Closes what nobody uses while there is more than so many bytes, or so many sets. */
  private void evict(Meter meter, long mostBytes, int mostSets) {
    List<NDManager> closing = new ArrayList<>();
    synchronized (this) {
      Entry oldest = oldest(mostBytes, mostSets);
      while (oldest != null) {
        idle.remove(oldest);
        idleSets.remove(oldest);
        entries.remove(oldest.ref);
        bytes -= oldest.bytes;
        meter.add(Metric.ADAPTER_EVICTIONS, 1);
        sets -= oldest.ref.isPlain() ? 0 : 1;
        Loaded loaded = oldest.loaded.join();
        closing.add(loaded.owner);
        loaded.members.forEach(Lease::release);
        oldest = oldest(mostBytes, mostSets);
      }
    }
    closing.forEach(NDManager::close);
  }

  /**
   * What goes first where something has to: the set that was longest unused, since it keeps its
   * members, then the adapter; null where nothing has to, or nothing can.
   */
  private Entry oldest(long mostBytes, int mostSets) {
    if (bytes <= mostBytes && sets <= mostSets) {
      return null;
    }
    Entry set = idleSets.isEmpty() ? null : idleSets.iterator().next();
    Entry adapter = idle.isEmpty() || bytes <= mostBytes ? null : idle.iterator().next();
    return set == null || adapter != null && adapter.lastUse < set.lastUse ? adapter : set;
  }

  @Override
  public synchronized void close() {
    opened.values().forEach(files -> files.checkpoint.close());
    opened.clear();
    entries.values().stream()
        .filter(entry -> entry.loaded.isDone() && !entry.loaded.isCompletedExceptionally())
        .forEach(entry -> entry.loaded.join().owner.close());
    entries.clear();
    idle.clear();
    idleSets.clear();
    bytes = 0;
    sets = 0;
  }

  /**
   * An adapter or a set, and the labels of its own head.
   *
   * @param adapter null for a set
   * @param content one for each member; none where hashes are not asked for
   * @param members of a set, which stay as long as it does
   */
  private record Loaded(
      Adapter adapter,
      AdapterSet set,
      Labels headLabels,
      List<Lineage.Member> content,
      long bytes,
      NDManager owner,
      List<Lease> members) {}

  /** An adapter's files, ready to be read. */
  private record Opened(
      AdapterSource source, String version, List<Lineage.Member> content, Checkpoint checkpoint) {}

  private static final class Entry {
    final AdapterRef ref;
    final CompletableFuture<Loaded> loaded = new CompletableFuture<>();
    volatile boolean failedAlone; // by the loading thread's own fault, and others may try
    int pins;
    long lastUse;
    long bytes;

    Entry(AdapterRef ref) {
      this.ref = ref;
    }
  }

  /** The right to use an adapter or a set until closed. */
  static final class Lease implements AutoCloseable {
    private final AdapterStore store;
    private final Entry entry;
    private final Loaded loaded;
    private final Meter meter;
    private boolean closed;

    private Lease(AdapterStore store, Entry entry, Loaded loaded, Meter meter) {
      this.store = store;
      this.entry = entry;
      this.loaded = loaded;
      this.meter = meter;
    }

    AdapterSet set() {
      return loaded.set;
    }

    Labels headLabels() {
      return loaded.headLabels;
    }

    /** What was loaded, member by member; none where the store takes no hashes. */
    List<Lineage.Member> content() {
      return loaded.content;
    }

    /** The adapter itself; null for a set. */
    Adapter adapter() {
      return loaded.adapter;
    }

    /** Twice does no harm. */
    @Override
    public void close() {
      release();
      store.evict(meter);
    }

    private void release() {
      synchronized (store) {
        if (!closed) {
          closed = true;
          store.unpin(entry);
        }
      }
    }
  }
}
