package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static dev.medley.spark.LocalSpark.freshModel;
import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamingTest {
  @Test
  void microBatchesShareOneBaseAndKeepTheWatermark(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    String in = folder.resolve("in").toString();
    write(in, 1);
    Dataset<Row> stream =
        session()
            .readStream()
            .schema(LocalSpark.ROWS.add("at", "timestamp"))
            .json(in)
            .withWatermark("at", "1 minute");
    Dataset<Row> scored =
        new TextClassifier()
            .setModel(model.toString())
            .setAdapterCol("adapter")
            .addAdapter("qv", adapter(model, "qv"))
            .classify(stream);
    int before = ExecutorEngines.OF_THIS_JVM.baseLoads();
    StreamingQuery query =
        scored.writeStream().format("memory").queryName("scored").outputMode("append").start();
    try {
      query.processAllAvailable();
      assertThat(session().table("scored").count()).isEqualTo(10);
      System.gc(); // the broadcast lives as long as the query
      write(in, 2);
      query.processAllAvailable();
      assertThat(query.lastProgress().eventTime()).containsKey("watermark");
      List<Row> all = session().table("scored").collectAsList();
      assertThat(all).hasSize(20).noneMatch(row -> row.isNullAt(4));
      assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads() - before).isEqualTo(1);
    } finally {
      query.stop();
    }
    assertThat(scored.schema().apply("at").metadata().contains("spark.watermarkDelayMs")).isTrue();
  }

  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  @ParameterizedTest
  @ValueSource(strings = {"transformer", "sql", "table function"})
  void stoppedQueryGoesOnWhereItWasWithOneBase(String way, @TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    TextClassifier classifier =
        new TextClassifier()
            .setModel(model.toString())
            .setAdapterCol("adapter")
            .addAdapter("qv", adapter(model, "qv"));
    SparkSession session = session().newSession();
    MedleyModels.register(session, "support", classifier);
    Path in = folder.resolve("in");
    for (int file = 0; file < 5; file++) {
      file(in, file);
    }
    int before = ExecutorEngines.OF_THIS_JVM.baseLoads();

    StreamingQuery first = start(session, classifier, way, folder);
    while (first.lastProgress() == null || first.lastProgress().batchId() < 1) {
      assertThat(first.exception().isEmpty()).as("%s", first.exception()).isTrue();
      Thread.sleep(25);
    }
    first.stop(); // in the middle of the files, and of a batch
    for (int file = 5; file < 8; file++) {
      file(in, file);
    }
    StreamingQuery second = start(session, classifier, way, folder);
    try {
      second.processAllAvailable();
      assertThat(second.lastProgress().batchId()).isGreaterThanOrEqualTo(7);
    } finally {
      second.stop();
    }

    assertThat(ExecutorEngines.OF_THIS_JVM.baseLoads() - before).isEqualTo(1);
    Map<Integer, String> expected =
        labels(
            classifier
                .transform(session.read().schema(LocalSpark.ROWS).json(in.toString()))
                .selectExpr("id", "prediction.label"));
    assertThat(expected).hasSize(80);
    assertThat(labels(session.read().parquet(folder.resolve("out").toString())))
        .isEqualTo(expected);
  }

  private static StreamingQuery start(
      SparkSession session, TextClassifier classifier, String way, Path folder) throws Exception {
    Dataset<Row> stream =
        session
            .readStream()
            .schema(LocalSpark.ROWS)
            .option("maxFilesPerTrigger", 1)
            .json(folder.resolve("in").toString());
    stream.createOrReplaceTempView("incoming");
    Dataset<Row> labels =
        switch (way) {
          case "transformer" -> classifier.transform(stream).selectExpr("id", "prediction.label");
          case "sql" ->
              session.sql(
                  "select id, medley_classify('support', text, adapter).label from incoming where"
                      + " medley_classify('support', text, adapter).score >= 0");
          default ->
              session.sql(
                  "select id, prediction.label from medley_score('incoming', 'support', 'text',"
                      + " 'adapter')");
        };
    return labels
        .writeStream()
        .format("parquet")
        .option("path", folder.resolve("out").toString())
        .option("checkpointLocation", folder.resolve("checkpoint").toString())
        .start();
  }

  /** Labels by id; a row that came twice fails. */
  private static Map<Integer, String> labels(Dataset<Row> rows) {
    Map<Integer, String> labels = new TreeMap<>();
    for (Row row : rows.collectAsList()) {
      assertThat(labels.put(row.getInt(0), row.getString(1))).as("id %s", row.get(0)).isNull();
    }
    return labels;
  }

  /** Ten rows with ids of their own. */
  private static void file(Path folder, int number) {
    rows(random(10, number, "qv", null))
        .selectExpr("id + " + 10 * number + " as id", "text", "adapter")
        .coalesce(1)
        .write()
        .mode("append")
        .json(folder.toString());
  }

  private static void write(String folder, int seed) {
    rows(random(10, seed, "qv", null))
        .selectExpr("*", "timestamp '2020-02-02 02:02:02' as at")
        .coalesce(1)
        .write()
        .mode("append")
        .json(folder);
  }
}
