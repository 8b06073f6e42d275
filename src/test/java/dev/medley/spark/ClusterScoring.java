package dev.medley.spark;

import dev.medley.Fixtures;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.TextClassification;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Scores on two executors in JVMs of their own, each with a GPU that is not there. */
final class ClusterScoring {
  static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");

  private ClusterScoring() {}

  static List<Row> rows() {
    return LocalSpark.random(120, 21, "qv", "head-7-labels", null, "qw");
  }

  static EngineSpec spec(DeviceChoice device) {
    EngineSpec spec =
        LocalSpark.spec(
            Path.of("").toAbsolutePath().relativize(Fixtures.path("models/bert-sequence")),
            TextClassification.AUTO,
            "qv",
            "head-7-labels",
            "bias-all");
    return new EngineSpec(
        spec.base(),
        spec.task(),
        spec.adapters(),
        spec.sets(),
        spec.dtype(),
        device,
        spec.batching(),
        spec.merging(),
        spec.adapterMemory(),
        OnError.ROW);
  }

  /** Writes scored rows to the first argument; the second is a folder for the GPU script. */
  public static void main(String[] args) throws Exception {
    Path gpus = Path.of(args[1], "gpus.sh");
    Files.writeString(gpus, "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"0\"]}'\n");
    Files.setPosixFilePermissions(gpus, PosixFilePermissions.fromString("rwx------"));
    SparkSession session =
        SparkSession.builder()
            .master("local-cluster[2,1,1024]")
            .appName("cluster")
            .config("spark.executor.memory", "1024m")
            .config("spark.executorEnv.SPARK_SCALA_VERSION", SparkVersion.SCALA)
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.scheduler.minRegisteredResourcesRatio", "1")
            .config("spark.scheduler.maxRegisteredResourcesWaitingTime", "60s")
            .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
            .config("spark.worker.resource.gpu.amount", "1")
            .config("spark.worker.resource.gpu.discoveryScript", gpus.toString())
            .config("spark.executor.resource.gpu.amount", "1")
            .config("spark.task.resource.gpu.amount", "1")
            .config("spark.ui.enabled", "false")
            .getOrCreate();
    ScoringCounters counters = ScoringCounters.register(session, "cluster");
    Dataset<Row> rows = session.createDataFrame(rows(), LocalSpark.ROWS).repartition(8);
    Dataset<Row> scored = Scoring.score(rows, spec(DeviceChoice.CPU), COLUMNS, counters);
    scored.write().parquet(args[0]);
    scored.write().format("noop").mode("overwrite").save();
    new TreeSet<>(
            JavaSparkContext.fromSparkContext(session.sparkContext())
                .parallelize(Collections.nCopies(16, 0), 16)
                .map(
                    any -> {
                      Thread.sleep(100); // so that one executor cannot take all
                      return "executor "
                          + SparkEnv.get().executorId()
                          + ": "
                          + ExecutorEngines.OF_THIS_JVM.baseLoads()
                          + " base, "
                          + ExecutorEngines.OF_THIS_JVM.leases()
                          + " leases";
                    })
                .collect())
        .forEach(System.out::println);
    System.out.println("driver: " + ExecutorEngines.OF_THIS_JVM.baseLoads() + " base");
    System.out.println(
        counters.rows()
            + " rows, "
            + counters.adapterLoads()
            + " adapter loads, "
            + counters.errorsByCode());
    try {
      Scoring.score(rows, spec(DeviceChoice.AUTO), COLUMNS, null).collectAsList();
    } catch (Exception e) {
      System.out.println(e.getMessage());
    }
    session.stop();
  }
}
