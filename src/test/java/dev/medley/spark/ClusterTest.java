package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.SparkJvm;
import dev.medley.engine.EngineSpec.DeviceChoice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
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
    assertThat(cluster).as(output).isNotEmpty();
    LocalSpark.assertSame(cluster, local);
    long unknown = local.stream().filter(row -> row.isNullAt(3)).count();
    assertThat(output)
        .contains("executor 0: 1 base, 0 leases", "executor 1: 1 base, 0 leases", "driver: 0 base")
        .contains("240 rows, 4 adapter loads, {ADAPTER_UNKNOWN=" + 2 * unknown)
        .contains("GPU 0 is assigned to this task, and libtorch sees 0; put a CUDA build");
  }

  /** What a main class prints, which gets a file to write to and a folder. */
  static String run(Class<?> main, Path folder) throws Exception {
    Path home = folder.resolve("spark-home");
    SparkJvm jvm =
        new SparkJvm(main, folder.resolve("scored").toString(), folder.toString()).home(home);
    try {
      return jvm.run(folder.resolve("driver.log"));
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + executorLogs(home), e);
    }
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
