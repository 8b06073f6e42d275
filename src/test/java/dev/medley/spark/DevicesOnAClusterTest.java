package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.engine.EngineSpec.DeviceChoice;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("long")
class DevicesOnAClusterTest {
  @Test
  void tasksComputeOnTheGpuThatTheyAreGivenAndOneStageMayHaveOthers(@TempDir Path folder)
      throws Exception {
    String output = ClusterTest.run(DevicesOnACluster.class, folder);

    assertThat(output.lines().toList())
        .contains(
            "shared: given 0, computed on [cuda:0]",
            "shared: given 1, computed on [cuda:1]",
            "shared: 120 rows",
            "bases: 2",
            "staged: given 0, computed on [cuda:0]",
            "staged: given 1, computed on [cuda:1]",
            "staged: 120 rows")
        .filteredOn(line -> line.matches("(shared|staged): given .*"))
        .hasSize(4);
    assertThat(output)
        .containsPattern("affinity OFF: \\d+ rows, profiles \\[(0, )+1(, 0)+\\]")
        .containsPattern("affinity ON: \\d+ rows, profiles \\[(0, )+1(, 0)+\\]")
        .containsPattern("staged: profiles \\[(0, )*1\\]")
        .contains("none: ", "device = gpu, and no GPU is assigned to this task; set spark.task.")
        // two shares of the two that each GPU has
        .containsPattern(
            "two: (given 0,0, computed on \\[cuda:0]|given 1,1, computed on \\[cuda:1]"
                + "|.*GPUs (0, 1|1, 0) are assigned to this task, which computes on one)");
    assertSameAsLocal(folder, output);
  }

  private static void assertSameAsLocal(Path folder, String output) {
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
  }
}
