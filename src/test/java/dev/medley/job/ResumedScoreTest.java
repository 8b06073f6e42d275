package dev.medley.job;

import static dev.medley.job.ResumeJob.CHUNK_ROWS;
import static dev.medley.job.ResumeJob.FILE_ROWS;
import static dev.medley.job.ResumeJob.assertClose;
import static dev.medley.job.ResumeJob.count;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a second run of a job does when something has changed since the first, and when not. */
class ResumedScoreTest {
  private static final int ROWS = 2 * FILE_ROWS;

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;
  private ResumeJob job;

  @BeforeEach
  void writeJob() throws IOException {
    job = ResumeJob.in(folder);
    job.input("a.jsonl", 0, FILE_ROWS);
    job.input("b.jsonl", FILE_ROWS, FILE_ROWS);
  }

  private Map<Long, String> predictions(String format) {
    return ResumeJob.predictions(SESSION.spark(), format, job.out());
  }

  @ParameterizedTest
  @CsvSource({"parquet, null", "json, id", "csv, null"})
  void secondRunKeepsAllThatTheFirstHasDone(String format, String key) {
    String[] as = {
      "output.format=" + format,
      "resume.key=" + key,
      "output.options.header=" + format.equals("csv")
    };
    CommandLineRun first = job.score(as);
    assertThat(count(first, "rows")).isEqualTo(ROWS);
    assertThat(count(first, "rows reused")).isZero();
    assertThat(count(first, "rows kept")).isZero();
    Map<Long, String> predictions = predictions(format);
    assertThat(predictions).hasSize(ROWS);
    assertThat(job.out().resolve("_SUCCESS")).exists();
    assertThat(job.hidden("claims")).isEmpty();
    assertThat(job.hidden("staging")).isEmpty();
    Map<String, String> data = job.data();
    if (key.equals("null")) {
      assertThat(data).hasSize(ROWS / CHUNK_ROWS);
    }

    CommandLineRun plain =
        job.score(
            "output.mode=error",
            "output.path=" + folder + "/plain",
            "output.format=" + format,
            "resume=null",
            "output.options.header=true");
    assertThat(plain.err()).isEmpty();
    assertClose(
        predictions, ResumeJob.predictions(SESSION.spark(), format, folder.resolve("plain")));

    CommandLineRun second = job.score(as);
    assertThat(count(second, "rows")).isZero();
    assertThat(count(second, "rows kept")).isEqualTo(ROWS);
    assertThat(count(second, "chunks written")).isZero();
    assertThat(job.data()).isEqualTo(data);
    assertThat(predictions(format)).isEqualTo(predictions);
  }

  @ParameterizedTest
  @CsvSource({"parquet, null", "json, id", "orc, null"})
  void adapterThatWasTrainedAgainCostsItsOwnRows(String format, String key) throws IOException {
    String[] as = {"output.format=" + format, "resume.key=" + key};
    assertThat(count(job.score(as), "rows")).isEqualTo(ROWS);
    Map<Long, String> before = predictions(format);
    job.train("adapters/qv/adapter_model.safetensors");

    CommandLineRun again = job.score(as);
    assertThat(count(again, "rows")).isEqualTo(ROWS / 2); // qv and qv+other
    assertThat(count(again, "rows reused")).isEqualTo(ROWS / 2);
    Map<Long, String> after = predictions(format);
    assertThat(after).hasSize(ROWS);
    after.forEach(
        (id, prediction) -> {
          if (id % 4 == 0 || id % 4 == 3) {
            assertThat(prediction).isNotEqualTo(before.get(id));
          } else {
            assertThat(prediction).isEqualTo(before.get(id));
          }
        });
    assertThat(job.hidden("stale")).isEmpty();
    assertThat(count(job.score(as), "rows kept")).isEqualTo(ROWS);
  }

  @Test
  void csvCostsTheWholeChunk() throws IOException {
    String[] as = {"output.format=csv", "output.options.header=true"};
    job.score(as);
    job.train("adapters/qv/adapter_model.safetensors");
    assertThat(count(job.score(as), "rows")).isEqualTo(ROWS);
    assertThat(predictions("csv")).hasSize(ROWS);
  }

  @Test
  void chunksWithoutTheAdapterStayAsTheyAre() throws IOException {
    Files.write(
        folder.resolve("in/b.jsonl"),
        Files.readAllLines(folder.resolve("in/b.jsonl")).stream()
            .map(line -> line.replaceFirst("\"adapter\": .*", "\"adapter\": \"other\"}"))
            .toList());
    job.score();
    Map<String, String> before = job.data();
    job.train("adapters/qv/adapter_model.safetensors");
    CommandLineRun again = job.score();
    assertThat(count(again, "rows")).isEqualTo(FILE_ROWS / 2);
    assertThat(count(again, "rows kept")).isEqualTo(FILE_ROWS);
    assertThat(job.data().keySet()).filteredOn(before::containsKey).hasSize(FILE_ROWS / CHUNK_ROWS);
  }

  @Test
  void touchedFilesCostNothing() throws IOException {
    job.score();
    Map<String, String> before = job.data();
    Path weights = folder.resolve("adapters/qv/adapter_model.safetensors");
    Files.setLastModifiedTime(
        weights, java.nio.file.attribute.FileTime.fromMillis(System.currentTimeMillis() + 5000));
    CommandLineRun again = job.score();
    assertThat(count(again, "rows")).isZero();
    assertThat(count(again, "rows kept")).isEqualTo(ROWS);
    assertThat(job.data()).isEqualTo(before);
  }

  @Test
  void anotherBaseCostsAllRows() throws IOException {
    job.score();
    Map<Long, String> before = predictions("parquet");
    job.train("base/model.safetensors");
    CommandLineRun again = job.score();
    assertThat(count(again, "rows")).isEqualTo(ROWS);
    assertThat(count(again, "rows reused")).isZero();
    assertThat(predictions("parquet")).hasSize(ROWS).isNotEqualTo(before);
  }

  @Test
  void optionsOfTheTaskCostAllRowsAndTheSizeOfBatchesNone() {
    job.score();
    assertThat(count(job.score("batch-size=5", "merging=never"), "rows")).isZero();
    assertThat(count(job.score("text-classification.function=none"), "rows")).isEqualTo(ROWS);
  }

  @ParameterizedTest
  @CsvSource({"null", "id"})
  void inputThatComesGoesOrGrowsCostsItsNewRows(String key) throws IOException {
    String as = "resume.key=" + key;
    job.score(as);
    Map<Long, String> before = predictions("parquet");

    job.input("c.jsonl", 2 * FILE_ROWS, 50);
    CommandLineRun more = job.score(as);
    assertThat(count(more, "rows")).isEqualTo(50);
    assertThat(predictions("parquet")).hasSize(ROWS + 50).containsAllEntriesOf(before);

    job.input("c.jsonl", 2 * FILE_ROWS, 75);
    assertThat(count(job.score(as), "rows")).isEqualTo(25);
    assertThat(predictions("parquet")).hasSize(ROWS + 75).containsAllEntriesOf(before);

    Files.delete(folder.resolve("in/c.jsonl"));
    assertThat(count(job.score(as), "rows")).isZero();
    assertThat(predictions("parquet")).isEqualTo(before);
  }

  @Test
  void rowsWithKeysAreKnownAgainInOtherFiles() throws IOException {
    job.score("resume.key=id");
    Map<Long, String> before = predictions("parquet");
    Files.delete(folder.resolve("in/a.jsonl"));
    Files.delete(folder.resolve("in/b.jsonl"));
    job.input("all.jsonl", 0, ROWS + 1);
    assertThat(count(job.score("resume.key=id"), "rows")).isEqualTo(1);
    assertThat(predictions("parquet")).hasSize(ROWS + 1).containsAllEntriesOf(before);
  }

  @Test
  void rowsOfOneKeyOrNoneAllHaveTheirPredictions() throws IOException {
    Files.writeString(
        folder.resolve("in/c.jsonl"),
        """
        {"id": null, "text": "the fox", "adapter": "qv"}
        {"id": null, "text": "the dog", "adapter": "qv"}
        {"id": 7, "text": "the lazy dog", "adapter": "other"}
        {"id": 7, "text": "the lazy dog", "adapter": "other"}
        """);
    assertThat(count(job.score("resume.key=id"), "rows")).isEqualTo(ROWS + 4);
    assertThat(ResumeJob.rows(SESSION.spark(), "parquet", job.out())).hasSize(ROWS + 4);
    assertThat(count(job.score("resume.key=id"), "rows kept")).isEqualTo(ROWS + 4);
  }

  @Test
  void adapterThatComesLaterCostsTheRowsThatNamedIt() throws IOException {
    Path away = folder.resolve("away");
    Files.move(folder.resolve("adapters/other"), away);
    assertThat(job.score().out()).contains("ADAPTER_UNKNOWN " + ROWS / 2);
    Files.move(away, folder.resolve("adapters/other"));
    CommandLineRun again = job.score();
    assertThat(count(again, "rows")).isEqualTo(ROWS / 2);
    assertThat(predictions("parquet").values())
        .allMatch(prediction -> prediction.endsWith(" null"));
  }

  @Test
  void nameThatMeansAnotherSetCostsItsRows() throws IOException {
    job.input("a.jsonl", 0, FILE_ROWS);
    Files.write(
        folder.resolve("in/b.jsonl"),
        Files.readAllLines(folder.resolve("in/b.jsonl")).stream()
            .map(line -> line.replaceFirst("\"adapter\": .*", "\"adapter\": \"mix\"}"))
            .toList());
    assertThat(count(job.score("sets.mix=[qv, other]"), "rows")).isEqualTo(ROWS);
    assertThat(count(job.score("sets.mix=[qv, other]"), "rows")).isZero();
    assertThat(count(job.score("sets.mix=[other, qv]"), "rows")).isEqualTo(FILE_ROWS);
  }

  @Test
  void damagedFilesAreMadeAgain() throws IOException {
    job.score();
    Map<Long, String> before = predictions("parquet");
    Map<String, String> data = job.data();
    String[] names = data.keySet().toArray(String[]::new);
    Path chunks = job.out().resolve("_medley/chunks");
    shorten(job.out().resolve(names[0]));
    Files.delete(job.out().resolve(names[1]));
    shorten(chunks.resolve(commit(names[2]) + ".json"));
    Files.delete(chunks.resolve(commit(names[3]) + ".keys"));
    Files.writeString(chunks.resolve(commit(names[4]) + ".json"), "{}");

    CommandLineRun again = job.score();
    assertThat(count(again, "rows")).isEqualTo(5 * CHUNK_ROWS);
    assertClose(predictions("parquet"), before);
    assertThat(job.data().keySet()).isEqualTo(data.keySet());

    Files.writeString(job.out().resolve("_medley/finished.json"), "{");
    Files.writeString(job.out().resolve("_medley/fingerprints.json"), "");
    assertThat(count(job.score(), "rows")).isZero();
    assertClose(predictions("parquet"), before);
  }

  private static String commit(String data) {
    return data.replaceFirst("part-([^.]*)\\..*", "$1");
  }

  private static void shorten(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length / 2));
    Files.deleteIfExists(file.resolveSibling("." + file.getFileName() + ".crc"));
  }

  @Test
  void outputThatWasBegunOtherwiseIsRefused() throws IOException {
    job.score();
    assertThat(job.score("resume.key=id", "resume.chunk-rows=7", "output.format=json").err())
        .isEqualTo(
            """
            medley score failed: file:%s: 4 problems:
              output.format: expected parquet, as the output was begun with, found json
              resume.key: expected null, as the output was begun with, found id
              resume.chunk-rows: expected 20, as the output was begun with, found 7
              go on as the output was begun, or choose another output.path
            """
                .formatted(job.out()));

    Files.writeString(job.out().resolve("part-00000-of-an-append.parquet"), "mine");
    String foreign =
        "file:"
            + job.out()
            + ": expected nothing there, or what a job with output.mode = resume has begun, found"
            + " part-00000-of-an-append.parquet; choose another output.path";
    assertThat(job.score().err()).isEqualTo("medley score failed: " + foreign + "\n");
    CommandLineRun validate = CommandLineRun.of("validate", job.conf().toString());
    assertThat(validate.code()).isEqualTo(Medley.FAILED);
    assertThat(validate.out().replaceAll("\\s+", "")).contains(foreign.replaceAll("\\s+", ""));
  }

  @Test
  void columnsOfOtherNamesAreFilled() {
    job.score();
    CommandLineRun again = job.score("output.column=label", "output.lineage=true");
    assertThat(count(again, "rows")).isEqualTo(ROWS);
    assertThat(
            SESSION
                .spark()
                .read()
                .parquet(job.out().toString())
                .filter("label is not null and label_lineage is not null")
                .count())
        .isEqualTo(ROWS);
  }

  @Test
  void keyedRunThatWasKilledAtItsVeryEndGoesOn() throws IOException {
    job.score("resume.key=id");
    Files.delete(job.out().resolve("_medley/finished.json"));
    Files.delete(job.out().resolve("_SUCCESS"));
    CommandLineRun again = job.score("resume.key=id");
    assertThat(again.err()).isEmpty();
    assertThat(count(again, "rows")).isZero();
    assertThat(count(again, "rows kept")).isEqualTo(ROWS);
    assertThat(job.out().resolve("_SUCCESS")).exists();
    assertThat(predictions("parquet")).hasSize(ROWS);
  }

  /** Where texts are times, and times are keys, rows would be in other buckets. */
  @Test
  void anotherTimeZoneLosesAndDoublesNothing() {
    job.score("resume.key=id");
    String zone = SESSION.spark().conf().get("spark.sql.session.timeZone");
    try {
      SESSION.spark().conf().set("spark.sql.session.timeZone", "Asia/Tokyo");
      CommandLineRun again = job.score("resume.key=id");
      assertThat(count(again, "rows reused")).isEqualTo(ROWS);
      assertThat(predictions("parquet")).hasSize(ROWS);
    } finally {
      SESSION.spark().conf().set("spark.sql.session.timeZone", zone);
    }
  }

  @Test
  void keyOfTheReportCostsNothing() {
    job.score();
    CommandLineRun again = job.score("input.key=id");
    assertThat(count(again, "rows kept")).isEqualTo(ROWS);
    assertThat(count(again, "chunks written")).isZero();
  }

  @Test
  void reportIsOfTheLastRunThatWroteSomething() throws IOException {
    job.score();
    Path report = job.out().resolve(RunReport.FILE);
    String first = Files.readString(report);
    job.score();
    assertThat(report).content().isEqualTo(first);
    job.input("c.jsonl", 2 * FILE_ROWS, FILE_ROWS);
    job.score();
    assertThat(report)
        .content()
        .contains("<dt>rows kept</dt><dd><data value=\"" + ROWS + "\">" + ROWS + "</data>");
  }

  @Test
  void keyThatIsNoPlainColumnIsRefused() {
    assertThat(job.score("resume.key=ix").err())
        .isEqualTo(
            "medley score failed: resume.key: expected a column of the input, found none named ix"
                + " among adapter, id, text; did you mean id?\n");
    assertThat(job.out().resolve("_medley")).doesNotExist();
  }

  @Test
  void rowThatFailsTheJobIsNamedByItsPlace() throws IOException {
    job.score();
    List<String> lines = Files.readAllLines(folder.resolve("in/b.jsonl"));
    lines.set(77, "{\"id\": 1, \"text\": \"the fox\", \"adapter\": \"qw\"}");
    Files.write(folder.resolve("in/b.jsonl"), lines);
    CommandLineRun failed =
        CommandLineRun.of("--stacktrace", "score", job.conf().toString(), "on-error=fail");
    assertThat(failed.code()).isEqualTo(Medley.FAILED);
    assertThat(failed.err()).contains(", row 77 (both from 0): ADAPTER_UNKNOWN");
    assertThat(job.out().resolve("_SUCCESS")).doesNotExist();
    assertThat(job.hidden("claims")).isEmpty();
  }

  @Test
  void noRowsLeaveAFileWithTheColumns() throws IOException {
    SESSION.spark().read().json(folder + "/in").limit(0).write().parquet(folder + "/none");
    String[] as = {"input.format=parquet", "input.path=" + folder + "/none"};
    assertThat(count(job.score(as), "rows")).isZero();
    assertThat(SESSION.spark().read().parquet(job.out().toString()).columns())
        .containsExactly("adapter", "id", "text", "prediction", "prediction_error");
    assertThat(count(job.score(as), "rows")).isZero();
    assertThat(job.data()).hasSize(1);

    SESSION
        .spark()
        .read()
        .json(folder + "/in")
        .limit(5)
        .write()
        .mode("append")
        .parquet(folder + "/none");
    assertThat(count(job.score(as), "rows")).isEqualTo(5);
    assertThat(ResumeJob.rows(SESSION.spark(), "parquet", job.out())).hasSize(5);
  }

  @Test
  void rowsOfAChunkAreInTheOrderOfTheInput() throws IOException {
    job.score("output.format=json");
    Map<Long, Long> firsts = new TreeMap<>();
    for (String name : job.data().keySet()) {
      var ids =
          Files.readAllLines(job.out().resolve(name)).stream()
              .map(line -> Long.parseLong(line.replaceFirst(".*\"id\":([0-9]+).*", "$1")))
              .toList();
      firsts.put(ids.get(0), (long) ids.size());
      assertThat(ids).isSorted().hasSize(CHUNK_ROWS);
      assertThat(ids.get(CHUNK_ROWS - 1) - ids.get(0)).isEqualTo(CHUNK_ROWS - 1);
    }
    assertThat(firsts).hasSize(ROWS / CHUNK_ROWS);
  }

  @Test
  void pathsWithBlanksAndSignsAreFilesLikeAnyOther() throws IOException {
    for (String name : List.of("a", "b")) {
      Path odd = folder.resolve("in/day=" + name + " x@y 1%");
      Files.createDirectories(odd);
      Files.move(folder.resolve("in/" + name + ".jsonl"), odd.resolve(name + " #1.jsonl"));
    }
    assertThat(count(job.score(), "rows")).isEqualTo(ROWS);
    assertThat(count(job.score(), "rows")).isZero();
    job.train("adapters/qv/adapter_model.safetensors");
    assertThat(count(job.score(), "rows reused")).isEqualTo(ROWS / 2);
  }
}
