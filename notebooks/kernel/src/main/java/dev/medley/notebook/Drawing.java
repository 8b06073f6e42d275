package dev.medley.notebook;

import java.util.List;
import java.util.Locale;

/**
 * An SVG document that is being drawn. It has a light ground of its own, so that it reads on light
 * and dark pages, and says all by attributes, since some pages take styles away.
 */
final class Drawing {
  /** Okabe and Ito's colours, which people with any colour vision tell apart, and two more. */
  private static final List<String> COLOURS =
      List.of(
          "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#332288", "#999933",
          "#882255", "#777777");

  static final String INK = "#24292f";
  static final String FAINT = "#d0d7de";

  /** Pixels that a character takes, about. */
  static final double CHARACTER = 7;

  private final StringBuilder xml = new StringBuilder();
  private final String title;

  Drawing(double width, double height, String title) {
    this.title = title;
    xml.append(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" height=\"%s\""
                .formatted(Math.round(width), Math.round(height)))
        .append(
            " viewBox=\"0 0 %s %s\" font-family=\"sans-serif\""
                .formatted(Math.round(width), Math.round(height)))
        .append(" font-size=\"12\" role=\"img\">\n<title>")
        .append(Html.escape(title))
        .append("</title>\n");
    xml.append(
        "<rect x=\"0.5\" y=\"0.5\" width=\"%s\" height=\"%s\" rx=\"6\" fill=\"#ffffff\" stroke=\"%s\"/>\n"
            .formatted(Math.round(width - 1), Math.round(height - 1), FAINT));
    text(16, 26, title, "start", "font-weight=\"bold\" font-size=\"14\"");
  }

  /** By number; they begin anew after ten. */
  static String colour(int number) {
    return COLOURS.get(number % COLOURS.size());
  }

  void line(double x1, double y1, double x2, double y2, String colour) {
    xml.append(
        "<line x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\" stroke=\"%s\"/>\n"
            .formatted(at(x1), at(y1), at(x2), at(y2), colour));
  }

  /** {@code opacity} from 0 to 1. */
  void box(double x, double y, double width, double height, String colour, double opacity) {
    xml.append(
        "<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" fill=\"%s\"%s/>\n"
            .formatted(
                at(x),
                at(y),
                at(width),
                at(height),
                colour,
                opacity == 1 ? "" : String.format(Locale.ROOT, " fill-opacity=\"%.2f\"", opacity)));
  }

  /** One of five shapes, by the group's number, in its colour; {@code name} pops up over it. */
  void mark(double x, double y, int group, String name) {
    double r = 4;
    String shape =
        switch (group % 5) {
          case 0 -> "<circle cx=\"%s\" cy=\"%s\" r=\"4\"".formatted(at(x), at(y));
          case 1 -> polygon(x - r, y - r, x + r, y - r, x + r, y + r, x - r, y + r);
          case 2 -> polygon(x, y - r, x + r, y + r, x - r, y + r);
          case 3 -> polygon(x, y - r - 1, x + r + 1, y, x, y + r + 1, x - r - 1, y);
          default -> polygon(x - r, y - r, x + r, y - r, x, y + r);
        };
    xml.append(shape)
        .append(" fill=\"%s\" fill-opacity=\"0.75\"".formatted(colour(group)))
        .append(name == null ? "/>\n" : "><title>" + Html.escape(name) + "</title>" + end(group));
  }

  private static String end(int group) {
    return group % 5 == 0 ? "</circle>\n" : "</polygon>\n";
  }

  private static String polygon(double... points) {
    StringBuilder text = new StringBuilder("<polygon points=\"");
    for (int i = 0; i < points.length; i += 2) {
      text.append(i == 0 ? "" : " ").append(at(points[i])).append(',').append(at(points[i + 1]));
    }
    return text.append('"').toString();
  }

  /** {@code anchor} is start, middle or end; {@code more} attributes, or empty. */
  void text(double x, double y, String text, String anchor, String more) {
    xml.append(
        "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\" fill=\"%s\"%s>%s</text>\n"
            .formatted(
                at(x),
                at(y),
                anchor,
                more.contains("fill=") ? "" : INK,
                more.isEmpty() ? "" : " " + more,
                Html.escape(text))
            .replace(" fill=\"\"", ""));
  }

  /** The whole; {@code text} says the same in words. */
  Svg svg(String text) {
    return new Svg(xml + "</svg>", title + "\n" + text);
  }

  static double width(String text) {
    return text.length() * CHARACTER;
  }

  private static String at(double pixels) {
    return String.format(Locale.ROOT, "%.1f", pixels).replaceFirst("\\.0$", "");
  }
}
