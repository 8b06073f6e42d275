package dev.medley.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.function.BiConsumer;

/** What tests see of kernels' calls, and do to them. */
public final class Calls {
  /** More bytes than any machine has. */
  private static final long TOO_MANY = 1L << 50;

  private Calls() {}

  /**
   * Sees the name and the first array of each call, before it, in all threads until closed; what it
   * throws the call throws.
   */
  public static AutoCloseable seen(BiConsumer<String, NDArray> before) {
    Kernels.beforeCall = before;
    return () -> Kernels.beforeCall = (method, first) -> {};
  }

  /** Asks libtorch for more memory than there is, and so throws what it says to that. */
  public static void runOutOfMemory(NDManager owner) {
    owner.zeros(new Shape(TOO_MANY / 4));
    throw new IllegalStateException(TOO_MANY + " bytes were had");
  }
}
