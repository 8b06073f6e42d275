package dev.medley.engine;

import dev.medley.io.Location;
import dev.medley.tensor.Precision;
import java.io.Serializable;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Everything that an engine is made from: small, serialisable, without a native handle, so that a
 * driver can broadcast it.
 *
 * @param base path or URI of an HF folder
 * @param adapters by the name that rows use
 * @param sets named ordered sets, each element as in an adapter column: {@code math}, {@code
 *     0.7*math}
 * @param adapterMemory adapters that no batch uses are kept up to this many bytes, the longest
 *     unused go first
 * @param extras what is done beside
 */
public record EngineSpec(
    String base,
    Task task,
    Map<String, AdapterSource> adapters,
    Map<String, List<String>> sets,
    Precision dtype,
    DeviceChoice device,
    Batching batching,
    Merging merging,
    long adapterMemory,
    OnError onError,
    Set<Extra> extras)
    implements Serializable {
  /** 1 GiB. */
  public static final long ADAPTER_MEMORY = 1L << 30;

  /** Throws IllegalArgumentException for less than no memory. */
  public EngineSpec {
    if (adapterMemory < 0) {
      throw new IllegalArgumentException(
          "adapter-memory: expected at least 0, got " + adapterMemory);
    }
    extras = Set.copyOf(extras);
  }

  /** Without extras. */
  public EngineSpec(
      String base,
      Task task,
      Map<String, AdapterSource> adapters,
      Map<String, List<String>> sets,
      Precision dtype,
      DeviceChoice device,
      Batching batching,
      Merging merging,
      long adapterMemory,
      OnError onError) {
    this(
        base,
        task,
        adapters,
        sets,
        dtype,
        device,
        batching,
        merging,
        adapterMemory,
        onError,
        Set.of());
  }

  /** Defaults for everything but the base and the task. */
  public static EngineSpec of(String base, Task task, Map<String, AdapterSource> adapters) {
    return new EngineSpec(
        base,
        task,
        Map.copyOf(adapters),
        Map.of(),
        Precision.FLOAT32,
        DeviceChoice.AUTO,
        Batching.DEFAULT,
        Merging.AUTO,
        ADAPTER_MEMORY,
        OnError.ROW);
  }

  /** The same files by other paths. */
  public EngineSpec with(String otherBase, Map<String, AdapterSource> otherAdapters) {
    return over(otherBase, otherAdapters, sets);
  }

  /** The same with other named sets. */
  public EngineSpec withSets(Map<String, List<String>> otherSets) {
    return over(base, adapters, Map.copyOf(otherSets));
  }

  /**
   * The named sets, read, with sets in them in place of their names.
   *
   * @throws IllegalArgumentException where one cannot be read, or contains itself
   */
  public Map<String, AdapterRef> namedSets() {
    Map<String, AdapterRef> read = new HashMap<>();
    sets.keySet().forEach(name -> read.put(name, expanded(name, Set.of())));
    return read;
  }

  private AdapterRef expanded(String name, Set<String> around) {
    if (around.contains(name)) {
      throw new IllegalArgumentException("set " + name + " contains itself");
    }
    Set<String> inside = new HashSet<>(around);
    inside.add(name);
    AdapterRef ref = AdapterRef.parse(sets.get(name));
    Map<String, AdapterRef> nested = new HashMap<>();
    for (AdapterRef.Member member : ref.members()) {
      if (sets.containsKey(member.name())) {
        nested.put(member.name(), expanded(member.name(), inside));
      }
    }
    return ref.expand(nested);
  }

  /** The same with rows put together otherwise. */
  public EngineSpec with(Batching otherBatching) {
    return run(dtype, otherBatching, merging, adapterMemory, onError, extras);
  }

  /** The same with changes merged otherwise. */
  public EngineSpec with(Merging otherMerging) {
    return run(dtype, batching, otherMerging, adapterMemory, onError, extras);
  }

  /** The same with other room for adapters that no batch uses. */
  public EngineSpec withAdapterMemory(long bytes) {
    return run(dtype, batching, merging, bytes, onError, extras);
  }

  /** The same in another precision. */
  public EngineSpec with(Precision otherDtype) {
    return run(otherDtype, batching, merging, adapterMemory, onError, extras);
  }

  /** The same with another fate of rows in error. */
  public EngineSpec with(OnError otherOnError) {
    return run(dtype, batching, merging, adapterMemory, otherOnError, extras);
  }

  /** The same with one extra more. */
  public EngineSpec with(Extra extra) {
    Set<Extra> more = new HashSet<>(extras);
    more.add(extra);
    return run(dtype, batching, merging, adapterMemory, onError, more);
  }

  /** The same run over other files. */
  private EngineSpec over(
      String otherBase,
      Map<String, AdapterSource> otherAdapters,
      Map<String, List<String>> otherSets) {
    return new EngineSpec(
        otherBase,
        task,
        otherAdapters,
        otherSets,
        dtype,
        device,
        batching,
        merging,
        adapterMemory,
        onError,
        extras);
  }

  /** The same files run otherwise. */
  private EngineSpec run(
      Precision otherDtype,
      Batching otherBatching,
      Merging otherMerging,
      long otherMemory,
      OnError otherOnError,
      Set<Extra> otherExtras) {
    return new EngineSpec(
        base,
        task,
        adapters,
        sets,
        otherDtype,
        device,
        otherBatching,
        otherMerging,
        otherMemory,
        otherOnError,
        otherExtras);
  }

  /** How rows are put together for a pass: each alone where results are to be the same bytes. */
  Batching passes() {
    return has(Extra.DETERMINISTIC) ? batching.alone() : batching;
  }

  /** How sets are applied: by no measurement where results are to be the same bytes. */
  Merging modes() {
    return has(Extra.DETERMINISTIC) && merging.mode() == Merging.Mode.AUTO
        ? merging.with(Merging.Mode.NEVER)
        : merging;
  }

  /** Threads of a task that has so many cores: one where results are to be the same bytes. */
  public int threads(int cores) {
    return has(Extra.DETERMINISTIC) ? 1 : cores; // last bits depend on threads
  }

  /** Whether it is among the extras. */
  public boolean has(Extra extra) {
    return extras.contains(extra);
  }

  /** What costs time and is not done unless somebody asks for it. */
  public enum Extra {
    /** Each result says where it comes from. */
    LINEAGE,
    /**
     * A row's result is the same to the bit whatever its partition, its place, its neighbours and
     * the sizes of windows and batches: each row goes through the model alone, and how its set is
     * applied does not depend on what was measured. The same libtorch on the same kind of processor
     * is presumed.
     */
    DETERMINISTIC
  }

  /** In short, without credentials: a spec may be part of what Spark prints. */
  @Override
  public String toString() {
    return task.pipeline()
        + " over "
        + Location.shown(base)
        + " under "
        + adapters.size()
        + " adapters and "
        + sets.size()
        + " sets";
  }

  /** What a row that cannot be scored does. */
  public enum OnError {
    /** It gets a null prediction and an error. */
    ROW,
    /** It fails the job. */
    FAIL
  }

  /** Where to compute. */
  public enum DeviceChoice {
    /** The GPU that was assigned, if any, else the CPU. */
    AUTO,
    CPU,
    /** The GPU that was assigned; none is an error. */
    GPU
  }
}
