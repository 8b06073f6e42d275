package dev.medley.job.bench;

import dev.medley.spark.ExecutorEngines;
import dev.medley.spark.TextEmbedder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A Spark of its own on two cores, {@code local[2]}, which scores the rows of a chunk as a job for
 * each line that it reads.
 */
final class SparkProbe {
  private SparkProbe() {}

  /** MODEL WORK ROWS CHUNKS CPUS-PER-TASK; reads {"chunk": 0}. */
  public static void main(String[] args) throws IOException {
    int rows = Integer.parseInt(args[2]);
    int count = Integer.parseInt(args[3]);
    Settings settings = new Settings(Path.of(args[0]), Path.of(args[1]), null, rows, count, false);
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .appName("bench")
            .config("spark.ui.enabled", "false")
            .config("spark.task.cpus", args[4])
            .getOrCreate();
    try (Workbench bench = new Workbench(settings)) {
      List<Rows> chunks = Job.S3.chunks(bench);
      TextEmbedder embedder =
          new TextEmbedder()
              .setModel(settings.model().toString())
              .setAdapterCol("adapter")
              .setOutputCol("vector")
              .setPooling("mean")
              .setNormalize("true");
      for (String name : Part.adapters(chunks)) {
        embedder.addAdapter(name, bench.adapters().folder(name).toString());
      }
      System.out.println("{}");
      BufferedReader orders =
          new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = orders.readLine(); line != null; line = orders.readLine()) {
        Rows chunk = chunks.get(LineProcess.JSON.readTree(line).get("chunk").asInt());
        Dataset<Row> dataset = dataset(spark, chunk);
        CpuClock clock = CpuClock.start();
        embedder.transform(dataset).write().format("noop").mode("overwrite").save();
        Sample sample = clock.sample(chunk.size(), chunk.tokens());
        System.out.println(
            LineProcess.JSON
                .createObjectNode()
                .put("seconds", sample.seconds())
                .put("cpu_seconds", sample.cpuSeconds())
                .put("base_loads", ExecutorEngines.OF_THIS_JVM.baseLoads()));
      }
    } finally {
      spark.stop();
    }
  }

  private static Dataset<Row> dataset(SparkSession spark, Rows rows) {
    List<Row> all = new ArrayList<>();
    IntStream.range(0, rows.size())
        .forEach(i -> all.add(RowFactory.create(rows.texts().get(i), rows.sets().get(i))));
    StructType schema =
        new StructType().add("text", DataTypes.StringType).add("adapter", DataTypes.StringType);
    return spark.createDataFrame(all, schema); // as many partitions as cores
  }
}
