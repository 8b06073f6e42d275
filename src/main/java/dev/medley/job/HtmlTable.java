package dev.medley.job;

import java.util.List;

/** A table of a page, whose cells are {@link Html}; scrolls by itself where a screen is narrow. */
final class HtmlTable {
  private final StringBuilder rows = new StringBuilder();
  private final String caption;
  private final List<String> columns;

  /**
   * Without rows.
   *
   * @param columns their headings; one that begins with {@code #} is of numbers, one with {@code =}
   *     of names
   */
  HtmlTable(String caption, String... columns) {
    this.caption = caption;
    this.columns = List.of(columns);
  }

  /** A row; as many cells as columns. */
  void row(String... cells) {
    rows.append("<tr>");
    for (int i = 0; i < cells.length; i++) {
      rows.append(i == 0 ? "<th scope=\"row\"" : "<td").append(kind(i)).append('>');
      rows.append(cells[i]).append(i == 0 ? "</th>" : "</td>");
    }
    rows.append("</tr>\n");
  }

  private String kind(int column) {
    char first = columns.get(column).charAt(0);
    return first == '#' ? " class=\"n\"" : first == '=' ? " class=\"name\"" : "";
  }

  @Override
  public String toString() {
    StringBuilder table = new StringBuilder("<div class=\"wide\"><table>\n");
    table.append("<caption>").append(Html.text(caption)).append("</caption>\n<thead><tr>");
    for (int i = 0; i < columns.size(); i++) {
      String name = kind(i).isEmpty() ? columns.get(i) : columns.get(i).substring(1);
      table.append("<th scope=\"col\"").append(kind(i)).append('>');
      table.append(Html.text(name)).append("</th>");
    }
    return table + "</tr></thead>\n<tbody>\n" + rows + "</tbody></table></div>\n";
  }
}
