package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.io.ArchiveFile;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Jobs whose adapters are rows of files or of a table, or archives in a folder. */
class RegistryJobTest {
  private static final Path MODEL = Fixtures.path("models/bert-sequence");

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;
  private String job;

  @BeforeEach
  void writeJob() throws IOException {
    String text =
        """
        medley {
          base = "%s"
          task = "text-classification"
          input { format = json, path = "%s/rows.jsonl" }
          output { format = json, path = "%s/out" }
        }
        """
            .formatted(MODEL, folder, folder);
    job = Files.writeString(folder.resolve("job.conf"), text).toString();
    Files.writeString(
        folder.resolve("rows.jsonl"),
        """
        {"text": "a lazy dog", "adapter": "qv"}
        {"text": "the red fox", "adapter": "seven"}
        """);
  }

  private CommandLineRun run(String command, String... overrides) {
    List<String> args = new ArrayList<>(List.of(command, job));
    args.addAll(List.of(overrides));
    return CommandLineRun.of(args.toArray(String[]::new));
  }

  private static String adapter(String name) {
    return MODEL.resolve("adapters").resolve(name).toString();
  }

  private static Dataset<Row> registry() {
    return SESSION
        .spark()
        .createDataFrame(
            List.of(
                RowFactory.create("qv", adapter("qv")),
                RowFactory.create("seven", adapter("head-7-labels"))),
            StructType.fromDDL("name string, uri string"));
  }

  private EngineSpec spec(String... overrides) {
    return JobConf.load(job, List.of(overrides)).spec(Storage.standard());
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "csv", "parquet", "orc"})
  void filesOfRowsNameTheAdapters(String format) {
    String path = folder.resolve("registry").toString();
    registry().write().format(format).option("header", "true").save(path);
    String from = "adapters-from={ format = " + format + ", path = \"" + path + "\" }";
    assertThat(spec(from).adapters())
        .isEqualTo(
            Map.of(
                "qv", AdapterSource.of(adapter("qv")),
                "seven", AdapterSource.of(adapter("head-7-labels"))));
    assertThat(spec(from, "adapters.qv=/own").adapters())
        .containsEntry("qv", AdapterSource.of("/own"))
        .containsKey("seven");
    CommandLineRun run = run("score", from);
    assertThat(run.code()).as(run.err()).isEqualTo(Medley.OK);
    assertThat(run.out()).contains("rows             2\n", "errors           0\n");
  }

  @Test
  void tableOfRowsNamesTheAdapters() {
    registry().createOrReplaceTempView("our_adapters");
    assertThat(spec("adapters-from.table=our_adapters").adapters()).containsOnlyKeys("qv", "seven");
    CommandLineRun none = run("validate", "adapters-from.table=no_such_table");
    assertThat(none.code()).isEqualTo(Medley.FAILED);
    assertThat(none.out()).contains("table no_such_table: could not be read", "no_such_table");
  }

  @Test
  void problemsOfRowsAreReportedTogetherWithTheRest() throws IOException {
    Path rows = folder.resolve("registry.csv");
    Files.writeString(rows, "name,uri,sha256\nqv,,\nqv," + adapter("qv") + ",12\n");
    CommandLineRun run =
        run(
            "validate",
            "adapters-from={ format = csv, path = \"" + rows + "\" }",
            "input.text=body");
    assertThat(run.code()).isEqualTo(Medley.FAILED);
    assertThat(run.out().replaceAll("\\s+", " "))
        .contains(
            "row 0 (\"qv\"): uri: expected a path or URI, found none",
            "row 1 (\"qv\"): sha256: expected 64 hexadecimal digits, got 12",
            "body")
        .contains("problems 2");
  }

  @Test
  void registryNeedsAFormatAndAPathOrATable() {
    CommandLineRun run = run("validate", "adapters-from={ format = text, table2 = x }");
    assertThat(run.code()).isEqualTo(Medley.MISUSED);
    assertThat(run.err())
        .contains(
            "adapters-from.format: expected json, csv, parquet or orc, found \"text\"",
            "adapters-from.path: expected a string, found nothing",
            "adapters-from.table2: unknown key");
    assertThat(run("validate", "adapters-from={ table = t, path = p }").err())
        .contains("adapters-from.path: unknown key");
  }

  @Test
  void archivesOfAPatternAreAdapters() throws IOException {
    Path zips = Files.createDirectory(folder.resolve("zips"));
    ArchiveFile.ofFolder(zips.resolve("qv.zip"), Path.of(adapter("qv")), "");
    ArchiveFile.ofFolder(zips.resolve("seven.tar.gz"), Path.of(adapter("head-7-labels")), "x/");
    Files.writeString(zips.resolve("broken.tgz"), "no archive");
    Files.writeString(zips.resolve("readme.md"), "no adapter");
    ArchiveFile.ofFolder(zips.resolve("data.zip"), zips, "");
    String from = "adapters-from=" + zips + "/*";
    assertThat(spec(from).adapters()).containsOnlyKeys("qv", "seven", "broken");
    CommandLineRun run = run("score", from);
    assertThat(run.code()).as(run.err()).isEqualTo(Medley.OK);
    assertThat(run.out()).contains("rows             2\n", "errors           0\n");
    CommandLineRun validate = run("validate", from, "output.path=" + folder + "/none");
    assertThat(validate.code()).isEqualTo(Medley.FAILED);
    assertThat(validate.out()).contains("broken.tgz", "is no archive");
    CommandLineRun inspect = CommandLineRun.of("inspect", zips + "/qv.zip");
    assertThat(inspect.code()).as(inspect.err()).isEqualTo(Medley.OK);
    assertThat(inspect.out()).contains(zips + "/qv.zip\n", "peft_type         LORA\n");

    Files.createDirectory(zips.resolve("qv"));
    Files.copy(
        Path.of(adapter("qv"), "adapter_config.json"), zips.resolve("qv/adapter_config.json"));
    CommandLineRun twice = run("validate", from);
    assertThat(twice.out().replaceAll("\\s+", " "))
        .contains("adapter qv: expected one, found qv and qv.zip");
  }
}
