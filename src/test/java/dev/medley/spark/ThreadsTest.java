package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.SparkJvm;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Counts threads in JVMs of their own, since the tests themselves run with OMP_NUM_THREADS. */
@Tag("long")
@EnabledOnOs(OS.LINUX)
class ThreadsTest {
  @TempDir Path folder;

  private String run(Map<String, String> environment, String... cpus) throws Exception {
    SparkJvm jvm = new SparkJvm(ThreadsOfTasks.class, cpus).ofManyThreads();
    environment.forEach(jvm::environment);
    return jvm.with("-Dlog4j2.configurationFile=conf/log4j2.properties").run(folder.resolve("log"));
  }

  @Test
  void twoTasksOfOneCpuHaveNoThreadsBesideThem() throws Exception {
    assertThat(run(Map.of(), "1"))
        .contains("1200 rows, 2 tasks, 2 at a time", "spark.task.cpus 1: 1 threads each")
        .contains(", workers of theirs: 0")
        .doesNotContain("libtorch takes");
  }

  @Test
  void oneTaskOfTwoCpusHasOneThreadBesideItAndLaterJobsChangeNothing() throws Exception {
    String output = run(Map.of(), "2", "1");
    assertThat(output)
        .contains("1200 rows, 2 tasks, 1 at a time", "spark.task.cpus 2: 2 threads each")
        .containsPattern("task threads: (\\d+), workers of theirs: [1-9]")
        .contains("spark.task.cpus 1: 2 threads each")
        .containsOnlyOnce("libtorch takes 2 threads for each task, not 1 as spark.task.cpus says");
  }

  @Test
  void whatTheEnvironmentSaysCounts() throws Exception {
    assertThat(run(Map.of("OMP_NUM_THREADS", "1"), "2"))
        .contains("spark.task.cpus 2: 1 threads each", ", workers of theirs: 0")
        .contains("libtorch takes 1 threads for each task, not 2 as spark.task.cpus says");
  }
}
