package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.SparkJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

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
            "-Dspark.executorEnv.SPARK_SCALA_VERSION=" + SparkJvm.SCALA,
            "-Dspark.executor.extraClassPath=" + System.getProperty("java.class.path"),
            "-Dspark.executor.extraJavaOptions=\"-D" + HaltingFileSystem.MARK + "=" + halt + "\"");
    return start(job, mark, spark, overrides);
  }

  private static KilledJob start(ResumeJob job, Path mark, List<String> spark, String... overrides)
      throws IOException {
    Path log = mark.resolveSibling(mark.getFileName() + ".log");
    List<String> command = new ArrayList<>(List.of("score", job.conf().toString()));
    command.addAll(List.of(overrides));
    Process process =
        new SparkJvm(Medley.class, command.toArray(String[]::new))
            .with("-Dspark.ui.enabled=false")
            .with("-Dspark.hadoop.fs.file.impl=" + HaltingFileSystem.class.getName())
            .with(spark.toArray(String[]::new))
            .home(job.folder().resolve("spark-home"))
            .start(log);
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
