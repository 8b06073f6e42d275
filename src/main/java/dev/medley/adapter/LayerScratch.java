package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.medley.tensor.Kernels;

/**
 * Memory for one merged weight, which the next one overwrites: as much as the largest linear map
 * takes, and small enough for a cache to hold from the merge to the product.
 *
 * <p>Not for concurrent use. Owns its array.
 */
public final class LayerScratch implements MergedWeights, AutoCloseable {
  private final NDManager owner;
  private NDArray memory;

  /** Its array is on the device of {@code parent}, and closed with it at the latest. */
  public LayerScratch(NDManager parent) {
    this.owner = parent.newSubManager();
  }

  @Override
  public NDArray merge(String path, LinearAdapter change, NDArray weight) {
    long numbers = weight.getShape().size();
    if (memory == null || memory.getShape().size() < numbers) {
      if (memory != null) {
        memory.close();
      }
      memory = Kernels.emptyLike(weight, owner, numbers);
      NDScope.unregister(memory);
    }
    NDArray into = Kernels.start(memory, weight.getShape().get(0), weight.getShape().get(1));
    change.mergeInto(weight, into);
    return into;
  }

  @Override
  public void close() {
    owner.close();
  }
}
