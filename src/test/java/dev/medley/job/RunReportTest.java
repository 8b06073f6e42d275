package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.io.Downloads;
import dev.medley.io.RemoteFileSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The page that a job leaves, without a browser. */
class RunReportTest {
  private static final String BASE = Fixtures.path("models/bert-sequence").toString();

  @RegisterExtension static final JobSession SESSION = new JobSession();

  /** A job of 40 rows under three sets, with three kinds of errors and warnings. */
  static Path score(Path folder, String... overrides) throws IOException {
    String text =
        """
        medley {
          base = "%s"
          task = "text-classification"
          adapters { qv = "%s/adapters/qv", "<b>&" = "%s/adapters/qv" }
          input { format = json, path = "%s/rows.jsonl", key = id }
          output { format = json, path = "%s/out", options { password = hunter2 } }
          device = cpu
        }
        """
            .formatted(BASE, BASE, BASE, folder, folder);
    Path job = Files.writeString(folder.resolve("job.conf"), text);
    List<String> lines = new ArrayList<>();
    String[] adapters = {"\"qv\"", "\"<b>&\"", "\"qv+0.5*qv\"", "null", "\"<script>\""};
    for (int i = 0; i < 40; i++) {
      String words = i == 3 ? "null" : "\"" + "dog ".repeat(i == 8 ? 100 : 1 + i % 7) + "\"";
      lines.add(
          "{\"id\": \"ticket-%d\", \"text\": %s, \"adapter\": %s}"
              .formatted(i, words, adapters[i % 5]));
    }
    Files.write(folder.resolve("rows.jsonl"), lines);
    List<String> args = new ArrayList<>(List.of("score", job.toString()));
    args.addAll(List.of(overrides));
    CommandLineRun run = CommandLineRun.of(args.toArray(String[]::new));
    assertThat(run.code()).as(run.out() + run.err()).isEqualTo(Medley.OK);
    return folder.resolve("out");
  }

  static JsonNode metrics(Path out) throws IOException {
    return new ObjectMapper().readTree(out.resolve(RunMetrics.FILE).toFile());
  }

  @Test
  void rowsInErrorAreNamedByTheirKeyAndDataIsNoMarkup(@TempDir Path folder) throws IOException {
    Path out = score(folder);
    JsonNode json = metrics(out);
    assertThat(json.at("/errors/ADAPTER_UNKNOWN").asInt()).isEqualTo(8);
    assertThat(json.at("/examples/ADAPTER_UNKNOWN"))
        .hasSize(5)
        .allSatisfy(
            example -> {
              assertThat(example.path("row").asText()).matches("ticket-\\d*[49]");
              assertThat(example.path("message").asText()).contains("<script>");
            });
    assertThat(json.at("/examples/TEXT_NULL/0/row").asText()).isEqualTo("ticket-3");
    assertThat(json.at("/examples/TEXT_TRUNCATED/0/row").asText()).isEqualTo("ticket-8");
    for (JsonNode set : json.path("sets")) {
      boolean isBase = set.path("set").asText().equals("__base__");
      assertThat(set.path("modes")).as(set.toString()).isNotEmpty();
      assertThat(set.path("modes").toString().contains("base")).isEqualTo(isBase);
    }
    assertThat(json.at("/job/conf").asText())
        .contains("key=id", "options=[\n            password\n        ]")
        .doesNotContain("hunter2");

    assertThat(out.resolve(RunReport.FILE))
        .content()
        .contains("<b>ticket-3</b>", "no adapter is named &lt;script&gt;", "&lt;b&gt;&amp;</th>")
        .contains("<tr><th scope=\"row\" class=\"name\">batches</th>")
        .doesNotContain("<script", "hunter2", "${");
  }

  @Test
  void withoutAKeyRowsHaveTheirPlaces(@TempDir Path folder) throws IOException {
    Path out = score(folder, "input.key=null");
    assertThat(metrics(out).at("/examples/TEXT_NULL/0/row").asText())
        .matches("row 3 scored in partition \\d+");
  }

  @Test
  void downloadsAreCountedOnce(@TempDir Path folder) throws IOException {
    Path adapter = Files.createDirectories(folder.resolve("far"));
    long bytes = 0;
    for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
      byte[] file = Files.readAllBytes(Path.of(BASE, "adapters/qv", name));
      Files.write(adapter.resolve(name), file);
      bytes += file.length;
    }
    SESSION
        .spark()
        .sparkContext()
        .hadoopConfiguration()
        .set("fs.remote.impl", RemoteFileSystem.class.getName());
    System.setProperty("spark.hadoop.fs.remote.impl", RemoteFileSystem.class.getName());
    try {
      RemoteFileSystem.reset();
      Downloads.OF_THIS_JVM.take();
      String far = "adapters.qv=remote://host" + adapter;
      JsonNode first = metrics(score(folder, far));
      assertThat(first.at("/metrics/downloads").asLong()).isEqualTo(2);
      assertThat(first.at("/metrics/downloaded_bytes").asLong()).isEqualTo(bytes);
      JsonNode second = metrics(score(folder, far, "output.mode=overwrite"));
      assertThat(second.at("/metrics/downloads").asLong()).isZero();
    } finally {
      System.clearProperty("spark.hadoop.fs.remote.impl");
    }
  }

  @Test
  void aLongTimelineIsDrawnInFewSteps() {
    ArrayNode timeline = new ObjectMapper().createArrayNode();
    for (int i = 1; i <= 511; i++) {
      ObjectNode point = timeline.addObject();
      point.put("seconds", i * 0.5).put("rows", i < 300 ? 0 : (i - 299) * 1000);
    }
    String chart = new RateChart(timeline).toString();
    assertThat(chart)
        .contains("<desc id=\"rate-text\">212,000 rows in 256 seconds, 830 a second")
        .contains("and 2,000 at most.</desc>")
        .doesNotContain("NaN", "Infinity");
    assertThat(chart.split("<tr>")).hasSizeBetween(60, 122);
  }

  @Test
  void tasksThatFailDrawNothingBelowZero() {
    ArrayNode timeline = new ObjectMapper().createArrayNode();
    for (int rows : new int[] {100, 900, 300, 400}) {
      timeline.addObject().put("seconds", timeline.size() + 1.0).put("rows", rows);
    }
    assertThat(new RateChart(timeline).toString())
        .contains("400 rows in 5.0", "80 a second on average and 200 at most")
        .doesNotContain("\"-", " -");
  }

  @Test
  void usersOfUrisAreNotInTheJobsText(@TempDir Path folder) throws IOException {
    Path job = Files.writeString(folder.resolve("job.conf"), "medley { base = \"models/b\" }");
    String base = "base=https://hf_token@host/base";
    String far = "adapters={ a = \"ftp://me:p@ss@host/a\", b = { path = \"oss://KEY@b/a\" } }";
    assertThat(JobFile.read(job.toString(), List.of(base, far)).rendered())
        .contains("https://host/base", "ftp://host/a", "oss://b/a")
        .doesNotContain("hf_token", "ss@", "KEY");
  }

  @Test
  void aJobWithoutRowsHasAReport(@TempDir Path folder) throws IOException {
    Path rows = Files.writeString(folder.resolve("no.csv"), "id,text,adapter\n");
    Path out = score(folder, "input.path=" + rows, "input.format=csv", "input.options.header=true");
    assertThat(out.resolve(RunReport.FILE))
        .content()
        .contains("<h1>medley score ")
        .doesNotContain("NaN", "Infinity");
  }
}
