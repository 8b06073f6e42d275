package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.spark.launcher.JavaModuleOptions;

/** A {@code score} in a JVM of its own, which is killed at a point that the test names. */
record KilledJob(Process process, Path mark, Path log) {
  /**
   * Starts one that stops at a point.
   *
   * @param after so many renames
   * @param renames of what a pattern matches
   */
  static KilledJob start(ResumeJob job, int after, String renames, String... overrides)
      throws IOException {
    Path mark = job.folder().resolve("mark-" + UUID.randomUUID());
    String halt = "%d %s %s stop".formatted(after, renames, mark);
    List<String> spark =
        List.of("-Dspark.master=local[2]", "-D" + HaltingFileSystem.MARK + "=" + halt);
    return start(job, mark, spark, overrides);
  }

  /** Starts one on two executors, of which the first that comes to a point dies. */
  static KilledJob startOnCluster(ResumeJob job, int after, String renames, String... overrides)
      throws IOException {
    Path mark = job.folder().resolve("mark-" + UUID.randomUUID());
    String halt = "%d %s %s die".formatted(after, renames, mark);
    List<String> spark =
        List.of(
            "-Dspark.master=local-cluster[2,1,1024]",
            "-Dspark.executor.memory=1024m",
            "-Dspark.executorEnv.SPARK_SCALA_VERSION=2.12",
            "-Dspark.executor.extraClassPath=" + System.getProperty("java.class.path"),
            "-Dspark.executor.extraJavaOptions=\"-D" + HaltingFileSystem.MARK + "=" + halt + "\"");
    return start(job, mark, spark, overrides);
  }

  private static KilledJob start(ResumeJob job, Path mark, List<String> spark, String... overrides)
      throws IOException {
    Path log = mark.resolveSibling(mark.getFileName() + ".log");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(JavaModuleOptions.defaultModuleOptions().split(" ")));
    command.addAll(List.of("-Xmx512m", "-XX:TieredStopAtLevel=1"));
    command.add("-Dspark.ui.enabled=false");
    command.add("-Dspark.hadoop.fs.file.impl=" + HaltingFileSystem.class.getName());
    command.addAll(spark);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Medley.class.getName(), "score", job.conf().toString()));
    command.addAll(List.of(overrides));
    ProcessBuilder builder = new ProcessBuilder(command);
    Path home = Files.createDirectories(job.folder().resolve("spark-home/jars")).getParent();
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.12");
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    Process process = builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
    return new KilledJob(process, mark, log);
  }

  /** Waits until it has ended well. */
  void finish() throws Exception {
    assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(log)).isZero();
    assertThat(mark).as("somebody has died").exists();
  }

  /** Waits until the job has come to the point. */
  void await() throws Exception {
    for (int i = 0; i < 6000 && !Files.exists(mark) && process.isAlive(); i++) {
      Thread.sleep(50);
    }
    assertThat(mark).as(Files.readString(log)).exists();
  }

  /** By SIGKILL, at the point. */
  void kill() throws Exception {
    await();
    process.destroyForcibly();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
  }
}
