package dev.medley.notebook;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;

/** Lying bars from 0, each with its number, in the colour of its kind. */
public final class BarChart implements Showable {
  private static final int TOP = 44;
  private static final int WIDTH = 360; // of the longest bar
  private static final int ROW = 26;

  private final String title;
  private final String unit;
  private final List<Bar> bars = new ArrayList<>();

  private record Bar(String label, String kind, double value) {}

  /**
   * Without bars yet.
   *
   * @param unit behind each number, such as {@code rows/s}; empty for none
   */
  public BarChart(String title, String unit) {
    this.title = title;
    this.unit = unit;
  }

  /** One more bar, of the only kind. */
  public BarChart bar(String label, double value) {
    return bar(label, "", value);
  }

  /** One more bar; bars of a kind have a colour, which the legend names. */
  public BarChart bar(String label, String kind, double value) {
    if (!(value >= 0)) {
      throw new IllegalArgumentException(
          "bar " + label + ": expected a number from 0 on, got " + value);
    }
    bars.add(new Bar(label, kind, value));
    return this;
  }

  @Override
  public Map<String, String> mime() {
    return svg().mime();
  }

  /** As it is now. */
  public Svg svg() {
    if (bars.isEmpty()) {
      throw new IllegalStateException("chart " + title + ": expected bars, found none");
    }
    List<String> kinds = bars.stream().map(Bar::kind).distinct().toList();
    boolean hasLegend = kinds.size() > 1;
    double left =
        32 + bars.stream().mapToDouble(bar -> Drawing.width(bar.label)).max().orElseThrow();
    double most = bars.stream().mapToDouble(Bar::value).max().orElseThrow();
    double right =
        24 + bars.stream().mapToDouble(bar -> Drawing.width(text(bar))).max().orElseThrow();
    double legend = kinds.stream().mapToDouble(kind -> 40 + Drawing.width(kind)).sum();
    double width =
        Math.max(
            left + Math.max(WIDTH + right, hasLegend ? legend : 0),
            40 + Drawing.width(title) * 1.2);
    double height = TOP + ROW * bars.size() + (hasLegend ? 40 : 14);
    Drawing drawing = new Drawing(width, height, title);
    StringJoiner words = new StringJoiner("\n");
    for (int i = 0; i < bars.size(); i++) {
      Bar bar = bars.get(i);
      double y = TOP + i * ROW;
      double length = most == 0 ? 0 : bar.value / most * WIDTH;
      drawing.text(left - 8, y + 15, bar.label, "end", "");
      drawing.box(
          left, y + 2, Math.max(length, 1), ROW - 7, Drawing.colour(kinds.indexOf(bar.kind)), 1);
      drawing.text(left + length + 6, y + 15, text(bar), "start", "");
      words.add(bar.label + ": " + text(bar) + (hasLegend ? ", " + bar.kind : ""));
    }
    if (hasLegend) {
      double x = left;
      for (String kind : kinds) {
        drawing.box(x, height - 26, 12, 12, Drawing.colour(kinds.indexOf(kind)), 1);
        drawing.text(x + 18, height - 16, kind, "start", "");
        x += 40 + Drawing.width(kind);
      }
    }
    return drawing.svg(words.toString());
  }

  private String text(Bar bar) {
    String number =
        bar.value == Math.rint(bar.value) || bar.value >= 1000
            ? String.format(Locale.ROOT, "%,.0f", bar.value)
            : String.format(Locale.ROOT, bar.value >= 10 ? "%.1f" : "%.3f", bar.value);
    return unit.isEmpty() ? number : number + " " + unit;
  }
}
