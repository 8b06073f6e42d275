package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.engine.EngineSpec.DeviceChoice;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("long")
@Tag("every-spark")
class ClusterTest {
  @Test
  void executorsInTheirOwnJvmsScoreAsLocalModeDoes(@TempDir Path folder) throws Exception {
    String output = run(ClusterScoring.class, folder);

    List<Row> local =
        Scoring.score(
                LocalSpark.rows(ClusterScoring.rows()),
                ClusterScoring.spec(DeviceChoice.CPU),
                ClusterScoring.COLUMNS,
                null)
            .orderBy("id")
            .collectAsList();
    List<Row> cluster =
        LocalSpark.session()
            .read()
            .parquet(folder.resolve("scored").toString())
            .orderBy("id")
            .collectAsList();
    assertThat(cluster).as(output).hasSameSizeAs(local);
    for (int i = 0; i < local.size(); i++) {
      Row here = local.get(i);
      Row there = cluster.get(i);
      assertThat(there.get(0)).isEqualTo(here.get(0));
      assertThat(there.get(1)).isEqualTo(here.get(1));
      assertThat(there.get(4)).isEqualTo(here.get(4));
      assertThat(there.isNullAt(3)).isEqualTo(here.isNullAt(3));
      if (!here.isNullAt(3)) {
        assertThat(there.getStruct(3).getString(0)).isEqualTo(here.getStruct(3).getString(0));
        assertThat(there.getStruct(3).getFloat(1))
            .isCloseTo(here.getStruct(3).getFloat(1), offset(1e-5f));
      }
    }
    long unknown = local.stream().filter(row -> row.isNullAt(3)).count();
    assertThat(output)
        .contains("executor 0: 1 base, 0 leases", "executor 1: 1 base, 0 leases", "driver: 0 base")
        .contains("240 rows, 4 adapter loads, {ADAPTER_UNKNOWN=" + 2 * unknown)
        .contains("GPU 0 is assigned to this task, and libtorch sees 0; put a CUDA build");
  }

  /** What a main class prints, which gets a file to write to and a folder. */
  static String run(Class<?> main, Path folder) throws Exception {
    Path home = folder.resolve("spark-home");
    Files.createDirectories(home.resolve("jars"));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(JavaModuleOptions.defaultModuleOptions().split(" ")));
    command.addAll(List.of("-Xmx512m", "-cp", System.getProperty("java.class.path")));
    command.add(main.getName());
    command.addAll(List.of(folder.resolve("scored").toString(), folder.toString()));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_SCALA_VERSION", SparkVersion.SCALA);
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    File log = folder.resolve("driver.log").toFile();
    Process process = builder.redirectErrorStream(true).redirectOutput(log).start();
    int status = process.waitFor();
    String output = Files.readString(log.toPath(), StandardCharsets.UTF_8);
    assertThat(status).as(output + executorLogs(home)).isZero();
    return output;
  }

  private static String executorLogs(Path home) throws Exception {
    StringBuilder all = new StringBuilder();
    try (Stream<Path> files = Files.walk(home)) {
      for (Path file : files.filter(f -> f.endsWith("stderr")).toList()) {
        all.append(file).append('\n').append(Files.readString(file));
      }
    }
    return all.toString();
  }
}
