package dev.medley.guide;

import dev.medley.spark.MedleyModels;
import dev.medley.spark.TextClassifier;
import dev.medley.spark.TextEmbedder;
import dev.medley.spark.TextGenerator;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** What pages take for granted: {@code spark}, {@code mails}, {@code classifier} and so on. */
public final class ExampleData {
  private final SparkSession spark;
  private final Example files;

  ExampleData(Example files) {
    this.files = files;
    spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate()
            .newSession();
  }

  /** With the models and views that SQL on the pages names. */
  ExampleData forSql() {
    MedleyModels.register(spark, "support", classifier());
    MedleyModels.register(spark, "minilm", embedder());
    MedleyModels.register(spark, "llama", new TextGenerator().setModel(path("models/llama")));
    tickets().createOrReplaceTempView("tickets");
    documents().createOrReplaceTempView("documents");
    return this;
  }

  private String path(String name) {
    return files.path(name).toString();
  }

  public SparkSession spark() {
    return spark;
  }

  private Dataset<Row> json(String... rows) {
    return spark.read().json(spark.createDataset(List.of(rows), Encoders.STRING()));
  }

  public Dataset<Row> mails() {
    return spark.read().json(path("mails.jsonl"));
  }

  public Dataset<Row> rows() {
    return mails();
  }

  public Dataset<Row> tickets() {
    return json(
        "{\"id\": 1001, \"text\": \"a lazy dog\", \"adapter\": \"spam\"}",
        "{\"id\": 1002, \"text\": \"the red fox\", \"adapter\": \"topic\"}");
  }

  public Dataset<Row> documents() {
    return json("{\"id\": 1, \"text\": \"a lazy dog\", \"body\": \"jumps over\"}");
  }

  public Dataset<Row> chats() {
    return json(
        "{\"messages\": [{\"role\": \"user\", \"content\": \"What is the capital of France?\"}],"
            + " \"adapter\": \"support\"}");
  }

  public Dataset<Row> questions() {
    return json("{\"prompt\": \"The capital of France is\", \"answer\": \" Paris\"}");
  }

  public Dataset<Row> incoming() {
    return spark.readStream().schema("id int, text string, adapter string").json(path("incoming"));
  }

  public Dataset<Row> vectors() {
    return embedder().setOutputCol("vector").embed(documents());
  }

  public TextClassifier classifier() {
    return new TextClassifier()
        .setModel(path("models/bert"))
        .addAdapter("spam", path("adapters/spam"))
        .addAdapter("topic", path("adapters/topic"))
        .addAdapter("tone", path("adapters/tone"))
        .addSet("triage", "tone", "spam")
        .setAdapterCol("adapter");
  }

  public TextEmbedder embedder() {
    return new TextEmbedder().setModel(path("models/minilm"));
  }

  /** Computes what is lazy. */
  public static void use(Object value) {
    if (value instanceof Dataset<?> rows && !rows.isStreaming()) {
      if (rows.collectAsList().isEmpty()) {
        throw new IllegalStateException("expected rows, found none");
      }
    }
  }
}
