package dev.medley.tensor;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.engine.StandardCapabilities;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.util.List;

/** DJL's libtorch, set up once per JVM. */
public final class Torch {
  private static final String THREADS = "ai.djl.pytorch.num_threads";

  /** Where a machine's memory, or a GPU's, ends, as libtorch's allocators and libraries say it. */
  private static final List<String> OUT_OF_MEMORY =
      List.of(
          "CUDA out of memory",
          "CUDA error: out of memory",
          "CUBLAS_STATUS_ALLOC_FAILED",
          "CUDNN_STATUS_ALLOC_FAILED",
          "DefaultCPUAllocator: can't allocate memory", // Linux and macOS
          "DefaultCPUAllocator: not enough memory", // Windows
          "std::bad_alloc");

  /** What arrays are made on. */
  interface Backend {
    /** How many GPUs there are. */
    int gpus();

    /** A new owner of arrays on a device. */
    NDManager manager(Device device);
  }

  /** Libtorch's own. Tests have the CPU stand in for GPUs that are not there. */
  static volatile Backend backend = new Libtorch();

  private Torch() {}

  /** A new owner of arrays on a device. */
  public static NDManager manager(Device device) {
    return backend.manager(device);
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
    return backend.gpus();
  }

  /**
   * Whether libtorch says that a device has no memory left. It says so in words alone: DJL has one
   * exception for all that goes wrong in there.
   */
  public static boolean isOutOfMemory(EngineException problem) {
    String said = String.valueOf(problem.getMessage());
    return OUT_OF_MEMORY.stream().anyMatch(said::contains);
  }

  private static final class Libtorch implements Backend {
    @Override
    public int gpus() {
      boolean cuda = Loaded.ENGINE.hasCapability(StandardCapabilities.CUDA);
      return cuda ? Loaded.ENGINE.getGpuCount() : 0;
    }

    @Override
    public NDManager manager(Device device) {
      return Loaded.ENGINE.newBaseManager(device);
    }
  }

  /** Loads when first used: a driver that never runs a forward pass needs no libtorch. */
  private static final class Loaded {
    static final Engine ENGINE = load();

    static void start() {
      // that the class is initialised is all
    }

    private static Engine load() {
      // Unless told otherwise DJL reports its start over the network.
      if (System.getenv("OPT_OUT_TRACKING") == null) {
        System.setProperty("OPT_OUT_TRACKING", "true");
      }
      return UnpackLock.during("pytorch", () -> Engine.getEngine("PyTorch"));
    }
  }
}
