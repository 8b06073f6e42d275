package dev.medley.job;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.engine.Metric;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * What a {@code score} job leaves in its output as {@code _report.html}: {@link RunMetrics} for
 * people, on one page that needs nothing beside it, neither a network nor a script.
 */
final class RunReport {
  /** The name of the file. */
  static final String FILE = "_report.html";

  /** Sets that are in sight at once. */
  private static final int SHOWN = 20;

  private final JsonNode metrics;

  /** Of all that {@link RunMetrics} wrote. */
  RunReport(JsonNode metrics) {
    this.metrics = metrics;
  }

  /** The whole page. */
  @Override
  public String toString() {
    String title = "medley score " + text("/job/file");
    String body =
        String.join(
            "\n",
            head(title),
            section("Rows a second", new RateChart(metrics.at("/timeline")).toString()),
            section("Plan and what happened", plan()),
            section("Adapter sets", sets()),
            section("Errors and warnings", errors()),
            section("Adapters and storage", storage().toString()),
            section("Executors and devices", devices().toString()),
            section("The job", job()),
            foot());
    return template().replace("${title}", Html.text(title)).replace("${body}", body);
  }

  private String head(String title) {
    long errors = sum("/errors");
    double seconds = metrics.at("/seconds").asDouble();
    StringBuilder head = new StringBuilder("<header>\n<h1>" + Html.text(title) + "</h1>\n");
    head.append(
        "<p class=\"soft\">%s under %s, to %s. "
            .formatted(of("/job/task"), of("/job/base"), of("/job/output/path")));
    head.append("Started %s.</p>\n<dl class=\"tiles\">\n".formatted(of("/started")));
    head.append(tile("rows", number(Metric.ROWS), ""));
    for (var count : metrics.at("/resumed").properties()) {
      String what = count.getKey().replace('_', ' ');
      head.append(tile(what, Html.number(count.getValue().asLong()), ""));
    }
    head.append(tile("in error", Html.number(errors), errors > 0 ? " class=\"bad\"" : ""));
    head.append(tile("seconds", Html.number(seconds), ""));
    head.append(tile("rows/s", Html.number(count(Metric.ROWS) / Math.max(seconds, 1e-3)), ""));
    head.append(tile("tokens", number(Metric.TOKENS), ""));
    head.append(tile("adapters loaded", number(Metric.ADAPTER_LOADS), ""));
    return head + "</dl>\n</header>";
  }

  private static String tile(String what, String figure, String kind) {
    return "<div%s><dt>%s</dt><dd>%s</dd></div>\n".formatted(kind, what, figure);
  }

  private String plan() {
    StringBuilder plan = new StringBuilder();
    JsonNode affinity = metrics.at("/plan/affinity");
    if (affinity.isTextual()) {
      plan.append("<p>Rows moved to their adapters: ").append(Html.text(affinity.asText()));
      plan.append(".</p>\n");
    }
    JsonNode forecast = metrics.at("/plan/forecast");
    HtmlTable table = new HtmlTable("Through the model", "=passes", "#planned", "#happened");
    String batches = forecast.isObject() ? Html.number(forecast.path("batches").asLong()) : "–";
    table.row("batches", batches, number(Metric.FORWARDS));
    table.row("base alone", "", number(Metric.FORWARDS_BASE));
    table.row("with shares added", "", number(Metric.FORWARDS_ADDED));
    table.row("with weights merged for a run", "", number(Metric.FORWARDS_MERGED));
    table.row("with weights merged for each product", "", number(Metric.FORWARDS_SCRATCH));
    table.row("seconds of them", planned(forecast), seconds(Metric.FORWARD_MS));
    table.row("places of padding", "", number(Metric.PADDING_TOKENS));
    plan.append(table);
    plan.append("<p class=\"soft\">A pass with rows of several modes counts for each. ");
    plan.append(
        forecast.isObject()
            ? "Seconds are planned for linear layers, by a measurement of the processor; attention,"
                + " heads and tokens come on top.</p>\n"
            : "A driver that is not where rows are scored plans no seconds.</p>\n");
    return plan.toString();
  }

  private static String planned(JsonNode forecast) {
    if (!forecast.isObject()) {
      return "–";
    }
    return Html.number(
        forecast.path("seconds_of_base").asDouble()
            + forecast.path("seconds_of_changes").asDouble());
  }

  private String sets() {
    Map<String, JsonNode> planned = new TreeMap<>();
    for (JsonNode set : metrics.at("/plan/forecast/sets")) {
      planned.put(set.path("set").asText(), set);
    }
    JsonNode all = metrics.at("/sets");
    long most = 1;
    for (JsonNode set : all) {
      most = Math.max(most, set.path("ms").asLong());
    }
    HtmlTable first = setTable();
    HtmlTable others = setTable();
    for (int i = 0; i < all.size(); i++) {
      JsonNode set = all.get(i);
      String name = set.path("set").asText();
      String mode = planned.containsKey(name) ? planned.get(name).path("mode").asText("–") : "–";
      set(i < SHOWN ? first : others, Html.text(name), set, Html.text(mode), most);
    }
    JsonNode rest = metrics.at("/other_sets");
    if (rest.path("tokens").asLong() > 0) {
      set(all.size() < SHOWN ? first : others, "all others", rest, "–", most);
    }
    return all.size() > SHOWN
        ? first + "<details><summary>More sets</summary>\n" + others + "</details>\n"
        : first.toString();
  }

  private static HtmlTable setTable() {
    return new HtmlTable(
        "Those with the most tokens first; ms are of passes, shared by tokens",
        "=set",
        "#rows",
        "#tokens",
        "mode planned",
        "mode used",
        "#ms",
        "share of the most");
  }

  private static void set(HtmlTable table, String name, JsonNode set, String mode, long most) {
    String modes =
        StreamSupport.stream(set.path("modes").spliterator(), false)
            .map(JsonNode::asText)
            .collect(Collectors.joining(", "));
    table.row(
        name,
        Html.number(set.path("rows").asLong()),
        Html.number(set.path("tokens").asLong()),
        mode,
        Html.text(modes.isEmpty() ? "–" : modes),
        Html.number(set.path("ms").asLong()),
        Html.bar((double) set.path("ms").asLong() / most));
  }

  private String errors() {
    if (metrics.at("/errors").isEmpty() && metrics.at("/warnings").isEmpty()) {
      return "<p>None.</p>\n";
    }
    HtmlTable table = new HtmlTable("Rows by code", "=code", "#rows", "#share", "such as");
    codes("/errors", "bad", table);
    codes("/warnings", "warn", table);
    return table.toString();
  }

  private void codes(String pointer, String kind, HtmlTable table) {
    Iterator<String> codes = metrics.at(pointer).fieldNames();
    while (codes.hasNext()) {
      String code = codes.next();
      long rows = metrics.at(pointer).path(code).asLong();
      StringBuilder examples = new StringBuilder();
      for (JsonNode example : metrics.at("/examples").path(code)) {
        examples.append("<p><b>").append(Html.text(example.path("row").asText())).append("</b> ");
        examples.append(Html.text(example.path("message").asText())).append("</p>");
      }
      table.row(
          "<span class=\"%s\">%s</span>".formatted(kind, Html.text(code)),
          Html.number(rows),
          Html.number(100.0 * rows / Math.max(1, count(Metric.ROWS))) + " %",
          examples.toString());
    }
  }

  private HtmlTable storage() {
    HtmlTable table = new HtmlTable("Of all executors", "=what", "#sum");
    table.row("adapters read", number(Metric.ADAPTER_LOADS));
    table.row("their tensors", Html.bytes(count(Metric.ADAPTER_BYTES)));
    table.row("seconds that rows waited for them", seconds(Metric.ADAPTER_LOAD_MS));
    table.row("adapters and sets found in memory", number(Metric.ADAPTER_HITS));
    table.row("adapters and sets evicted", number(Metric.ADAPTER_EVICTIONS));
    table.row("files downloaded", number(Metric.DOWNLOADS));
    table.row("bytes downloaded", Html.bytes(count(Metric.DOWNLOADED_BYTES)));
    return table;
  }

  private HtmlTable devices() {
    HtmlTable table =
        new HtmlTable(
            "Rows by where they were scored", "executor", "host", "device", "#rows", "share");
    double rows = Math.max(1, count(Metric.ROWS));
    for (JsonNode device : metrics.at("/devices")) {
      long here = device.path("rows").asLong();
      table.row(
          Html.text(device.path("executor").asText()),
          Html.text(device.path("host").asText()),
          Html.text(device.path("device").asText()),
          Html.number(here),
          Html.bar(here / rows));
    }
    return table;
  }

  private String job() {
    return "<p class=\"soft\">With what the command line said; without passwords and the values of"
        + " options.</p>\n<pre>"
        + of("/job/conf").strip()
        + "</pre>\n";
  }

  private String foot() {
    return """
    <footer><p>Medley %s, Spark %s, Java %s; application %s on %s. The same for programs: \
    <a href="%s">%6$s</a>.</p></footer>"""
        .formatted(
            of("/versions/medley"),
            of("/versions/spark"),
            of("/versions/java"),
            of("/application"),
            of("/master"),
            RunMetrics.FILE);
  }

  private static String section(String heading, String content) {
    return "<section>\n<h2>" + heading + "</h2>\n" + content + "</section>";
  }

  private long sum(String pointer) {
    long sum = 0;
    for (JsonNode count : metrics.at(pointer)) {
      sum += count.asLong();
    }
    return sum;
  }

  private String of(String pointer) {
    return Html.text(text(pointer));
  }

  private String text(String pointer) {
    return metrics.at(pointer).asText();
  }

  private String number(Metric metric) {
    return Html.number(count(metric));
  }

  private String seconds(Metric ofMillis) {
    return Html.number(count(ofMillis) / 1000.0);
  }

  private long count(Metric metric) {
    return metrics.at("/metrics").path(metric.word()).asLong();
  }

  private static String template() {
    try (InputStream in = RunReport.class.getResourceAsStream("report.html")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
