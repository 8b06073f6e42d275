package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.engine.Metric;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The page that a job leaves, as Chromium shows it. */
@Tag("browser")
class RunReportInChromiumTest {
  @RegisterExtension static final JobSession SESSION = new JobSession();

  /** A row of a table with its figures. */
  private static final Pattern ROW =
      Pattern.compile("<tr><th scope=\"row\"[^>]*>(.*?)</th>(.*?)</tr>");

  private static final Pattern TILE =
      Pattern.compile("<dt>([^<]*)</dt><dd><data value=\"([^\"]*)\">");

  private static final Pattern FIGURE = Pattern.compile("<data value=\"([^\"]*)\">([^<]*)</data>");

  /** What a page says of itself, once it is laid out. */
  private static final String ASKING =
      """
      <script>addEventListener("load", () => {
        const root = document.documentElement;
        root.dataset.overflow = root.scrollWidth - innerWidth;
        root.dataset.width = innerWidth;
        root.dataset.page = getComputedStyle(document.body).backgroundColor;
        root.dataset.smallest = Math.min(...[...document.querySelectorAll("svg text")]
          .map(text => text.getBoundingClientRect().height));
        root.dataset.unnamed = document.querySelectorAll("svg:not([aria-labelledby])").length
          + document.querySelectorAll("table:not(:has(caption))").length;
        root.dataset.loaded = performance.getEntriesByType("resource").length;
      })</script></body>""";

  @TempDir static Path folder;
  private static Path out;

  @BeforeAll
  static void score() throws IOException {
    out = RunReportTest.score(folder);
  }

  /** What it says on its standard error is in the second. */
  private record Shown(String dom, String console) {}

  private static Shown show(Path page, String... options) throws Exception {
    File dom = folder.resolve("dom.html").toFile();
    File log = folder.resolve("chromium.log").toFile();
    List<String> command = new ArrayList<>();
    command.add(System.getenv().getOrDefault("CHROMIUM", "chromium"));
    command.addAll(List.of("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"));
    command.addAll(List.of("--disable-background-networking", "--disable-component-update"));
    command.addAll(List.of("--disable-sync", "--disable-quic", "--enable-logging=stderr"));
    command.add("--user-data-dir=" + Files.createTempDirectory(folder, "chromium"));
    command.addAll(List.of(options));
    command.addAll(List.of("--dump-dom", page.toUri().toString()));
    Process chromium = new ProcessBuilder(command).redirectOutput(dom).redirectError(log).start();
    assertThat(chromium.waitFor(3, TimeUnit.MINUTES)).isTrue();
    assertThat(chromium.exitValue()).as(Files.readString(log.toPath())).isZero();
    List<String> console =
        Files.readAllLines(log.toPath()).stream().filter(line -> line.contains("CONSOLE")).toList();
    return new Shown(Files.readString(dom.toPath()), String.join("\n", console));
  }

  /** The page in a frame of that size: a window of Chromium is never narrower than 500 pixels. */
  private static Path framed(int width, int height) throws IOException {
    String page = Files.readString(out.resolve(RunReport.FILE)).replace("</body>", ASKING);
    String frame =
        """
        <body><iframe id="frame" style="width:%dpx;height:%dpx;border:0" srcdoc="%s"></iframe>
        <script>frame.onload = () => Object.assign(document.documentElement.dataset,
          frame.contentDocument.documentElement.dataset)</script></body>
        """
            .formatted(width, height, Html.text(page));
    return Files.writeString(folder.resolve("framed.html"), frame);
  }

  @Test
  void itsFiguresAreThoseOfTheMetrics() throws Exception {
    assertThat(show(out.resolve(RunReport.FILE)).console).isEmpty();
    ObjectNode json = (ObjectNode) RunReportTest.metrics(out);
    assertThat(out.resolve(RunReport.FILE)).hasContent(new RunReport(json).toString());
    int number = 1000;
    for (Metric metric : Metric.values()) { // no two the same
      json.withObject("/metrics").put(metric.word(), number += 1009);
    }
    Shown shown = show(Files.writeString(folder.resolve("numbers.html"), "" + new RunReport(json)));
    assertThat(shown.console).isEmpty();
    Map<String, List<String>> figures = new HashMap<>();
    Matcher rows = ROW.matcher(shown.dom);
    while (rows.find()) {
      List<String> values = new ArrayList<>();
      Matcher figure = FIGURE.matcher(rows.group(2));
      while (figure.find()) {
        values.add(figure.group(1));
        if (figure.group(1).matches("\\d+") && !figure.group(2).contains("B")) {
          assertThat(figure.group(2).replace(",", "")).isEqualTo(figure.group(1));
        }
      }
      figures.put(rows.group(1), values);
    }
    Map.of(
            "base alone", "forwards_base",
            "with shares added", "forwards_added",
            "with weights merged for a run", "forwards_merged",
            "with weights merged for each product", "forwards_scratch",
            "places of padding", "padding_tokens",
            "adapters read", "adapter_loads",
            "their tensors", "adapter_bytes",
            "adapters and sets found in memory", "adapter_hits",
            "adapters and sets evicted", "adapter_evictions",
            "files downloaded", "downloads")
        .forEach(
            (label, metric) ->
                assertThat(figures.get(label))
                    .as(label)
                    .containsExactly(json.at("/metrics/" + metric).asText()));
    assertThat(figures.get("batches"))
        .containsExactly(
            json.at("/plan/forecast/batches").asText(), json.at("/metrics/forwards").asText());
    assertThat(json.path("sets")).isNotEmpty();
    for (JsonNode set : json.path("sets")) {
      String name = set.path("set").asText().replace("&", "&amp;").replace("<", "&lt;");
      assertThat(figures.get(name.replace(">", "&gt;")))
          .as(name)
          .containsExactly(
              set.path("rows").asText(), set.path("tokens").asText(), set.path("ms").asText());
    }
    json.path("errors")
        .properties()
        .forEach(
            error ->
                assertThat(figures.get("<span class=\"bad\">" + error.getKey() + "</span>"))
                    .startsWith(error.getValue().asText()));
    assertThat(figures.get("bytes downloaded"))
        .containsExactly(json.at("/metrics/downloaded_bytes").asText());
    assertThat(figures.get("seconds that rows waited for them"))
        .containsExactly("" + json.at("/metrics/adapter_load_ms").asLong() / 1000.0);
    assertThat(figures.get("seconds of them"))
        .hasSize(2)
        .last()
        .isEqualTo("" + json.at("/metrics/forward_ms").asLong() / 1000.0);
    Map<String, String> tiles = new HashMap<>();
    Matcher tile = TILE.matcher(shown.dom);
    while (tile.find()) {
      tiles.put(tile.group(1), tile.group(2));
    }
    double seconds = json.path("seconds").asDouble();
    assertThat(tiles)
        .hasSize(6)
        .containsEntry("rows", json.at("/metrics/rows").asText())
        .containsEntry("in error", "9")
        .containsEntry("seconds", "" + seconds)
        .containsEntry("rows/s", "" + json.at("/metrics/rows").asLong() / seconds)
        .containsEntry("tokens", json.at("/metrics/tokens").asText())
        .containsEntry("adapters loaded", json.at("/metrics/adapter_loads").asText());
    assertThat(figures.get("driver")).containsExactly(json.at("/devices/0/rows").asText());
  }

  @ParameterizedTest
  @CsvSource({
    "390,844,1,'rgb(251, 251, 250)'",
    "1280,900,1,'rgb(251, 251, 250)'",
    "390,844,0,'rgb(20, 23, 27)'"
  })
  void itFitsAPhoneAndADeskInLightAndDark(int width, int height, int scheme, String page)
      throws Exception {
    Shown shown = show(framed(width, height), "--blink-settings=preferredColorScheme=" + scheme);
    assertThat(shown.console).isEmpty();
    assertThat(shown.dom)
        .contains("data-page=\"" + page + "\"")
        .contains("data-unnamed=\"0\"", "data-loaded=\"0\"");
    assertThat(said(shown, "width")).isEqualTo("" + width);
    assertThat(Integer.parseInt(said(shown, "overflow"))).isLessThanOrEqualTo(0);
    assertThat(Double.parseDouble(said(shown, "smallest"))).isGreaterThanOrEqualTo(12);
  }

  /** So that a silent console means something. */
  @Test
  void aFaultOnAPageIsSeen() throws Exception {
    Path broken = folder.resolve("broken.html");
    Files.writeString(broken, "<body><script>nobody.there()</script></body>");
    assertThat(show(broken).console).contains("nobody is not defined");
  }

  private static String said(Shown shown, String what) {
    Matcher matcher = Pattern.compile("data-" + what + "=\"([^\"]*)\"").matcher(shown.dom);
    assertThat(matcher.find()).as(what).isTrue();
    return matcher.group(1);
  }
}
