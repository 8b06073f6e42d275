package dev.medley.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Plain text in columns, at most {@link #WIDTH} wide: what is longer goes on in the next line. */
public final class Table {
  /** Columns of a line. */
  static final int WIDTH = 100;

  private static final String GAP = "  ";

  private final List<Integer> limits;
  private final List<List<String>> rows = new ArrayList<>();

  /** With the most that each column may take. */
  public Table(Integer... limits) {
    this.limits = List.of(limits);
  }

  /** A row; as many cells as columns. */
  public void row(String... cells) {
    rows.add(List.of(cells));
  }

  /** A text below the last row, indented. */
  public void note(String text) {
    rows.add(List.of(text));
  }

  /** The whole of it; every line ends with a line break. */
  @Override
  public String toString() {
    int columns = limits.size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int i = 0; i < columns && row.size() == columns; i++) {
        widths[i] = Math.min(limits.get(i), Math.max(widths[i], row.get(i).length()));
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      if (row.size() == columns) {
        cells(row, widths, text);
      } else {
        text.append(indented("    ", row.get(0)));
      }
    }
    return text.toString();
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
