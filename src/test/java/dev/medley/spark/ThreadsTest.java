package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.launcher.JavaModuleOptions;
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
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(JavaModuleOptions.defaultModuleOptions().split(" ")));
    command.add("-Dlog4j2.configurationFile=conf/log4j2.properties");
    command.addAll(List.of("-Xmx768m", "-cp", System.getProperty("java.class.path")));
    command.add(ThreadsOfTasks.class.getName());
    command.addAll(List.of(cpus));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().remove("OMP_NUM_THREADS");
    builder.environment().putAll(environment);
    File log = folder.resolve("log").toFile();
    Process process = builder.redirectErrorStream(true).redirectOutput(log).start();
    int status = process.waitFor();
    String output = Files.readString(log.toPath(), StandardCharsets.UTF_8);
    assertThat(status).as(output).isZero();
    return output;
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
