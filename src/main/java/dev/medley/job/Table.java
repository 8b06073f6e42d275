package dev.medley.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.Ansi.Style;

/**
 * Text in columns, at most {@link #WIDTH} wide: what is longer goes on in the next line. Plain but
 * on a terminal.
 */
public final class Table {
  /** Columns of a line. */
  static final int WIDTH = 100;

  private static final String GAP = "  ";

  private final List<Integer> limits;
  private final List<Line> rows = new ArrayList<>();

  /**
   * Cells, or one text across all columns.
   *
   * @param styles none for plain text
   */
  private record Line(List<String> cells, Style... styles) {}

  /** With the most that each column may take. */
  public Table(Integer... limits) {
    this.limits = List.of(limits);
  }

  /** The names of the columns: bold. */
  public void head(String... names) {
    rows.add(new Line(List.of(names), Style.bold));
  }

  /** A row; as many cells as columns. */
  public void row(String... cells) {
    rows.add(new Line(List.of(cells)));
  }

  /** A row of what is in order: green. */
  void good(String... cells) {
    rows.add(new Line(List.of(cells), Style.fg_green));
  }

  /** A row of what is not: red. */
  void bad(String... cells) {
    rows.add(new Line(List.of(cells), Style.fg_red));
  }

  /** A text below the last row, indented. */
  public void note(String text) {
    rows.add(new Line(List.of(text)));
  }

  /** The same of something that is wrong: red. */
  void problem(String text) {
    rows.add(new Line(List.of(text), Style.fg_red));
  }

  /** The whole of it; every line ends with a line break. */
  @Override
  public String toString() {
    return shown(Ansi.OFF);
  }

  /** The same for a terminal, if it is one. */
  String shown(Ansi terminal) {
    int columns = limits.size();
    int[] widths = new int[columns];
    for (Line row : rows) {
      for (int i = 0; i < columns && row.cells.size() == columns; i++) {
        widths[i] = Math.min(limits.get(i), Math.max(widths[i], row.cells.get(i).length()));
      }
    }
    StringBuilder text = new StringBuilder();
    for (Line row : rows) {
      StringBuilder lines = new StringBuilder();
      if (row.cells.size() == columns) {
        cells(row.cells, widths, lines);
      } else {
        lines.append(indented("    ", row.cells.get(0)));
      }
      text.append(terminal.enabled() ? painted(lines, row.styles) : lines);
    }
    return text.toString();
  }

  private static String painted(StringBuilder lines, Style[] styles) {
    return lines
        .toString()
        .lines()
        .map(line -> Style.on(styles) + line + (styles.length == 0 ? "" : Style.reset.on()) + "\n")
        .collect(Collectors.joining());
  }

  private static void cells(List<String> row, int[] widths, StringBuilder text) {
    List<List<String>> wrapped = new ArrayList<>();
    int lines = 1;
    for (int i = 0; i < widths.length; i++) {
      wrapped.add(wrap(row.get(i), widths[i]));
      lines = Math.max(lines, wrapped.get(i).size());
    }
    for (int line = 0; line < lines; line++) {
      StringBuilder whole = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        String cell = line < wrapped.get(i).size() ? wrapped.get(i).get(line) : "";
        whole.append(cell).append(" ".repeat(widths[i] - cell.length())).append(GAP);
      }
      text.append(whole.toString().stripTrailing()).append('\n');
    }
  }

  /** Paragraphs under an indent, two more from the second line on. */
  static String indented(String indent, String text) {
    StringBuilder lines = new StringBuilder();
    for (String paragraph : text.split("\n")) {
      String first = indent;
      for (String line : wrap(paragraph.strip(), WIDTH - indent.length() - 2)) {
        lines.append(first).append(line).append('\n');
        first = indent + "  ";
      }
    }
    return lines.toString();
  }

  /** Breaks at blanks; words that are too long behind a slash, else where they must. */
  static List<String> wrap(String text, int width) {
    List<String> lines = new ArrayList<>();
    String rest = text;
    while (rest.length() > width) {
      int blank = rest.lastIndexOf(' ', width);
      int slash = rest.lastIndexOf('/', width - 1) + 1;
      int end = blank > 0 ? blank : slash > 1 ? slash : width;
      lines.add(rest.substring(0, end).stripTrailing());
      rest = rest.substring(end).stripLeading();
    }
    lines.add(rest);
    return lines;
  }

  /** Such as {@code 24.1 KiB}. */
  static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    int power = (63 - Long.numberOfLeadingZeros(bytes)) / 10;
    double number = (double) bytes / (1L << (10 * power));
    return String.format(Locale.ROOT, "%.1f %siB", number, "KMGTPE".charAt(power - 1));
  }
}
