package dev.medley.spark;

import ai.djl.Device;
import dev.medley.engine.DevicePermits;
import dev.medley.engine.Devices;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.tensor.Torch;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/** What Spark's tasks compute on, and how many of them at a time. */
public final class TaskDevices {
  /**
   * How many forward passes run on a device of an executor at a time: of all jobs, so that it is
   * said where the application is started.
   */
  public static final String PERMITS = "spark.medley.device.permits";

  /** RAPIDS' number: one computes while the other's numbers come and go. */
  static final int GPU_PERMITS = 2;

  private static final String TASK_GPUS = "spark.task.resource.gpu.amount";

  private TaskDevices() {}

  /**
   * The device of a task: the GPU that Spark has given to it; in local mode, where Spark gives
   * none, the first that there is.
   *
   * @throws IllegalStateException where a GPU was asked for or given and cannot be had
   */
  static Device of(DeviceChoice choice, TaskContext task) {
    return isLocal(SparkEnv.get().conf())
        ? Devices.unassigned(choice)
        : of(choice, task.resourcesJMap());
  }

  static Device of(DeviceChoice choice, Map<String, ResourceInformation> resources) {
    ResourceInformation gpu = resources.get("gpu");
    return Devices.assigned(choice, gpu == null ? List.of() : List.of(gpu.addresses()));
  }

  /** The permits of a device of this JVM: {@value #PERMITS}, else 2 of a GPU, any of the CPU. */
  static DevicePermits permits(Device device) {
    SparkEnv env = SparkEnv.get();
    String said = env == null ? null : env.conf().get(PERMITS, null);
    if (said != null) {
      return new DevicePermits(permits(said));
    }
    return device.isGpu() ? new DevicePermits(GPU_PERMITS) : DevicePermits.unlimited();
  }

  private static int permits(String said) {
    if (!said.matches("[1-9][0-9]{0,6}")) {
      throw new IllegalArgumentException(
          PERMITS + ": expected a whole number of at least 1, got " + said);
    }
    return Integer.parseInt(said);
  }

  /**
   * Checks what can be known before a task runs.
   *
   * @throws IllegalArgumentException for settings under which tasks never start, or fail
   */
  public static void check(SparkConf conf) {
    String said = conf.get(PERMITS, null);
    if (said != null) {
      permits(said);
    }
    if (isLocal(conf) && conf.contains(TASK_GPUS)) {
      throw new IllegalArgumentException(
          TASK_GPUS
              + ": expected none in local mode, where Spark gives no GPUs to tasks and they would"
              + " wait for them for ever, found "
              + conf.get(TASK_GPUS)
              + "; leave it out: tasks of a local mode share the first GPU that there is");
    }
  }

  /** Where a job's tasks would compute, and how many forward passes at a time, in words. */
  public static String forecast(DeviceChoice choice, SparkConf conf) {
    boolean isLocal = isLocal(conf);
    String gpus = conf.get(TASK_GPUS, null);
    if (choice != DeviceChoice.CPU && !isLocal && gpus != null) {
      return "gpu, " + gpus + " of one for each task, " + passes(conf, true);
    }
    boolean hasGpu = choice != DeviceChoice.CPU && isLocal && Torch.gpus() > 0;
    if (choice == DeviceChoice.GPU && !hasGpu) {
      return "none: device = gpu, and "
          + (isLocal ? "libtorch sees none" : TASK_GPUS + " gives none to tasks");
    }
    return Devices.name(hasGpu ? Device.gpu(0) : Device.cpu()) + ", " + passes(conf, hasGpu);
  }

  private static String passes(SparkConf conf, boolean onGpu) {
    String most = conf.get(PERMITS, onGpu ? Integer.toString(GPU_PERMITS) : null);
    return "passes at a time: " + (most == null ? "one of each task" : most);
  }

  /** Whether the driver's own JVM runs the tasks. */
  static boolean isLocal(SparkConf conf) {
    return conf.get("spark.master", "").matches("local(\\[.*\\])?");
  }
}
