package dev.medley.notebook;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/**
 * Points in two dimensions, each group with a colour and a shape of its own. Axes without names are
 * not drawn: those of an embedding map mean nothing.
 */
public final class ScatterChart implements Showable {
  private static final int LEFT = 70;
  private static final int TOP = 44;
  private static final int WIDTH = 430;
  private static final int HEIGHT = 300;

  private final String title;
  private final Map<String, List<Point>> groups = new LinkedHashMap<>();
  private Axis x = new Axis(null, false);
  private Axis y = new Axis(null, false);

  private record Point(double x, double y, String name) {}

  /** Without points yet. */
  public ScatterChart(String title) {
    this.title = title;
  }

  /** Names of what is measured, with the unit. */
  public ScatterChart axes(String xName, String yName) {
    x = new Axis(xName, x.isLogarithmic());
    y = new Axis(yName, y.isLogarithmic());
    return this;
  }

  /** Powers of ten at equal distances on both axes; all numbers above 0. */
  public ScatterChart logarithmic() {
    x = new Axis(x.name(), true);
    y = new Axis(y.name(), true);
    return this;
  }

  /** One point of a group; {@code name} pops up over it, null for none. */
  public ScatterChart point(String group, double atX, double atY, String name) {
    groups.computeIfAbsent(group, none -> new ArrayList<>()).add(new Point(atX, atY, name));
    return this;
  }

  @Override
  public Map<String, String> mime() {
    return svg().mime();
  }

  /** As it is now. */
  public Svg svg() {
    if (groups.isEmpty()) {
      throw new IllegalStateException("chart " + title + ": expected points, found none");
    }
    List<Point> all = groups.values().stream().flatMap(List::stream).toList();
    Axis.Scale across = x.scale(all.stream().mapToDouble(Point::x).toArray());
    Axis.Scale up = y.scale(all.stream().mapToDouble(Point::y).toArray());
    int left = y.name() == null ? 20 : LEFT;
    int below = x.name() == null ? 16 : 52;
    double legend = groups.keySet().stream().mapToDouble(Drawing::width).max().orElseThrow() + 40;
    Drawing drawing = new Drawing(left + WIDTH + 20 + legend, TOP + HEIGHT + below, title);
    if (x.name() != null) {
      axes(drawing, left, across, up);
    }
    int group = 0;
    for (Map.Entry<String, List<Point>> each : groups.entrySet()) {
      for (Point point : each.getValue()) {
        drawing.mark(
            left + across.share(point.x) * WIDTH,
            TOP + HEIGHT - up.share(point.y) * HEIGHT,
            group,
            point.name);
      }
      double row = TOP + 12 + 20 * group;
      drawing.mark(left + WIDTH + 26, row - 4, group, null);
      drawing.text(left + WIDTH + 38, row, each.getKey(), "start", "");
      group++;
    }
    StringJoiner text = new StringJoiner("\n");
    groups.forEach((name, points) -> text.add(name + ": " + points.size() + " points"));
    return drawing.svg(text.toString());
  }

  private void axes(Drawing drawing, int left, Axis.Scale across, Axis.Scale up) {
    for (double tick : across.ticks()) {
      double at = left + across.share(tick) * WIDTH;
      drawing.line(at, TOP, at, TOP + HEIGHT, Drawing.FAINT);
      drawing.text(at, TOP + HEIGHT + 16, Axis.text(tick), "middle", "");
    }
    for (double tick : up.ticks()) {
      double at = TOP + HEIGHT - up.share(tick) * HEIGHT;
      drawing.line(left, at, left + WIDTH, at, Drawing.FAINT);
      drawing.text(left - 6, at + 4, Axis.text(tick), "end", "");
    }
    drawing.text(left + WIDTH / 2.0, TOP + HEIGHT + 38, x.name(), "middle", "");
    double middle = TOP + HEIGHT / 2.0;
    String turned = "transform=\"rotate(-90 18 " + Math.round(middle) + ")\"";
    drawing.text(18, middle, y.name(), "middle", turned);
  }
}
