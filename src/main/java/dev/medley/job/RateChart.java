package dev.medley.job;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Rows a second over the time of a job: a picture, what it shows in words, and the numbers. */
final class RateChart {
  private static final int WIDTH = 560;
  private static final int HEIGHT = 200;
  private static final int LEFT = 58;
  private static final int RIGHT = 16;
  private static final int TOP = 26;
  private static final int BOTTOM = 34;

  /** Steps of the curve. */
  private static final int MOST = 120;

  /** Rows that came between two moments. */
  private record Step(double from, double to, long rows) {
    double rate() {
      return rows / (to - from);
    }
  }

  private final List<Step> steps;

  /**
   * Of a job's points.
   *
   * @param timeline of {@link RunMetrics}: seconds, and rows until then
   */
  RateChart(JsonNode timeline) {
    steps = steps(timeline);
  }

  private static List<Step> steps(JsonNode timeline) {
    long[] rows = new long[timeline.size()];
    for (int i = rows.length - 1; i >= 0; i--) { // a task that fails takes its rows back
      long here = timeline.get(i).path("rows").asLong();
      rows[i] = i + 1 < rows.length ? Math.min(here, rows[i + 1]) : here;
    }
    int together = (timeline.size() + MOST - 1) / MOST;
    List<Step> steps = new ArrayList<>();
    double seconds = 0;
    long before = 0;
    for (int i = 0; i < timeline.size(); i++) {
      JsonNode point = timeline.get(i);
      double to = point.path("seconds").asDouble();
      boolean isLast = i + 1 == timeline.size();
      if (to > seconds && (isLast || (i + 1) % together == 0)) {
        steps.add(new Step(seconds, to, rows[i] - before));
        seconds = to;
        before = rows[i];
      }
    }
    return steps;
  }

  /** The picture, with what it shows in words beside it. */
  @Override
  public String toString() {
    if (steps.isEmpty()) {
      return "<p>The job ended before anything could be counted.</p>\n";
    }
    double end = steps.get(steps.size() - 1).to;
    double most = steps.stream().mapToDouble(Step::rate).max().orElse(0);
    double top = nice(most);
    StringBuilder svg = new StringBuilder();
    svg.append(
        "<svg viewBox=\"0 0 %s %s\" role=\"img\" aria-labelledby=\"rate-title rate-text\">\n"
            .formatted(WIDTH, HEIGHT));
    svg.append("<title id=\"rate-title\">Rows a second over time</title>\n");
    svg.append("<desc id=\"rate-text\">").append(words(end, most)).append("</desc>\n");
    for (int i = 0; i <= 2; i++) {
      double rate = top * i / 2;
      svg.append(
          "<line class=\"grid\" x1=\"%s\" x2=\"%s\" y1=\"%s\" y2=\"%3$s\"/>"
              .formatted(LEFT, WIDTH - RIGHT, at(y(rate, top))));
      svg.append(label(LEFT - 8, y(rate, top) + 4, "end", shown(rate)));
    }
    svg.append(label(LEFT, TOP - 10, "start", "rows/s"));
    svg.append(label(LEFT, HEIGHT - 10, "start", "0 s"));
    svg.append(label(WIDTH - RIGHT, HEIGHT - 10, "end", shown(end) + " s")).append('\n');
    String curve = curve(end, top);
    svg.append(
        "<path class=\"area\" d=\"M%s %s %s L%s %2$s Z\"/>\n"
            .formatted(at(LEFT), at(y(0, top)), curve.replaceFirst("M", "L"), at(x(end, end))));
    svg.append("<path class=\"curve\" d=\"%s\"/>\n</svg>\n".formatted(curve));
    return svg + "<details><summary>The same as a table</summary>\n" + table() + "</details>\n";
  }

  private String curve(double end, double top) {
    StringBuilder curve = new StringBuilder();
    for (Step step : steps) {
      String y = at(y(step.rate(), top));
      curve.append(curve.isEmpty() ? 'M' : 'L').append(at(x(step.from, end))).append(' ').append(y);
      curve.append(" L").append(at(x(step.to, end))).append(' ').append(y).append(' ');
    }
    return curve.toString().strip();
  }

  private HtmlTable table() {
    HtmlTable table =
        new HtmlTable("Rows a second, by time", "#from s", "#to s", "#rows", "#rows/s");
    for (Step step : steps) {
      table.row(
          Html.number(step.from),
          Html.number(step.to),
          Html.number(step.rows),
          Html.number(step.rate()));
    }
    return table;
  }

  private String words(double end, double most) {
    long rows = steps.stream().mapToLong(Step::rows).sum();
    return "%s rows in %s seconds, %s a second on average and %s at most."
        .formatted(Html.grouped(rows), shown(end), shown(rows / end), shown(most));
  }

  private static double x(double seconds, double end) {
    return LEFT + (WIDTH - LEFT - RIGHT) * seconds / end;
  }

  private static double y(double rate, double top) {
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / top;
  }

  private static String label(double x, double y, String anchor, String text) {
    return "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>"
        .formatted(at(x), at(y), anchor, text);
  }

  /** The next of 1, 2, 4, 10, 20, …. */
  private static double nice(double most) {
    double power = Math.pow(10, Math.floor(Math.log10(Math.max(most, 1e-3))));
    for (double factor : new double[] {1, 2, 4}) {
      if (most <= factor * power) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  private static String at(double place) {
    return String.format(Locale.ROOT, "%.1f", place);
  }

  private static String shown(double number) {
    return String.format(Locale.ROOT, number >= 10 || number == 0 ? "%,.0f" : "%.2g", number);
  }
}
