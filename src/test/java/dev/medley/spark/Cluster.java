package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.SparkJvm;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.deploy.master.Master;
import org.apache.spark.deploy.worker.Worker;
import org.apache.spark.sql.SparkSession;

/**
 * A Spark on this machine whose executors are JVMs of their own: two, of two cores each. Owns their
 * processes. What they print is in {@code target/spark-home/work}.
 */
final class Cluster implements AutoCloseable {
  /** Tasks at a time. */
  static final int CORES = 4;

  /** A machine that is busy elsewhere loses no executor. */
  private static final String PATIENCE = "1800s";

  /** Where executors are told to find Spark's jars; they have the tests' class path instead. */
  private static final Path HOME = Path.of(System.getenv("SPARK_HOME"));

  private final String master;
  private final List<Process> processes;
  private SparkSession session;

  private Cluster(String master, List<Process> processes) {
    this.master = master;
    this.processes = processes;
  }

  /** Its executors are started by the driver itself. */
  static Cluster local() throws IOException {
    Files.createDirectories(HOME.resolve("jars"));
    return new Cluster("local-cluster[2,2,2048]", List.of());
  }

  /**
   * A master and two workers, each a JVM. The workers have two names of this machine, since Spark
   * runs no two copies of a task on one host.
   */
  static Cluster standalone() throws Exception {
    Files.createDirectories(HOME.resolve("jars"));
    String port = Integer.toString(freePort());
    Cluster cluster = new Cluster("spark://127.0.0.1:" + port, new ArrayList<>());
    Runtime.getRuntime().addShutdownHook(new Thread(cluster::endProcesses));
    cluster.process(
        Master.class, List.of("--host", "127.0.0.1", "--port", port), List.of("--webui-port", "0"));
    awaitListening(Integer.parseInt(port));
    for (String host : List.of("127.0.0.1", "localhost")) {
      String work = HOME.resolve("work").toString();
      cluster.process(
          Worker.class,
          List.of("--host", host, "--webui-port", "0", "--work-dir", work),
          List.of("--cores", "2", "--memory", "2g", cluster.master));
    }
    return cluster;
  }

  /**
   * A new application with all of the cluster's cores, in place of the session that there is.
   *
   * @param settings beside those that tests on executors need
   */
  SparkSession start(Map<String, String> settings) {
    stop();
    SparkSession.Builder builder =
        SparkSession.builder()
            .master(master)
            .appName("cluster")
            .config("spark.cores.max", CORES)
            .config("spark.executor.cores", "2")
            .config("spark.executor.memory", "1g")
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.executorEnv.OMP_NUM_THREADS", "1")
            .config("spark.scheduler.minRegisteredResourcesRatio", "1")
            .config("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s")
            .config("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "600")
            .config("spark.scheduler.maxRegisteredResourcesWaitingTime", "5min")
            .config("spark.network.timeout", PATIENCE)
            .config("spark.locality.wait", "0")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.ui.enabled", "false");
    settings.forEach(builder::config);
    session = builder.getOrCreate();
    return session;
  }

  /** Ends the session of this JVM, be it another test's: there can be one alone. */
  static void stop() {
    if (SparkSession.getDefaultSession().isDefined()) {
      SparkSession.getDefaultSession().get().stop();
      SparkSession.clearActiveSession();
      SparkSession.clearDefaultSession();
    }
  }

  @Override
  public void close() {
    stop();
    endProcesses();
  }

  private void endProcesses() {
    processes.forEach(Process::destroy);
  }

  private void process(Class<?> main, List<String> address, List<String> rest) throws IOException {
    List<String> args = new ArrayList<>(address);
    args.addAll(rest);
    Path log = HOME.resolve(main.getSimpleName() + "-" + processes.size() + ".log");
    processes.add(
        new SparkJvm(main, args.toArray(String[]::new))
            .with("-Dspark.worker.timeout=" + PATIENCE.replace("s", ""))
            .start(log));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      return socket.getLocalPort();
    }
  }

  private static void awaitListening(int port) throws InterruptedException {
    for (int i = 0; i < 1200; i++) {
      try (Socket socket = new Socket("127.0.0.1", port)) {
        assertThat(socket.isConnected()).isTrue();
        return;
      } catch (IOException e) {
        Thread.sleep(100);
      }
    }
    throw new IllegalStateException("the master does not listen at port " + port);
  }
}
