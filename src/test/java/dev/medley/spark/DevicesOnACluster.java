package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.tensor.Calls;
import dev.medley.tensor.StandInGpus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.resource.ResourceProfileBuilder;
import org.apache.spark.resource.TaskResourceRequests;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Scores on an executor of four cores in a JVM of its own, to which a script gives two GPUs and for
 * which the CPU stands in, and prints what its tasks were given and did.
 */
final class DevicesOnACluster {
  /** On the executor: which devices' memory the kernels of a task have been called on. */
  private static final Map<Long, Set<String>> COMPUTED = new ConcurrentHashMap<>();

  private DevicesOnACluster() {}

  /** Scored rows go to the first argument; the second is a folder for the GPU script. */
  public static void main(String[] args) throws Exception {
    Path script = Path.of(args[1], "gpus.sh");
    Files.writeString(
        script, "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"0\",\"1\"]}'\n");
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    SparkSession session =
        SparkSession.builder()
            .master("local-cluster[1,4,1024]")
            .appName("devices")
            .config("spark.executor.memory", "1024m")
            .config("spark.executor.cores", "4")
            .config("spark.executorEnv.SPARK_SCALA_VERSION", "2.12")
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.plugins", StandInGpus.class.getName())
            .config("spark.worker.resource.gpu.amount", "2")
            .config("spark.worker.resource.gpu.discoveryScript", script.toString())
            .config("spark.executor.resource.gpu.amount", "2")
            .config("spark.task.resource.gpu.amount", "0.5")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.ui.enabled", "false")
            .getOrCreate();
    Stages stages = new Stages();
    session.sparkContext().addSparkListener(stages);
    Dataset<Row> rows =
        session.createDataFrame(ClusterScoring.rows(), LocalSpark.ROWS).repartition(8);
    Dataset<Row> scored = score(rows, DeviceChoice.AUTO, AdapterAffinity.OFF, null);
    scored.write().parquet(args[0]);

    print("shared", scored.toJavaRDD().mapPartitions(DevicesOnACluster::placed).collect());
    int bases =
        JavaSparkContext.fromSparkContext(session.sparkContext())
            .parallelize(List.of(0), 1)
            .map(any -> ExecutorEngines.OF_THIS_JVM.baseLoads())
            .first();
    System.out.println("bases: " + bases);

    ScoringResources aGpu = ScoringResources.OF_THE_APPLICATION.withTaskGpus(1);
    for (AdapterAffinity affinity : List.of(AdapterAffinity.OFF, AdapterAffinity.ON)) {
      Dataset<Row> inStage = score(rows, DeviceChoice.GPU, affinity, aGpu);
      stages.begin(session);
      long fine = inStage.repartition(2).filter("prediction is not null").count();
      System.out.println(
          "affinity " + affinity + ": " + fine + " rows, profiles " + stages.end(session));
    }
    stages.begin(session);
    Dataset<Row> inStage = score(rows, DeviceChoice.GPU, AdapterAffinity.OFF, aGpu);
    print("staged", inStage.toJavaRDD().mapPartitions(DevicesOnACluster::placed).collect());
    System.out.println("staged: profiles " + stages.end(session));

    fails(
        "none",
        score(
            rows,
            DeviceChoice.GPU,
            AdapterAffinity.OFF,
            ScoringResources.OF_THE_APPLICATION.withTaskCpus(1)));
    try {
      print(
          "two",
          score(rows, DeviceChoice.GPU, AdapterAffinity.OFF, null)
              .toJavaRDD()
              .mapPartitions(DevicesOnACluster::placed)
              .withResources(
                  new ResourceProfileBuilder()
                      .require(new TaskResourceRequests().resource("gpu", 2))
                      .build())
              .collect());
    } catch (Exception e) {
      System.out.println("two: " + e.getMessage());
    }
    session.stop();
  }

  private static Dataset<Row> score(
      Dataset<Row> rows,
      DeviceChoice device,
      AdapterAffinity affinity,
      ScoringResources resources) {
    EngineSpec spec = ClusterScoring.spec(device);
    return Scoring.score(rows, spec, ClusterScoring.COLUMNS, affinity, resources, null);
  }

  private static void fails(String what, Dataset<Row> scored) {
    try {
      scored.collectAsList();
    } catch (Exception e) {
      System.out.println(what + ": " + e.getMessage());
    }
  }

  /** For each row the GPU that its task was given, and what it was computed on. */
  private static Iterator<String> placed(Iterator<Row> scored) {
    TaskContext task = TaskContext.get();
    Calls.seen(
        (method, first) ->
            COMPUTED
                .computeIfAbsent(
                    TaskContext.get().taskAttemptId(), id -> ConcurrentHashMap.newKeySet())
                .add(StandInGpus.deviceOf(first.getManager())));
    int rows = 0;
    while (scored.hasNext()) {
      scored.next();
      rows++;
    }
    List<String> placed = new ArrayList<>();
    String given = String.join(",", task.resourcesJMap().get("gpu").addresses());
    for (int i = 0; i < rows; i++) {
      placed.add("given " + given + ", computed on " + COMPUTED.get(task.taskAttemptId()));
    }
    return placed.iterator();
  }

  private static void print(String what, List<String> placed) {
    new TreeSet<>(placed).forEach(place -> System.out.println(what + ": " + place));
    System.out.println(what + ": " + placed.size() + " rows");
  }

  /** Resource profiles of the stages of a job; the application's is 0. */
  private static final class Stages extends SparkListener {
    private final List<Integer> profiles = new ArrayList<>();

    @Override
    public synchronized void onStageSubmitted(SparkListenerStageSubmitted stage) {
      profiles.add(stage.stageInfo().resourceProfileId());
    }

    void begin(SparkSession session) throws Exception {
      end(session);
    }

    String end(SparkSession session) throws Exception {
      session.sparkContext().listenerBus().waitUntilEmpty();
      synchronized (this) {
        String seen = profiles.toString();
        profiles.clear();
        return seen;
      }
    }
  }
}
