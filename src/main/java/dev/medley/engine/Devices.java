package dev.medley.engine;

import ai.djl.Device;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.tensor.Torch;
import java.util.List;

/** Which device a task computes on. */
public final class Devices {
  private Devices() {}

  /**
   * The device of a task that a scheduler gives GPUs to.
   *
   * <p>An address is a number as CUDA counts in this process: where {@code CUDA_VISIBLE_DEVICES} is
   * set, the place in that list, as PyTorch and Spark's TorchDistributor have it. Or it is a name
   * ({@code GPU-…}, {@code MIG-…}) that stands in that list.
   *
   * @param addresses of the GPUs that the scheduler gave to this task
   * @throws IllegalStateException where a GPU was asked for or given and cannot be had, and for
   *     more than one
   */
  public static Device assigned(DeviceChoice choice, List<String> addresses) {
    boolean onCpu = choice == DeviceChoice.CPU || addresses.isEmpty();
    return choose(
        choice, addresses, onCpu ? 0 : Torch.gpus(), System.getenv("CUDA_VISIBLE_DEVICES"));
  }

  /**
   * The device where nobody gives any: the first GPU that there is, else the CPU.
   *
   * @throws IllegalStateException where a GPU was asked for and there is none
   */
  public static Device unassigned(DeviceChoice choice) {
    int gpus = choice == DeviceChoice.CPU ? 0 : Torch.gpus();
    if (choice == DeviceChoice.GPU && gpus == 0) {
      throw new IllegalStateException(
          "device = gpu, and libtorch sees none; put a CUDA build of libtorch on the class path, or"
              + " set device = auto");
    }
    return gpus == 0 ? Device.cpu() : Device.gpu(0);
  }

  /** As torch writes it: {@code cpu}, {@code cuda:1}. */
  public static String name(Device device) {
    return device.isGpu() ? "cuda:" + device.getDeviceId() : "cpu";
  }

  /**
   * {@link #assigned}.
   *
   * @param visible how many GPUs libtorch sees
   * @param list {@code CUDA_VISIBLE_DEVICES}; null where it is not set
   */
  static Device choose(DeviceChoice choice, List<String> given, int visible, String list) {
    List<String> addresses = given.stream().distinct().toList(); // several shares of one are one
    if (choice == DeviceChoice.CPU || (choice == DeviceChoice.AUTO && addresses.isEmpty())) {
      return Device.cpu();
    }
    if (addresses.isEmpty()) {
      throw new IllegalStateException(
          "device = gpu, and no GPU is assigned to this task; set spark.task.resource.gpu.amount and"
              + " spark.executor.resource.gpu.amount, or set device = auto");
    }
    if (addresses.size() > 1) {
      throw new IllegalStateException(
          "GPUs "
              + String.join(", ", addresses)
              + " are assigned to this task, which computes on one; set"
              + " spark.task.resource.gpu.amount to 1, or to less for tasks to share a GPU");
    }
    int number = number(addresses.get(0), list);
    if (number >= visible) {
      throw new IllegalStateException(
          "GPU "
              + addresses.get(0)
              + " is assigned to this task, and libtorch sees "
              + visible
              + "; put a CUDA build of libtorch on the executor's class path, or set device = cpu");
    }
    return Device.gpu(number);
  }

  private static int number(String address, String list) {
    if (address.matches("[0-9]{1,4}")) {
      return Integer.parseInt(address);
    }
    List<String> visible = list == null ? List.of() : List.of(list.split(","));
    for (int i = 0; i < visible.size(); i++) {
      String name = visible.get(i).strip(); // CUDA takes the beginning of a name for it
      if (name.matches("(GPU|MIG)-.+") && address.startsWith(name)) {
        return i;
      }
    }
    throw new IllegalStateException(
        "GPU "
            + address
            + " is assigned to this task by a name, and CUDA_VISIBLE_DEVICES, by which it would have"
            + " a number, "
            + (list == null ? "is not set" : "is " + list)
            + "; have the discovery script give numbers, as Spark's getGpusResources.sh does, or set"
            + " CUDA_VISIBLE_DEVICES of the executors to the names");
  }
}
