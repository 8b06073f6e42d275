package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.util.Utils;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/**
 * {@code jobs/medley} on a YARN: its job jar, {@code conf/yarn.conf}, and a Spark distribution put
 * together from Maven's jars, of the newest version that has YARN there.
 */
@Tag("yarn")
@TestInstance(Lifecycle.PER_CLASS)
class YarnTest {
  private static final String SPARK = "3.5.5";
  private static final Path ROOT = Path.of("").toAbsolutePath();
  private static final Path WORK = ROOT.resolve("target/yarn");
  private static final Path HOME = WORK.resolve("spark-home");
  private static final Path HADOOP = WORK.resolve("conf");
  private static final Path MODEL =
      ROOT.resolve("src/test/resources/fixtures/models/bert-sequence");

  /** Rows for two containers, and less memory than the file has for real models. */
  private static final String SMALL =
      " --num-executors 2 --executor-cores 1 --executor-memory 700m"
          + " --conf spark.executor.memoryOverhead=1g --conf spark.sql.files.maxPartitionBytes=1k"
          + " --conf spark.sql.files.openCostInBytes=0"
          + " --conf spark.ui.enabled=false" // its filter is in a distribution, not in Maven's jars
          + " --conf spark.executorEnv.SPARK_SCALA_VERSION=2.12"
          + " --conf spark.yarn.appMasterEnv.SPARK_SCALA_VERSION=2.12"
          + " --conf spark.yarn.jars=local:"
          + HOME
          + "/jars/* --conf spark.yarn.stagingDir="
          + WORK
          + "/staging --conf spark.executorEnv.MEDLEY_CACHE="
          + WORK
          + "/cache --conf spark.executorEnv.DJL_CACHE_DIR="
          + Utils.getCacheDir();

  private Process yarn;
  private List<String> expected;

  @BeforeAll
  void start() throws Exception {
    if (!Files.exists(HOME.resolve("jars/spark-yarn_2.12-" + SPARK + ".jar"))) {
      copyJars(
          ".ci/spark-home.xml",
          HOME.resolve("jars"),
          "-Pyarn",
          "-Dspark.version=" + SPARK,
          "-Dscala.binary=2.12");
    }
    if (!Files.exists(WORK.resolve("mini/junit-4.13.2.jar"))) {
      copyJars("src/test/yarn/mini-yarn.xml", WORK.resolve("mini"));
    }
    submitter();
    yarn = yarn();
    job();
    expected = score("local", "--master local[2]");
    assertThat(expected).hasSize(60);
  }

  @AfterAll
  void stop() throws Exception {
    if (yarn != null) {
      yarn.getOutputStream().close();
      if (!yarn.waitFor(2, TimeUnit.MINUTES)) {
        yarn.destroyForcibly();
      }
    }
  }

  private static void copyJars(String pom, Path to, String... more) throws Exception {
    List<String> command = new ArrayList<>();
    command.addAll(List.of(ROOT + "/mvnw", "-q", "-B", "-ntp", "-f", pom));
    command.addAll(List.of(more));
    command.add("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies");
    command.addAll(List.of("-DincludeScope=runtime", "-DoutputDirectory=" + to));
    run(WORK.resolve("maven.log"), Map.of(), command);
  }

  /** A distribution's bin/spark-submit, in short. */
  private static void submitter() throws IOException {
    Files.createDirectories(HOME.resolve("bin"));
    Path submit = HOME.resolve("bin/spark-submit");
    Files.writeString(
        submit,
        "#!/bin/sh\nexec \"$JAVA_HOME/bin/java\" "
            + JavaModuleOptions.defaultModuleOptions()
            + " -cp \"$SPARK_HOME/conf:$SPARK_HOME/jars/*:$HADOOP_CONF_DIR\""
            + " org.apache.spark.deploy.SparkSubmit \"$@\"\n");
    Files.setPosixFilePermissions(submit, PosixFilePermissions.fromString("rwx------"));
    Files.createDirectories(HOME.resolve("conf"));
    Files.write(
        HOME.resolve("conf/log4j2.properties"),
        Files.readAllBytes(ROOT.resolve("conf/log4j2.properties")));
  }

  private static Process yarn() throws Exception {
    Files.createDirectories(HADOOP);
    Files.deleteIfExists(HADOOP.resolve("yarn-site.xml"));
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx512m",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "-cp",
            HADOOP + File.pathSeparator + HOME + "/jars/*" + File.pathSeparator + WORK + "/mini/*",
            ROOT.resolve("src/test/yarn/MiniYarn.java").toString(),
            HADOOP.toString());
    builder.directory(WORK.toFile()); // its containers' folders are below that
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    Process process =
        builder.redirectErrorStream(true).redirectOutput(WORK.resolve("yarn.log").toFile()).start();
    for (int i = 0; i < 3000 && process.isAlive(); i++) {
      if (Files.exists(HADOOP.resolve("yarn-site.xml"))) {
        return process;
      }
      Thread.sleep(100);
    }
    throw new IllegalStateException(Files.readString(WORK.resolve("yarn.log")));
  }

  private static void job() throws IOException {
    StringBuilder rows = new StringBuilder();
    String[] adapters = {"\"qv\"", "null", "\"head-7-labels\"", "\"qw\""};
    for (int i = 0; i < 60; i++) {
      rows.append("{\"id\": %d, \"text\": \"%s\", ".formatted(i, "dog ".repeat(1 + i % 20)));
      rows.append("\"adapter\": %s}\n".formatted(adapters[i % 4]));
    }
    Files.writeString(WORK.resolve("rows.jsonl"), rows);
    Files.writeString(
        WORK.resolve("job.conf"),
        """
        medley {
          base = "%1$s"
          task = "text-classification"
          adapters { qv = "%1$s/adapters/qv", head-7-labels = "%1$s/adapters/head-7-labels" }
          input { format = json, path = "%2$s/rows.jsonl" }
          output { format = json, mode = overwrite, path = out }
          batch-size = 1    # alone in its batch, a row is the same bit by bit wherever it is scored
          merging = never
        }
        """
            .formatted(MODEL, WORK));
  }

  /** The rows that a job has written, sorted. */
  private static List<String> score(String name, String arguments) throws Exception {
    Path out = WORK.resolve("out-" + name);
    Map<String, String> environment = new HashMap<>();
    environment.put("SPARK_HOME", HOME.toString());
    environment.put("HADOOP_CONF_DIR", HADOOP.toString());
    environment.put("MEDLEY_SUBMIT_ARGS", arguments);
    String job = WORK.resolve("job.conf").toString();
    run(
        WORK.resolve(name + ".log"),
        environment,
        List.of("jobs/medley", "score", job, "output.path=" + out));
    List<String> rows = new ArrayList<>();
    try (Stream<Path> files = Files.list(out)) {
      for (Path part :
          files.filter(file -> file.getFileName().toString().startsWith("part-")).toList()) {
        rows.addAll(Files.readAllLines(part));
      }
    }
    return rows.stream().sorted().toList();
  }

  private static void run(Path log, Map<String, String> environment, List<String> command)
      throws Exception {
    Files.createDirectories(WORK);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().putAll(environment);
    Process process = builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
    try {
      assertThat(process.waitFor(10, TimeUnit.MINUTES)).as(() -> text(log)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(() -> command + "\n" + text(log)).isZero();
  }

  private static String text(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return e.toString();
    }
  }

  @Test
  void clientScoresAsLocalModeDoes() throws Exception {
    Map<Path, Long> before = basesOfContainers();
    List<String> scored = score("client", "--properties-file conf/yarn.conf" + SMALL);
    assertThat(scored).isEqualTo(expected);
    Map<Path, Long> after = basesOfContainers();
    after.keySet().removeAll(before.keySet());
    assertThat(after.values()).containsExactly(1L, 1L);
  }

  @Test
  void clusterScoresAsLocalModeDoes() throws Exception {
    List<String> scored =
        score("cluster", "--properties-file conf/yarn.conf --deploy-mode cluster" + SMALL);
    assertThat(scored).isEqualTo(expected);
  }

  /** Settings of masters whose classes are not among the tests' own. */
  @Test
  void sparkKnowsEveryKeyOfYarnAndKubernetes() throws Exception {
    List<URL> jars = new ArrayList<>();
    try (Stream<Path> files = Files.list(HOME.resolve("jars"))) {
      for (Path jar : files.toList()) {
        jars.add(jar.toUri().toURL());
      }
    }
    try (URLClassLoader spark =
        new URLClassLoader(jars.toArray(URL[]::new), ClassLoader.getPlatformClassLoader())) {
      Class.forName("org.apache.spark.deploy.yarn.config.package$", true, spark);
      Class.forName("org.apache.spark.deploy.k8s.Config$", true, spark);
      var entry =
          spark
              .loadClass("org.apache.spark.internal.config.ConfigEntry")
              .getMethod("findEntry", String.class);
      for (String file : List.of("conf/yarn.conf", "conf/kubernetes.conf")) {
        List<String> keys =
            Files.readAllLines(Path.of(file)).stream()
                .filter(line -> line.matches("spark\\.(yarn|kubernetes)\\..*"))
                .map(line -> line.split(" ")[0])
                .filter(key -> !key.contains(".volumes."))
                .toList();
        assertThat(keys).isNotEmpty();
        for (String key : keys) {
          assertThat(entry.invoke(null, key)).as(key).isNotNull();
        }
      }
      assertThat(entry.invoke(null, "spark.kubernetes.namespaces")).isNull();
    }
  }

  /** How many bases were loaded, by the log of the container that loaded any. */
  private static Map<Path, Long> basesOfContainers() throws IOException {
    Map<Path, Long> bases = new HashMap<>();
    try (Stream<Path> files = Files.walk(WORK)) {
      for (Path log : files.filter(file -> file.endsWith("stderr")).toList()) {
        try (Stream<String> lines = Files.lines(log)) {
          long loaded = lines.filter(line -> line.contains("Loaded base")).count();
          bases.merge(log, loaded, Long::sum);
        }
      }
    }
    bases.values().removeIf(loaded -> loaded == 0);
    return bases;
  }
}
