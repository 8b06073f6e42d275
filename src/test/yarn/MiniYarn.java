import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/**
 * A YARN of one node on this machine, for YarnTest: puts yarn-site.xml into the folder that is its
 * argument when it is ready, and runs until its input ends.
 */
public final class MiniYarn {
  public static void main(String[] args) throws Exception {
    YarnConfiguration conf = new YarnConfiguration();
    conf.set("yarn.scheduler.capacity.root.queues", "default");
    conf.set("yarn.scheduler.capacity.root.default.capacity", "100");
    conf.set("yarn.scheduler.capacity.maximum-am-resource-percent", "1.0");
    conf.set("yarn.scheduler.minimum-allocation-mb", "256");
    conf.set("yarn.minicluster.yarn.nodemanager.resource.memory-mb", "16384");
    conf.set("yarn.nodemanager.resource.cpu-vcores", "16");
    conf.set("yarn.nodemanager.vmem-check-enabled", "false");
    conf.set(
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage", "100");
    try (MiniYARNCluster yarn = new MiniYARNCluster("medley", 1, 1, 1)) {
      yarn.init(conf);
      yarn.start();
      Path site = Path.of(args[0], "yarn-site.xml");
      Path writing = Path.of(args[0], "writing");
      try (OutputStream out = Files.newOutputStream(writing)) {
        yarn.getConfig().writeXml(out);
      }
      Files.move(writing, site, StandardCopyOption.ATOMIC_MOVE);
      while (System.in.read() >= 0) {
        // until whoever started this ends
      }
    }
    System.exit(0);
  }
}
