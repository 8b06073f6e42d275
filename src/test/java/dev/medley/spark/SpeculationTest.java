package dev.medley.spark;

import static dev.medley.spark.ClusterRows.COLUMNS;
import static dev.medley.spark.ClusterRows.COUNT;
import static dev.medley.spark.ClusterRows.LATE;
import static dev.medley.spark.ClusterRows.MODEL;
import static dev.medley.spark.ClusterRows.calm;
import static dev.medley.spark.ClusterRows.scored;
import static dev.medley.spark.ClusterRows.spec;
import static dev.medley.spark.ClusterRows.through;
import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.spark.Gate.Visitor;
import dev.medley.spark.TaskEnds.End;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two copies of a task on two hosts. */
@Tag("long")
class SpeculationTest {
  @Test
  void copyOfASlowTaskGivesItsRowsInItsPlace(@TempDir Path folder) throws Exception {
    try (Cluster cluster = Cluster.standalone()) {
      SparkSession session =
          cluster.start(
              Map.of(
                  "spark.speculation", "true",
                  "spark.speculation.interval", "100ms",
                  "spark.speculation.quantile", "0.5",
                  "spark.speculation.multiplier", "1.1"));
      Dataset<Row> rows = ClusterRows.in(session, calm());
      List<Row> undisturbed = scored(rows, spec(MODEL)).collectAsList();
      Gate gate = new Gate(folder.toString(), LATE);
      TaskEnds ends = TaskEnds.of(session.sparkContext());
      ScoringCounters counters = ScoringCounters.register(session, "copied");
      String out = folder.resolve("scored").toString();
      Scoring.score(through(gate, rows), spec(MODEL), COLUMNS, counters).write().parquet(out);

      assertThat(session.read().parquet(out).orderBy("id").collectAsList()).isEqualTo(undisturbed);
      assertThat(counters.rows()).isEqualTo(COUNT);
      Visitor slow = gate.await();
      awaitEnd(ends, slow);
      List<End> unusual = ends.unusual();
      assertThat(unusual)
          .filteredOn(end -> end.task() == slow.task())
          .singleElement()
          .satisfies(end -> assertThat(end.reason()).startsWith("TaskKilled("));
      assertThat(unusual)
          .filteredOn(end -> end.isCopy() && end.reason().equals("Success"))
          .extracting(End::executor)
          .isNotEmpty()
          .doesNotContain(slow.executor());
      assertThat(ExecutorState.all(session).values())
          .allSatisfy(executor -> assertThat(executor.leases()).isZero());
    }
  }

  /** A job ends before the tasks that it no longer needs. */
  private static void awaitEnd(TaskEnds ends, Visitor slow) throws Exception {
    for (int i = 0; i < 300; i++) {
      if (ends.unusual().stream().anyMatch(end -> end.task() == slow.task())) {
        return;
      }
      Thread.sleep(100);
    }
  }
}
