package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.SparkJvm;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An application that knows Medley by its configuration alone, with executors of their own. */
@Tag("long")
class SqlClusterTest {
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");

  private static List<Row> rows() {
    return LocalSpark.random(60, 31, "qv", null, "nobody's");
  }

  /** Writes scored rows to its argument. */
  public static void main(String[] args) {
    SparkSession session =
        SparkSession.builder()
            .master("local-cluster[1,2,1024]")
            .appName("sql")
            .config("spark.executor.memory", "1024m")
            .config("spark.executorEnv.SPARK_SCALA_VERSION", SparkJvm.SCALA)
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.extensions", MedleyExtensions.class.getName())
            .config("spark.medley.model.support.base", SEQUENCE.toString())
            .config("spark.medley.model.support.task", "text-classification")
            .config("spark.medley.model.support.adapters.qv", adapter(SEQUENCE, "qv"))
            .getOrCreate();
    session
        .createDataFrame(rows(), LocalSpark.ROWS)
        .repartition(4)
        .createOrReplaceTempView("tickets");
    session
        .sql(
            "select id, t.prediction, t.prediction_error from (select id,"
                + " try_medley_classify('support', text, adapter) as t from tickets)")
        .write()
        .parquet(args[0]);
    System.out.println("driver: " + ExecutorEngines.OF_THIS_JVM.baseLoads() + " base");
    session.stop();
  }

  @Test
  void executorsInTheirOwnJvmsScoreWhatSqlAsks(@TempDir Path folder) throws Exception {
    Path out = folder.resolve("scored");
    String said =
        new SparkJvm(SqlClusterTest.class, out.toString())
            .home(folder.resolve("spark-home"))
            .run(folder.resolve("driver.log"));
    assertThat(said).contains("driver: 0 base");

    List<Row> there =
        LocalSpark.session().read().parquet(out.toString()).orderBy("id").collectAsList();
    List<Row> here =
        new TextClassifier()
            .setModel(SEQUENCE.toString())
            .setAdapterCol("adapter")
            .addAdapter("qv", adapter(SEQUENCE, "qv"))
            .transform(LocalSpark.rows(rows()))
            .select("id", "prediction", "prediction_error")
            .orderBy("id")
            .collectAsList();
    assertThat(here).isNotEmpty();
    LocalSpark.assertSame(there, here);
  }
}
