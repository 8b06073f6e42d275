package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.medley.tensor.Kernels;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Merged weights of one set at a time, each map's merged when it is first asked for and kept until
 * another set begins: all batches of a run share them. The memory stays for the next run.
 *
 * <p>Not for concurrent use. Owns its arrays.
 */
public final class RunWeights implements MergedWeights, AutoCloseable {
  private final NDManager owner;
  private final Map<String, NDArray> memory = new HashMap<>();
  private final Set<String> merged = new HashSet<>();
  private AdapterSet set;

  /** Its arrays are on the device of {@code parent}, and closed with it at the latest. */
  public RunWeights(NDManager parent) {
    this.owner = parent.newSubManager();
  }

  /** The next run is of that set; by identity, the one of the last run keeps its weights. */
  public void begin(AdapterSet next) {
    if (next != set) {
      merged.clear();
      set = next;
    }
  }

  /** Numbers that there is memory for. */
  public long numbers() {
    return memory.values().stream().mapToLong(array -> array.getShape().size()).sum();
  }

  /** Frees the memory. */
  public void clear() {
    memory.values().forEach(NDArray::close);
    memory.clear();
    merged.clear();
    set = null;
  }

  @Override
  public NDArray merge(String path, LinearAdapter change, NDArray weight) {
    NDArray into =
        memory.computeIfAbsent(
            path,
            missing -> {
              long[] shape = weight.getShape().getShape();
              NDArray made = Kernels.emptyLike(weight, owner, shape);
              NDScope.unregister(made);
              return made;
            });
    if (!merged.contains(path)) {
      change.mergeInto(weight, into);
      merged.add(path); // not before: half a merge is none
    }
    return into;
  }

  @Override
  public void close() {
    owner.close();
  }
}
