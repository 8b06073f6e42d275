package dev.medley.spark;

import ai.djl.Device;
import dev.medley.engine.BaseModel;
import dev.medley.engine.DevicePermits;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Torch;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models in the memory of this JVM, shared by all tasks, stages and jobs that run in it.
 *
 * <p>A base is loaded once per (files, head, dtype, device) and stays until the JVM ends. On top of
 * it stands an engine per spec, which owns a tokenizer and a cache of adapters; engines that no
 * task uses are closed, the longest unused first, when there are more than a few.
 */
public final class ExecutorEngines {
  /** The one of this JVM: whatever a task may find already loaded. */
  public static final ExecutorEngines OF_THIS_JVM = new ExecutorEngines(4);

  private static final Logger LOG = LoggerFactory.getLogger(ExecutorEngines.class);
  private static final int MOST_STORAGES = 8;
  private static final int MOST_FINGERPRINTS = 1 << 18;

  private final int mostIdle;
  private final Map<BaseKey, CompletableFuture<BaseModel>> bases = new ConcurrentHashMap<>();
  private final AtomicInteger baseLoads = new AtomicInteger();
  private final MetricTotals totals = new MetricTotals();
  private final AtomicBoolean saidThreads = new AtomicBoolean();
  private final Map<Device, DevicePermits> permits = new ConcurrentHashMap<>();
  private final Map<EngineKey, Entry> engines = new HashMap<>();
  private long clock;

  /** By everything that the configuration says: renewed credentials are another one. */
  private final Map<Map<String, String>, Storage> storages =
      new LinkedHashMap<>(8, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Map<String, String>, Storage> eldest) {
          return size() > MOST_STORAGES;
        }
      };

  /** What adapters are, by where they lie and when they were changed. */
  private final Map<String, String> fingerprints = new ConcurrentHashMap<>();

  /** Which versions of a base's files were asked for last. */
  private final Map<BasePlace, List<String>> latest = new HashMap<>();

  /** How many tasks are about to put an engine on a base. */
  private final Map<BaseKey, Integer> basePins = new HashMap<>();

  private record BasePlace(Location folder, Head head, Precision dtype, Device device) {}

  private record BaseKey(BasePlace place, List<String> versions) {}

  private record EngineKey(
      EngineSpec spec, List<String> baseVersions, Storage storage, Device device) {}

  private static final class Entry {
    final BaseKey base;
    final Engine engine;
    int leases;
    long lastUse;

    Entry(BaseKey base, Engine engine) {
      this.base = base;
      this.engine = engine;
    }
  }

  /**
   * None loaded yet.
   *
   * @param mostIdle engines that may stay without a task
   */
  ExecutorEngines(int mostIdle) {
    this.mostIdle = mostIdle;
  }

  /** How many bases were loaded so far. */
  public int baseLoads() {
    return baseLoads.get();
  }

  /** What tasks have done so far. */
  MetricTotals totals() {
    return totals;
  }

  /** Bytes that the adapters in memory take. */
  synchronized long adapterBytes() {
    return engines.values().stream().mapToLong(entry -> entry.engine.adapterBytes()).sum();
  }

  /** How many engines are open. */
  synchronized int size() {
    return engines.size();
  }

  /** How many tasks hold one of them. */
  synchronized int leases() {
    return engines.values().stream().mapToInt(entry -> entry.leases).sum();
  }

  /** The storage of this JVM for that configuration. */
  synchronized Storage storage(Configuration conf) {
    Map<String, String> entries = new HashMap<>();
    conf.forEach(entry -> entries.put(entry.getKey(), entry.getValue()));
    return storages.computeIfAbsent(entries, made -> Storage.standard(conf));
  }

  /**
   * The engine for a task, which stays open until the lease is closed.
   *
   * @throws IllegalStateException where the spec wants a GPU and the task has none
   * @throws dev.medley.io.LoadException with every problem of the base
   */
  Lease lease(SharedSpec shared, TaskContext task) {
    int wanted = shared.spec().threads(task.cpus());
    int threads = Torch.threads(wanted);
    if (threads != wanted && saidThreads.compareAndSet(false, true)) {
      LOG.warn(
          "libtorch takes {} threads for each task, not {} as {} says: OMP_NUM_THREADS,"
              + " -Dai.djl.pytorch.num_threads or the first task of this JVM said so before",
          threads,
          wanted,
          wanted == task.cpus() ? "spark.task.cpus" : "deterministic");
    }
    Device device = TaskDevices.of(shared.spec().device(), task);
    return lease(shared.spec(), shared.baseVersions(), storage(shared.hadoop().value()), device);
  }

  /** What adapters are: fingerprints of files that this JVM has read, kept while they last. */
  Map<String, String> fingerprints() {
    if (fingerprints.size() > MOST_FINGERPRINTS) {
      fingerprints.clear();
    }
    return fingerprints;
  }

  Lease lease(EngineSpec spec, List<String> baseVersions, Storage storage, Device device) {
    Location folder = Location.of(spec.base());
    BasePlace place = new BasePlace(folder, spec.task().head(), spec.dtype(), device);
    BaseKey baseKey = new BaseKey(place, baseVersions);
    synchronized (this) {
      latest.put(place, baseVersions);
      basePins.merge(baseKey, 1, Integer::sum);
    }
    try {
      BaseModel base = base(baseKey, storage);
      synchronized (this) {
        EngineKey key = new EngineKey(spec, baseVersions, storage, device);
        Entry entry =
            engines.computeIfAbsent(
                key, made -> new Entry(baseKey, Engine.on(base, storage, spec, permits(device))));
        entry.leases++;
        return new Lease(entry);
      }
    } finally {
      synchronized (this) {
        basePins.merge(baseKey, -1, (pins, one) -> pins + one == 0 ? null : pins + one);
      }
    }
  }

  /** Those of a device, for all engines on it. */
  DevicePermits permits(Device device) {
    return permits.computeIfAbsent(device, TaskDevices::permits);
  }

  /** The first who asks loads it, the others wait; a failure is the loader's alone. */
  private BaseModel base(BaseKey key, Storage storage) {
    while (true) {
      CompletableFuture<BaseModel> mine = new CompletableFuture<>();
      CompletableFuture<BaseModel> first = bases.putIfAbsent(key, mine);
      if (first == null) {
        return load(key, storage, mine);
      }
      try {
        return first.join();
      } catch (CompletionException e) {
        // the loader may have been killed, which is no fault of the model's: try here
      }
    }
  }

  private BaseModel load(BaseKey key, Storage storage, CompletableFuture<BaseModel> future) {
    BasePlace place = key.place;
    try {
      long bytes =
          Checkpoint.headers(storage, place.folder, "model").values().stream()
              .mapToLong(tensor -> tensor.bytes())
              .sum();
      long start = System.nanoTime();
      BaseModel base = BaseModel.load(storage, place.folder, place.head, place.device, place.dtype);
      checkMadeOf(base, key.versions);
      long millis = (System.nanoTime() - start) / 1_000_000;
      baseLoads.incrementAndGet();
      LOG.info(
          "Loaded base {} on {} in {}: {} bytes of tensors in {} ms",
          place.folder,
          place.device,
          place.dtype,
          bytes,
          millis);
      future.complete(base);
      return base;
    } catch (RuntimeException | Error e) {
      bases.remove(key, future);
      future.completeExceptionally(e);
      throw e;
    }
  }

  private static void checkMadeOf(BaseModel base, List<String> versions) {
    try {
      base.checkMadeOf(versions);
    } catch (RuntimeException e) {
      base.close();
      throw e;
    }
  }

  private synchronized void release(Entry entry) {
    entry.leases--;
    entry.lastUse = ++clock;
    closeIdle();
  }

  private void closeIdle() {
    List<Map.Entry<EngineKey, Entry>> idle =
        engines.entrySet().stream()
            .filter(each -> each.getValue().leases == 0)
            .sorted(
                Comparator.<Map.Entry<EngineKey, Entry>, Boolean>comparing(
                        each -> !isOutdated(each.getValue().base))
                    .thenComparingLong(each -> each.getValue().lastUse))
            .toList();
    int outdated = (int) idle.stream().filter(each -> isOutdated(each.getValue().base)).count();
    for (var each : idle.subList(0, Math.max(outdated, idle.size() - mostIdle))) {
      engines.remove(each.getKey());
      each.getValue().engine.close();
    }
    bases
        .keySet()
        .removeIf(
            key -> {
              boolean unused =
                  isOutdated(key)
                      && !basePins.containsKey(key)
                      && engines.values().stream().noneMatch(entry -> entry.base.equals(key));
              if (unused) {
                bases.get(key).join().close();
              }
              return unused;
            });
  }

  /** Whether another version of the same base was asked for since. */
  private boolean isOutdated(BaseKey key) {
    return !key.versions.equals(latest.get(key.place));
  }

  /** The right to use an engine until closed. */
  final class Lease {
    private final Entry entry;

    private Lease(Entry entry) {
      this.entry = entry;
    }

    Engine engine() {
      return entry.engine;
    }

    /** Ends the lease, once. */
    void close() {
      release(entry);
    }
  }
}
