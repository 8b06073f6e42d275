package dev.medley.tensor;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.engine.StandardCapabilities;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;

/** DJL's libtorch, set up once per JVM. */
public final class Torch {
  private static final String THREADS = "ai.djl.pytorch.num_threads";

  private Torch() {}

  /** A new owner of arrays on a device. */
  public static NDManager manager(Device device) {
    return Loaded.ENGINE.newBaseManager(device);
  }

  /**
   * Says, once per JVM, how many threads an operation on the CPU takes (libtorch's intra-op
   * threads), and starts libtorch. The first call counts, unless {@code OMP_NUM_THREADS} or {@code
   * -Dai.djl.pytorch.num_threads} says it already: then that does, as for anything on libtorch.
   *
   * <p>OpenMP gives every thread that calls operations a team of that size, itself included, which
   * waits beside it until it ends. So it is the callers that must be few: as many at a time as
   * there are cores divided by this.
   *
   * @return how many there are now; a thread that has called operations before may keep its team
   */
  public static synchronized int threads(int wanted) {
    boolean isSaid = System.getenv("OMP_NUM_THREADS") != null;
    if (!isSaid && System.getProperty(THREADS) == null) {
      System.setProperty(THREADS, Integer.toString(wanted)); // DJL reads it when it starts
      if (threads() != wanted) { // it has started before
        JniUtils.setNumThreads(wanted);
      }
    }
    return threads();
  }

  /** How many threads an operation on the CPU takes. */
  public static int threads() {
    Loaded.start();
    return JniUtils.getNumThreads();
  }

  /** How many GPUs libtorch can use: DJL counts what the driver has, a CPU build sees none. */
  public static int gpus() {
    boolean cuda = Loaded.ENGINE.hasCapability(StandardCapabilities.CUDA);
    return cuda ? Loaded.ENGINE.getGpuCount() : 0;
  }

  /** Not in the class that waits for it to be initialised: this runs in another thread. */
  private static Engine load() {
    // Unless told otherwise DJL reports its start over the network.
    if (System.getenv("OPT_OUT_TRACKING") == null) {
      System.setProperty("OPT_OUT_TRACKING", "true");
    }
    return Engine.getEngine("PyTorch");
  }

  /** Loads when first used: a driver that never runs a forward pass needs no libtorch. */
  private static final class Loaded {
    static final Engine ENGINE = NativeStart.of("pytorch", Torch::load);

    static void start() {
      // that the class is initialised is all
    }
  }
}
