package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.Fixtures;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.spark.launcher.JavaModuleOptions;
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
    String[] version = scala.util.Properties.versionNumberString().split("\\.");
    SparkSession session =
        SparkSession.builder()
            .master("local-cluster[1,2,1024]")
            .appName("sql")
            .config("spark.executor.memory", "1024m")
            .config("spark.executorEnv.SPARK_SCALA_VERSION", version[0] + "." + version[1])
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
    Path home = Files.createDirectories(folder.resolve("spark-home"));
    Files.createDirectories(home.resolve("jars"));
    Path out = folder.resolve("scored");
    String[] version = scala.util.Properties.versionNumberString().split("\\.");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(JavaModuleOptions.defaultModuleOptions().split(" ")));
    command.addAll(List.of("-Xmx512m", "-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(SqlClusterTest.class.getName(), out.toString()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_SCALA_VERSION", version[0] + "." + version[1]);
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    File log = folder.resolve("driver.log").toFile();
    Process process = builder.redirectOutput(log).start();
    assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
    String said = Files.readString(log.toPath());
    assertThat(process.exitValue()).as(said).isZero();
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
    assertThat(there).hasSameSizeAs(here);
    for (int i = 0; i < here.size(); i++) {
      assertThat(there.get(i).get(2)).isEqualTo(here.get(i).get(2));
      assertThat(there.get(i).isNullAt(1)).isEqualTo(here.get(i).isNullAt(1));
      if (!here.get(i).isNullAt(1)) {
        Row expected = here.get(i).getStruct(1);
        assertThat(there.get(i).getStruct(1).getString(0)).isEqualTo(expected.getString(0));
        assertThat(there.get(i).getStruct(1).getFloat(1))
            .isCloseTo(expected.getFloat(1), offset(1e-5f));
      }
    }
  }
}
