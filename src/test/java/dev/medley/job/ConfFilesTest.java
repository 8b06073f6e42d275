package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.ScalaList;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.deploy.SparkSubmitArguments;
import org.apache.spark.internal.config.ConfigEntry;
import org.apache.spark.internal.config.ConfigReader;
import org.apache.spark.resource.ResourceInformation;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import scala.Tuple2;
import scala.collection.Iterator;

/** The files in conf/ say what Spark understands. */
class ConfFilesTest {
  private static final Path CONF = Path.of("conf");

  /** Where Spark's own entries are declared; they are known once the classes are there. */
  private static final List<String> DECLARED_IN =
      List.of(
          "org.apache.spark.internal.config.package$",
          "org.apache.spark.internal.config.UI$",
          "org.apache.spark.internal.config.Network$",
          "org.apache.spark.sql.internal.SQLConf$");

  /** Settings that are no entries: documented in Spark's pages on configuration and standalone. */
  private static final String OTHERS =
      "spark\\.master"
          + "|spark\\.executorEnv\\.[A-Z_]+"
          + "|spark\\.(executor|worker)\\.resource\\.gpu\\.(amount|discoveryScript)"
          + "|spark\\.executor\\.resource\\.gpu\\.vendor"
          + "|spark\\.task\\.resource\\.gpu\\.amount";

  /** YarnTest looks for these where they are declared. */
  private static final String MASTERS_OWN = "spark\\.(yarn|kubernetes)\\..+";

  @BeforeAll
  static void declare() throws ClassNotFoundException {
    for (String declared : DECLARED_IN) {
      Class.forName(declared);
    }
  }

  static Stream<Path> files() throws IOException {
    return Files.list(CONF).filter(file -> file.toString().endsWith(".conf")).sorted();
  }

  private static Map<String, String> settings(String text) throws IOException {
    Properties read = new Properties();
    read.load(new StringReader(text));
    Map<String, String> settings = new TreeMap<>();
    read.stringPropertyNames().forEach(key -> settings.put(key, read.getProperty(key)));
    return settings;
  }

  /** What Spark does not understand; none is as it should be. */
  private static List<String> problems(String text) throws IOException {
    List<String> problems = new ArrayList<>();
    Map<String, String> settings = settings(text);
    settings.forEach(
        (key, value) -> {
          ConfigEntry<?> entry = (ConfigEntry<?>) ConfigEntry.findEntry(key);
          if (entry == null && !key.matches(OTHERS) && !key.matches(MASTERS_OWN)) {
            problems.add(key + ": Spark has no such setting");
          } else if (entry != null) {
            try {
              entry.readFrom(new ConfigReader(settings));
            } catch (IllegalArgumentException e) {
              problems.add(key + ": " + e.getMessage());
            }
          }
        });
    return problems;
  }

  @Test
  void filesAreThereForEachWayToRun() throws IOException {
    assertThat(files())
        .extracting(file -> file.getFileName().toString())
        .containsExactly(
            "gpu-worker.conf",
            "gpu.conf",
            "kubernetes.conf",
            "spark-defaults.conf",
            "standalone.conf",
            "yarn.conf");
  }

  @ParameterizedTest
  @MethodSource("files")
  void sparkKnowsEveryKeyAndReadsItsValue(Path file) throws IOException {
    assertThat(problems(Files.readString(file))).isEmpty();
  }

  @Test
  void misspeltKeysAndValuesAreSeen() throws IOException {
    assertThat(problems("spark.executor.core 4\nspark.executor.cores four\nspark.ui.enable true"))
        .hasSize(3)
        .anySatisfy(problem -> assertThat(problem).startsWith("spark.executor.core:"))
        .anySatisfy(problem -> assertThat(problem).contains("four"))
        .anySatisfy(problem -> assertThat(problem).startsWith("spark.ui.enable:"));
  }

  @ParameterizedTest
  @MethodSource("files")
  void eachSettingIsExplainedAboveIt(Path file) throws IOException {
    String before = "";
    for (String line : Files.readAllLines(file)) {
      boolean isSetting = line.startsWith("spark.");
      assertThat(isSetting || line.isEmpty() || line.startsWith("# ")).as(line).isTrue();
      if (isSetting) { // by a comment, together with the setting above it
        assertThat(before).as(line).isNotEmpty();
      }
      before = line;
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void sparkSubmitTakesIt(Path file) throws IOException {
    assertThat(submitted(file)).containsAllEntriesOf(settings(Files.readString(file)));
  }

  @ParameterizedTest
  @MethodSource("files")
  void gpusComeOnTopOfAnyOther(Path file, @TempDir Path folder) throws IOException {
    String gpu = Files.readString(CONF.resolve("gpu.conf"));
    Path both = Files.writeString(folder.resolve("my.conf"), Files.readString(file) + gpu);
    assertThat(submitted(both)).containsAllEntriesOf(settings(gpu));
  }

  /** Its settings as a job would have them. */
  private static Map<String, String> submitted(Path file) {
    List<String> arguments =
        List.of("--class", "A", "--properties-file", file.toString(), "medley.jar", "score");
    SparkSubmitArguments submit =
        new SparkSubmitArguments(
            ScalaList.of(arguments),
            new scala.collection.immutable.Map.Map1<>("HADOOP_CONF_DIR", "/etc/hadoop/conf"));
    Map<String, String> settings = new TreeMap<>();
    Iterator<Tuple2<String, String>> properties = submit.sparkProperties().iterator();
    while (properties.hasNext()) {
      Tuple2<String, String> property = properties.next();
      settings.put(property._1(), property._2());
    }
    return settings;
  }

  @Test
  void gpusAreSaidAsSparkReadsThem(@TempDir Path folder) throws Exception {
    String said = gpus(folder, "printf '0\\n3\\n'", 0);
    ResourceInformation found = ResourceInformation.parseJson(said);
    assertThat(found.name()).isEqualTo("gpu");
    assertThat(found.addresses()).containsExactly("0", "3");
  }

  @Test
  void machineWithoutGpusIsAnError(@TempDir Path folder) throws Exception {
    assertThat(gpus(folder, "echo 'No devices were found'", 1))
        .isEqualTo("gpus: expected numbers of GPUs from nvidia-smi, found: No devices were found");
  }

  /** What conf/gpus prints where nvidia-smi is this script. */
  private static String gpus(Path folder, String smi, int status) throws Exception {
    Path fake = Files.writeString(folder.resolve("nvidia-smi"), "#!/bin/sh\n" + smi + "\n");
    Files.setPosixFilePermissions(fake, PosixFilePermissions.fromString("rwx------"));
    ProcessBuilder builder = new ProcessBuilder(CONF.resolve("gpus").toString());
    builder.environment().merge("PATH", folder + ":", (path, before) -> before + path);
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isEqualTo(status);
    return said.strip();
  }
}
