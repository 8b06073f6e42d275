package dev.medley.notebook;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import scala.collection.JavaConverters;

/**
 * Rows under names of columns. Numbers with a fraction have three decimals, long texts and arrays
 * are cut, and say so by {@code …}.
 */
public final class Table implements Showable {
  /** Rows of a Dataset that are shown unless it is said otherwise. */
  public static final int ROWS = 20;

  private static final int TEXT = 100; // characters of a cell
  private static final int ELEMENTS = 4; // of an array

  private final List<String> columns;
  private final List<List<Object>> rows = new ArrayList<>();
  private boolean isCut;

  private Table(List<String> columns) {
    this.columns = List.copyOf(columns);
  }

  /** Without rows yet. */
  public static Table columns(String... names) {
    return new Table(List.of(names));
  }

  /** The first rows of a Dataset, which is computed for that. */
  public static Table of(Dataset<?> data, int most) {
    Table table = new Table(Arrays.asList(data.columns()));
    List<Row> first = data.toDF().takeAsList(most + 1);
    for (Row row : first.subList(0, Math.min(most, first.size()))) {
      List<Object> cells = new ArrayList<>();
      for (int i = 0; i < row.size(); i++) {
        cells.add(row.get(i));
      }
      table.rows.add(cells);
    }
    table.isCut = first.size() > most;
    return table;
  }

  /** One more row, as many cells as columns; a cell may be null. */
  public Table row(Object... cells) {
    if (cells.length != columns.size()) {
      throw new IllegalArgumentException(
          "row: expected " + columns.size() + " cells, " + columns + ", got " + cells.length);
    }
    rows.add(Arrays.asList(cells));
    return this;
  }

  @Override
  public Map<String, String> mime() {
    return Map.of("text/html", html(), "text/plain", toString());
  }

  private String html() {
    StringBuilder html = new StringBuilder("<table>\n<thead><tr>");
    for (String column : columns) {
      html.append("<th style=\"text-align:left\">").append(Html.escape(column)).append("</th>");
    }
    html.append("</tr></thead>\n<tbody>\n");
    for (List<Object> row : rows) {
      html.append("<tr>");
      for (Object cell : row) {
        html.append(
            cell instanceof Number
                ? "<td style=\"text-align:right\">"
                : "<td style=\"text-align:left\">");
        html.append(Html.escape(text(cell))).append("</td>");
      }
      html.append("</tr>\n");
    }
    html.append("</tbody>\n</table>");
    return isCut ? html + "\n<p>… the first " + rows.size() + " rows</p>" : html.toString();
  }

  /** In columns, for who cannot show HTML. */
  @Override
  public String toString() {
    List<List<String>> lines = new ArrayList<>();
    lines.add(columns);
    rows.forEach(row -> lines.add(row.stream().map(Table::text).toList()));
    int[] widths = new int[columns.size()];
    for (List<String> line : lines) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], line.get(i).length());
      }
    }
    StringJoiner text = new StringJoiner("\n");
    for (List<String> line : lines) {
      StringBuilder padded = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        padded.append(line.get(i)).append(" ".repeat(widths[i] - line.get(i).length() + 2));
      }
      text.add(padded.toString().stripTrailing());
    }
    return isCut ? text + "\n… the first " + rows.size() + " rows" : text.toString();
  }

  static String text(Object cell) {
    if (cell instanceof Row row) {
      StringJoiner fields = new StringJoiner(", ", "{", "}");
      for (int i = 0; i < row.size(); i++) {
        String name = row.schema() == null ? "" : row.schema().fieldNames()[i] + ": ";
        fields.add(name + text(row.get(i)));
      }
      return cut(fields.toString());
    }
    if (cell instanceof scala.collection.Seq<?> elements) {
      return text(JavaConverters.seqAsJavaList(elements));
    }
    if (cell instanceof scala.collection.Map<?, ?> entries) {
      return text(JavaConverters.mapAsJavaMap(entries));
    }
    if (cell instanceof List<?> elements) {
      StringJoiner shown = new StringJoiner(", ", "[", "]");
      elements.stream().limit(ELEMENTS).forEach(element -> shown.add(text(element)));
      if (elements.size() > ELEMENTS) {
        shown.add("… " + elements.size());
      }
      return cut(shown.toString());
    }
    if (cell instanceof byte[] bytes) {
      return bytes.length + " bytes";
    }
    if (cell instanceof Double || cell instanceof Float) {
      return decimal(((Number) cell).doubleValue());
    }
    return cut(String.valueOf(cell).replaceAll("\\s+", " "));
  }

  private static String decimal(double number) {
    boolean isSmall = number != 0 && Math.abs(number) < 0.001;
    return String.format(Locale.ROOT, isSmall ? "%.1e" : "%.3f", number);
  }

  private static String cut(String text) {
    return text.codePointCount(0, text.length()) <= TEXT
        ? text
        : text.substring(0, text.offsetByCodePoints(0, TEXT - 1)) + "…";
  }
}
