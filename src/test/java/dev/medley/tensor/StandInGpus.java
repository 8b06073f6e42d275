package dev.medley.tensor;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import java.util.Map;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * GPUs that the CPU stands in for, so that what is chosen can be seen where there are none: the
 * owners of their arrays bear their names. As a Spark plugin it gives two to every executor.
 */
public final class StandInGpus implements AutoCloseable, SparkPlugin {
  private static final int OF_AN_EXECUTOR = 2;

  private static final String NAME = "stand-in ";

  /** In this JVM, until it is closed. */
  public static StandInGpus install(int count) {
    Torch.Backend cpu = Torch.backend;
    Torch.backend =
        new Torch.Backend() {
          @Override
          public int gpus() {
            return count;
          }

          @Override
          public NDManager manager(Device device) {
            NDManager owner = cpu.manager(Device.cpu());
            owner.setName(NAME + (device.isGpu() ? "cuda:" + device.getDeviceId() : "cpu"));
            return owner;
          }
        };
    return new StandInGpus(cpu);
  }

  private final Torch.Backend before;

  /** Spark's; installs nothing. */
  public StandInGpus() {
    this(null);
  }

  private StandInGpus(Torch.Backend before) {
    this.before = before;
  }

  @Override
  public void close() {
    Torch.backend = before;
  }

  /** The device that an owner, or one of those that it is within, was made for. */
  public static String deviceOf(NDManager owner) {
    for (NDManager at = owner; at != null; at = at.getParentManager()) {
      if (at.getName().startsWith(NAME)) {
        return at.getName().substring(NAME.length());
      }
    }
    throw new IllegalStateException(owner.getName() + " was made before there were stand-ins");
  }

  @Override
  public DriverPlugin driverPlugin() {
    return null;
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return new ExecutorPlugin() {
      @Override
      public void init(PluginContext context, Map<String, String> extraConf) {
        install(OF_AN_EXECUTOR);
      }
    };
  }
}
