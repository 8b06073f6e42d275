package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextClassification;
import dev.medley.engine.Version;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code score} and {@code validate} end to end, in local mode. */
class ScoreTest {
  private static final String BASE = Fixtures.path("models/bert-sequence").toString();
  private static final List<String> ADAPTERS = List.of("qv", "head-7-labels", "head-2-labels");
  private static final List<String> TEXTS = List.of("a lazy dog", "the red fox jumps", "9 !");

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;
  private String job;

  @BeforeEach
  void writeJob() throws IOException {
    String adapters = "";
    for (String name : ADAPTERS) {
      adapters += "    " + name + " = \"" + BASE + "/adapters/" + name + "\"\n";
    }
    String text =
        """
        medley {
          base = "%s"
          task = "text-classification"
          adapters {
        %s  }
          input { format = json, path = "%s/rows.jsonl" }
          output { format = json, path = "%s/out" }
          device = cpu
        }
        """
            .formatted(BASE, adapters, folder, folder);
    job = Files.writeString(folder.resolve("job.conf"), text).toString();
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      String adapter = i % 4 == 3 ? "null" : "\"" + ADAPTERS.get(i % 4) + "\"";
      lines.add(
          "{\"id\": %d, \"text\": \"%s\", \"adapter\": %s}"
              .formatted(i, TEXTS.get(i % 3), adapter));
    }
    Files.write(folder.resolve("rows.jsonl"), lines);
  }

  private CommandLineRun score(String... overrides) {
    return run("score", overrides);
  }

  private CommandLineRun run(String command, String... overrides) {
    List<String> args = new ArrayList<>(List.of(command, job));
    args.addAll(List.of(overrides));
    return CommandLineRun.of(args.toArray(String[]::new));
  }

  /** What the engine says of the same rows. */
  private static List<Classification> expected() {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      requests.add(Request.of(TEXTS.get(i % 3), i % 4 == 3 ? null : ADAPTERS.get(i % 4)));
    }
    Map<String, AdapterSource> adapters = new java.util.TreeMap<>();
    ADAPTERS.forEach(name -> adapters.put(name, AdapterSource.of(BASE + "/adapters/" + name)));
    try (Engine engine = Engine.load(EngineSpec.of(BASE, TextClassification.AUTO, adapters))) {
      return engine.run(requests).stream()
          .map(Result::prediction)
          .map(Classification.class::cast)
          .toList();
    }
  }

  @Test
  void everyRowIsScoredUnderItsOwnAdapterAndCounted() {
    CommandLineRun run = score();
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out()) // none of the three is loaded where another test's engine has it
        .matches(
            """
            rows             12
            errors           0
            warnings         0
            tokens           [0-9]+, and [0-9]+ of padding for heads
            forward passes   [1-9][0-9]* in [0-9]+ ms: base in 1, added in .*
            adapters loaded  [0-3], .* in [0-9]+ ms; in memory [0-9]+ times, evicted 0
            seconds          [0-9.]+
            rows/s           [0-9.]+
            tokens/s         [0-9.]+
            output           (?s).*/out \\(json\\)

            SET            ROWS  TOKENS  MS
            .*"""
                .stripTrailing());
    assertThat(run.out())
        .containsPattern("__base__ +3 ")
        .containsPattern("qv +3 ")
        .containsPattern("head-7-labels +3 ");
    List<Row> rows = SESSION.spark().read().json(folder + "/out").orderBy("id").collectAsList();
    List<Classification> expected = expected();
    assertThat(rows).hasSize(12);
    for (int i = 0; i < 12; i++) {
      Row prediction = rows.get(i).getAs("prediction");
      assertThat(prediction.<String>getAs("label")).isEqualTo(expected.get(i).label());
      assertThat(prediction.<Double>getAs("score"))
          .isCloseTo(expected.get(i).score(), org.assertj.core.data.Offset.offset(1e-5));
      assertThat(prediction.getList(prediction.fieldIndex("scores")))
          .hasSameSizeAs(expected.get(i).scores());
    }
    assertThat(rows).extracting(row -> row.<String>getAs("text")).contains("9 !");
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "csv", "parquet", "orc"})
  void formatsHoldTheSamePredictions(String format) {
    Dataset<Row> rows =
        SESSION.spark().read().json(folder + "/rows.jsonl").select("id", "adapter", "text");
    rows.write().format(format).option("header", "true").save(folder + "/in");
    CommandLineRun run =
        score(
            "input.format=" + format,
            "output.format=" + format,
            "input.path=" + folder + "/in",
            "input.options.header=true",
            "output.options.header=true");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    Dataset<Row> out =
        SESSION.spark().read().format(format).option("header", "true").load(folder + "/out");
    String label =
        format.equals("csv") ? "get_json_object(prediction, '$.label')" : "prediction.label";
    assertThat(out.selectExpr("int(id) id", label + " label").orderBy("id").collectAsList())
        .extracting(row -> row.getString(1))
        .containsExactlyElementsOf(expected().stream().map(Classification::label).toList());
  }

  @Test
  void linesOfTextTakeTheAdapterOfTheirPartition() throws IOException {
    Files.createDirectories(folder.resolve("text/adapter=qv"));
    Files.write(folder.resolve("text/adapter=qv/a.txt"), TEXTS);
    CommandLineRun run = score("input.format=text", "input.path=" + folder + "/text");
    assertThat(run.err()).isEmpty();
    assertThat(
            SESSION.spark().read().json(folder + "/out").select("value", "adapter").collectAsList())
        .containsExactlyInAnyOrder(
            RowFactory.create("a lazy dog", "qv"),
            RowFactory.create("the red fox jumps", "qv"),
            RowFactory.create("9 !", "qv"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "csv", "parquet", "orc"})
  void rowsSayWhereTheyComeFrom(String format) {
    CommandLineRun run =
        score("output.format=" + format, "output.options.header=true", "output.lineage=true");
    assertThat(run.err()).isEmpty();
    Dataset<Row> out =
        SESSION.spark().read().format(format).option("header", "true").load(folder + "/out");
    Dataset<Row> lineage =
        out.selectExpr(
            "coalesce(adapter, '__base__') as adapter",
            format.equals("csv")
                ? "get_json_object(prediction_lineage, '$.adapter_set')"
                : "prediction_lineage.adapter_set");
    assertThat(lineage.collectAsList())
        .hasSize(12)
        .allSatisfy(row -> assertThat(row.getString(1)).isEqualTo(row.getString(0)));
  }

  @Test
  void whatTheRunDidIsLeftInTheOutput() throws IOException {
    List<String> lines = new ArrayList<>(Files.readAllLines(folder.resolve("rows.jsonl")));
    lines.add("{\"id\": 12, \"text\": \"a dog\", \"adapter\": \"qw\"}");
    Files.write(folder.resolve("rows.jsonl"), lines);
    assertThat(score("output.options.password=hunter2").code()).isEqualTo(Medley.OK);
    assertThat(SESSION.spark().read().json(folder + "/out").columns())
        .doesNotContain("format", "metrics");
    assertThat(SESSION.spark().read().json(folder + "/out").count()).isEqualTo(13);

    Path file = folder.resolve("out/" + RunMetrics.FILE);
    assertThat(file).content().doesNotContain("hunter2");
    JsonNode json = new ObjectMapper().readTree(file.toFile());
    assertThat(json.path("format").asText()).isEqualTo("medley-metrics");
    assertThat(json.path("version").asInt()).isEqualTo(1);
    assertThat(json.at("/versions/medley").asText()).isEqualTo(Version.OF_THIS_LIBRARY);
    assertThat(json.at("/versions/spark").asText()).isEqualTo(SESSION.spark().version());
    assertThat(json.at("/job/base").asText()).isEqualTo(BASE);
    assertThat(json.at("/job/output/options/0").asText()).isEqualTo("password");
    assertThat(json.at("/metrics/rows").asLong()).isEqualTo(13);
    assertThat(json.at("/metrics/tokens").asLong()).isPositive();
    assertThat(json.at("/errors/ADAPTER_UNKNOWN").asLong()).isEqualTo(1);
    assertThat(json.path("warnings")).isEmpty();
    assertThat(json.path("sets"))
        .extracting(set -> set.path("set").asText() + " " + set.path("rows").asInt())
        .containsExactlyInAnyOrder("__base__ 3", "qv 3", "head-7-labels 3", "head-2-labels 3");
    long tokens = 0;
    for (JsonNode set : json.path("sets")) {
      tokens += set.path("tokens").asLong();
    }
    assertThat(tokens).isEqualTo(json.at("/metrics/tokens").asLong());
    assertThat(json.at("/other_sets/rows").asLong()).isZero();
    assertThat(json.at("/plan/forecast/sets"))
        .extracting(set -> set.path("set").asText())
        .contains("__base__", "qv");
    assertThat(json.at("/devices/0/device").asText()).isEqualTo("cpu");
    assertThat(json.at("/devices/0/executor").asText()).isEqualTo("driver");
    assertThat(json.at("/devices/0/rows").asLong()).isEqualTo(13);
    JsonNode end = json.path("timeline").get(json.path("timeline").size() - 1);
    assertThat(end.path("rows").asLong()).isEqualTo(13);
    assertThat(end.path("seconds").asDouble()).isEqualTo(json.path("seconds").asDouble());

    byte[] before = Files.readAllBytes(file);
    assertThat(score("output.mode=ignore").code()).isEqualTo(Medley.OK);
    assertThat(file).hasBinaryContent(before);
  }

  @Test
  void badRowsAreCountedByCodeAndTheRestIsScored() throws IOException {
    Files.write(
        folder.resolve("rows.jsonl"),
        List.of(
            "{\"text\": \"a dog\", \"adapter\": \"qw\"}",
            "{\"text\": \"a dog\", \"adapter\": \"qv\"}",
            "{\"text\": null, \"adapter\": \"qv\"}",
            "{\"text\": \"a dog\", \"adapter\": \"qw\"}",
            "{\"text\": \"" + "dog ".repeat(100) + "\", \"adapter\": \"qv\"}"));
    CommandLineRun run = score();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out())
        .startsWith(
            "rows             5\nerrors           3: ADAPTER_UNKNOWN 2, TEXT_NULL 1\n"
                + "warnings         1: TEXT_TRUNCATED 1\n");

    CommandLineRun failing = score("on-error=fail", "output.path=" + folder + "/other");
    assertThat(failing.code()).isEqualTo(Medley.FAILED);
    assertThat(failing.out()).isEmpty();
    assertThat(failing.err())
        .isEqualTo(
            "medley score failed: row 0: ADAPTER_UNKNOWN: adapter: no adapter is named qw; did you"
                + " mean qv?\n");
  }

  @Test
  void whatCannotRunFailsWithOneMessage() {
    assertThat(score("base=/no/model").err())
        .startsWith("medley score failed: /no/model")
        .doesNotContain("\tat ");
    assertThat(score("input.path=" + folder + "/none").err())
        .startsWith(
            "medley score failed: [PATH_NOT_FOUND] Path does not exist: file:" + folder + "/none.")
        .hasLineCount(1);
    CommandLineRun column = score("input.text=body");
    assertThat(column.code()).isEqualTo(Medley.FAILED);
    assertThat(column.err()).contains("body");
    assertThat(score().code()).isEqualTo(Medley.OK);
    assertThat(score().err()).startsWith("medley score failed: [PATH_ALREADY_EXISTS] ");
  }

  @Test
  void validateReportsAdaptersInATable() {
    String refused = Fixtures.path("models/bert-sequence/refused").toString();
    CommandLineRun fine = run("validate");
    assertThat(fine.err()).isEmpty();
    assertThat(fine.out())
        .startsWith(
            """
            ADAPTER        TYPE  RANK  TARGETS      SIZE     PROBLEMS
            head-2-labels  LORA  5     query value  6.8 KiB  none
            head-7-labels  LORA  5     value        4.1 KiB  none
            qv             LORA  3     query value  4.3 KiB  none

            """)
        .endsWith("problems  none\n");
    assertThat(fine.code()).isEqualTo(Medley.OK);
    assertThat(fine.out()).contains("(json): adapter, id, text");

    CommandLineRun bad =
        run("validate", "adapters-from=" + refused + "/*", "input.text=body", "sets.s=[qv, qx]");
    assertThat(bad.code()).isEqualTo(Medley.FAILED);
    assertThat(bad.out().lines()).allMatch(line -> line.length() <= Table.WIDTH);
    assertThat(bad.out())
        .contains("wrong-rank", "pickle", "set s: no adapter is named qx", "body")
        .containsPattern("problems +[0-9]{2}\n$");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void validateNamesMissingInputAndTakenOutput() throws IOException {
    Files.createDirectories(folder.resolve("out"));
    CommandLineRun run = run("validate", "input.path=" + folder + "/later");
    assertThat(run.code()).isEqualTo(Medley.FAILED);
    assertThat(run.out().replaceAll("\\s+", " "))
        .contains("later (json): nothing there yet, columns not checked")
        .contains("output.path: expected nothing there, since output.mode = error, found files")
        .endsWith("problems 1 ");
    assertThat(run("validate", "output.mode=append").code()).isEqualTo(Medley.OK);
  }

  @Test
  void hashThatDoesNotFitIsFoundBeforeAnyRow() {
    String pinned =
        "adapters.qv={path=\"" + BASE + "/adapters/qv\",sha256=\"" + "0".repeat(64) + "\"}";
    CommandLineRun run = run("validate", pinned);
    assertThat(run.code()).isEqualTo(Medley.FAILED);
    assertThat(run.out().replaceAll("\\s+", " ")).contains("sha256: expected 0000");
    assertThat(score(pinned, "on-error=fail").code()).isEqualTo(Medley.FAILED);
  }

  @Test
  void csvKeepsPlainColumnsAndWritesNestedOnesAsJson() {
    StructType schema = new StructType().add("a.b", DataTypes.StringType).add("n", "array<int>");
    Dataset<Row> rows =
        SESSION.spark().createDataFrame(List.of(RowFactory.create("x", List.of(1, 2))), schema);
    Rows.write(
        rows,
        new JobConf.Output(
            JobConf.Format.CSV,
            folder + "/csv",
            "prediction",
            null,
            "error",
            Map.of("header", "true")));
    assertThat(SESSION.spark().read().option("header", "true").csv(folder + "/csv").collectAsList())
        .containsExactly(RowFactory.create("x", "[1,2]"));
  }
}
