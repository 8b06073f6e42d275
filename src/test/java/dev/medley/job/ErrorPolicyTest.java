package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows in error of a {@code score} job: 3 of 10 name no adapter, one is null, one is cut. */
class ErrorPolicyTest {
  private static final String BASE = Fixtures.path("models/bert-sequence").toString();

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
          adapters { qv = "%s/adapters/qv" }
          input { format = json, path = "%s/rows.jsonl" }
          output { format = parquet, path = "%s/out" }
          device = cpu
        }
        """
            .formatted(BASE, BASE, folder, folder);
    job = Files.writeString(folder.resolve("job.conf"), text).toString();
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      String words = i == 4 ? "null" : i == 5 ? "\"" + "dog ".repeat(100) + "\"" : "\"a dog\"";
      lines.add(
          "{\"id\": %d, \"text\": %s, \"adapter\": \"%s\"}"
              .formatted(i, words, i < 3 ? "qw" : "qv"));
    }
    Files.write(folder.resolve("rows.jsonl"), lines);
  }

  private CommandLineRun score(String... overrides) {
    List<String> args = new ArrayList<>(List.of("score", job));
    args.addAll(List.of(overrides));
    return CommandLineRun.of(args.toArray(String[]::new));
  }

  private Dataset<Row> read(String format, String name) {
    return SESSION.spark().read().format(format).load(folder.resolve(name).toString());
  }

  private static List<Long> ids(Dataset<Row> rows) {
    return rows.orderBy("id").collectAsList().stream().map(row -> row.<Long>getAs("id")).toList();
  }

  /** What stands beside the job, hidden or not. */
  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "csv", "parquet", "orc"})
  void rowsInErrorGoToTheirOwnOutputAndEachRowIsScoredOnce(String format) throws IOException {
    CommandLineRun run =
        score(
            "output.errors={path=\"" + folder + "/bad\",format=" + format + "}",
            "output.errors.options.header=true",
            "output.lineage=from");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out())
        .startsWith(
            "rows             10\nerrors           4: ADAPTER_UNKNOWN 3, TEXT_NULL 1\n"
                + "warnings         1: TEXT_TRUNCATED 1\n");
    Dataset<Row> good = read("parquet", "out");
    assertThat(good.columns())
        .containsExactlyInAnyOrder(
            "adapter", "id", "text", "prediction", "prediction_error", "from");
    assertThat(ids(good)).containsExactly(3L, 5L, 6L, 7L, 8L, 9L);
    assertThat(good.filter("prediction is null").count()).isZero();
    assertThat(good.filter("prediction_error.code = 'TEXT_TRUNCATED'").count()).isEqualTo(1);

    Dataset<Row> bad =
        SESSION
            .spark()
            .read()
            .format(format)
            .option("header", "true")
            .load(folder.resolve("bad").toString());
    assertThat(bad.columns())
        .containsExactlyInAnyOrder("adapter", "id", "text", "prediction_error", "from");
    String code =
        format.equals("csv")
            ? "get_json_object(prediction_error, '$.code')"
            : "prediction_error.code";
    assertThat(bad.selectExpr("int(id) as id", code).orderBy("id").collectAsList())
        .extracting(row -> row.getInt(0) + " " + row.getString(1))
        .containsExactly(
            "0 ADAPTER_UNKNOWN", "1 ADAPTER_UNKNOWN", "2 ADAPTER_UNKNOWN", "4 TEXT_NULL");
    assertThat(files()).containsExactly("bad", "job.conf", "out", "rows.jsonl");
  }

  @Test
  void shareThatPassesTheLimitFailsTheJobAndNothingLooksDone() throws IOException {
    CommandLineRun run = score("max-error-rate=0.39", "output.errors.path=" + folder + "/bad");
    assertThat(run.code()).isEqualTo(Medley.FAILED);
    assertThat(run.err())
        .isEqualTo(
            "medley score failed: 4 of 10 rows are in error, a share of 0.4000, and max-error-rate ="
                + " 0.39: ADAPTER_UNKNOWN 3, TEXT_NULL 1; nothing was written to "
                + folder
                + "/out\n");
    assertThat(files()).containsExactly("job.conf", "rows.jsonl");

    assertThat(score("max-error-rate=0.4").code()).isEqualTo(Medley.OK);
    assertThat(ids(read("parquet", "out"))).hasSize(10);
    assertThat(files()).containsExactly("job.conf", "out", "rows.jsonl");
  }

  @Test
  void warningsAreNoErrors() throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve("rows.jsonl"));
    Files.write(folder.resolve("rows.jsonl"), lines.subList(5, 10));
    assertThat(score("max-error-rate=0").code()).isEqualTo(Medley.OK);
    assertThat(read("parquet", "out").filter("prediction_error is not null").count()).isEqualTo(1);
  }

  @Test
  void outputsThatAreTakenAreFoundBeforeAnyRowIsScored() throws IOException {
    Files.createDirectories(folder.resolve("bad"));
    CommandLineRun run = score("output.errors.path=" + folder + "/bad");
    assertThat(run.err())
        .isEqualTo(
            "medley score failed: "
                + folder
                + "/bad: expected nothing there, since mode = error, found files\n");
    assertThat(files()).containsExactly("bad", "job.conf", "rows.jsonl");

    List<String> args = List.of("validate", job, "output.errors.path=" + folder + "/bad");
    assertThat(CommandLineRun.of(args.toArray(String[]::new)).out().replaceAll("\\s+", " "))
        .contains("output.errors.path: expected nothing there, since output.errors.mode = error")
        .endsWith("problems 1 ");
    assertThat(score("output.errors={path=\"" + folder + "/bad\",mode=overwrite}").code())
        .isEqualTo(Medley.OK);
    assertThat(ids(read("parquet", "bad"))).containsExactly(0L, 1L, 2L, 4L);
  }

  @Test
  void modesHoldForBothOutputs() throws IOException {
    String errors = "output.errors={path=\"" + folder + "/bad\"}";
    assertThat(score(errors).code()).isEqualTo(Medley.OK);
    assertThat(score(errors, "output.mode=append").code()).isEqualTo(Medley.OK);
    assertThat(ids(read("parquet", "out"))).hasSize(12);
    assertThat(ids(read("parquet", "bad"))).hasSize(8);
    CommandLineRun ignored = score(errors, "output.mode=ignore");
    assertThat(ignored.code()).isEqualTo(Medley.OK);
    assertThat(ignored.out()).startsWith("rows             0\n");
    assertThat(ids(read("parquet", "out"))).hasSize(12);
  }
}
