package dev.medley;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.spark.launcher.JavaModuleOptions;

/** Another JVM on the tests' class path, with the module options that Spark asks for. */
public final class SparkJvm {
  /** Of the Spark on the class path, such as 2.12. */
  public static final String SCALA =
      scala.util.Properties.versionNumberString().replaceAll("\\.\\d+$", "");

  private final List<String> options = new ArrayList<>();
  private final Map<String, String> environment = new HashMap<>();
  private final List<String> main = new ArrayList<>();
  private boolean isOfManyThreads;

  public SparkJvm(Class<?> main, String... args) {
    options.addAll(List.of(JavaModuleOptions.defaultModuleOptions().split(" ")));
    options.addAll(List.of("-Xmx768m", "-XX:TieredStopAtLevel=1"));
    environment.put("SPARK_SCALA_VERSION", SCALA);
    environment.put("SPARK_LOCAL_IP", "127.0.0.1");
    this.main.add(main.getName());
    this.main.addAll(List.of(args));
  }

  public SparkJvm with(String... more) {
    options.addAll(List.of(more));
    return this;
  }

  public SparkJvm environment(String name, String value) {
    environment.put(name, value);
    return this;
  }

  /** Its executors' logs are below that folder. */
  public SparkJvm home(Path folder) throws IOException {
    Files.createDirectories(folder.resolve("jars"));
    return environment("SPARK_HOME", folder.toString());
  }

  /** Without OMP_NUM_THREADS, which the tests themselves run with. */
  public SparkJvm ofManyThreads() {
    isOfManyThreads = true;
    return this;
  }

  private ProcessBuilder builder() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(main);
    ProcessBuilder builder = new ProcessBuilder(command);
    if (isOfManyThreads) {
      builder.environment().remove("OMP_NUM_THREADS");
    }
    builder.environment().putAll(environment);
    return builder;
  }

  /** What it prints and logs goes to the file. */
  public Process start(Path log) throws IOException {
    return builder().redirectErrorStream(true).redirectOutput(log.toFile()).start();
  }

  /** What it has printed and logged; it has to end well. */
  public String run(Path log) throws Exception {
    return ended(start(log), log, log);
  }

  /** What it has printed, while its log goes to a file beside; it has to end well. */
  public String run(Path out, Path log) throws Exception {
    Process process = builder().redirectOutput(out.toFile()).redirectError(log.toFile()).start();
    return ended(process, out, log);
  }

  private static String ended(Process process, Path out, Path log) throws Exception {
    try {
      assertThat(process.waitFor(10, TimeUnit.MINUTES)).as(Files.readString(log)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(() -> text(log)).isZero();
    return Files.readString(out);
  }

  private static String text(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return e.toString();
    }
  }
}
