package dev.medley.notebook;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** How often each label was predicted for each expected one; darker is a larger share of a row. */
public final class ConfusionMatrix implements Showable {
  private static final int CELL_HEIGHT = 30;
  private static final int TOP = 80;

  private final String title;
  private final Map<String, Map<String, Integer>> counts = new TreeMap<>();
  private int all;
  private int right;

  /** Without rows yet. */
  public ConfusionMatrix(String title) {
    this.title = title;
  }

  /** One more row; null for one that has no label, such as a row in error. */
  public ConfusionMatrix add(String expected, String predicted) {
    String row = String.valueOf(expected);
    String column = String.valueOf(predicted);
    counts.computeIfAbsent(row, none -> new TreeMap<>()).merge(column, 1, Integer::sum);
    all++;
    right += row.equals(column) ? 1 : 0;
    return this;
  }

  @Override
  public Map<String, String> mime() {
    return svg().mime();
  }

  /** As it is now. */
  public Svg svg() {
    TreeSet<String> names = new TreeSet<>(counts.keySet());
    counts.values().forEach(row -> names.addAll(row.keySet()));
    List<String> labels = new ArrayList<>(names);
    double label = labels.stream().mapToDouble(Drawing::width).max().orElseThrow();
    double left = 40 + label;
    double cell = Math.max(44, label + 12);
    String score = right + " of " + all + " right";
    Drawing drawing =
        new Drawing(
            Math.max(left + cell * labels.size() + 20, 40 + Drawing.width(title) * 1.2),
            TOP + CELL_HEIGHT * labels.size() + 38,
            title);
    drawing.text(left, 50, "predicted", "start", "font-style=\"italic\"");
    drawing.text(left - 8, TOP - 8, "expected", "end", "font-style=\"italic\"");
    for (int i = 0; i < labels.size(); i++) {
      double y = TOP + i * CELL_HEIGHT;
      Map<String, Integer> row = counts.getOrDefault(labels.get(i), Map.of());
      int sum = row.values().stream().mapToInt(Integer::intValue).sum();
      drawing.text(left + (i + 0.5) * cell, TOP - 8, labels.get(i), "middle", "");
      drawing.text(left - 8, y + 19, labels.get(i), "end", "");
      for (int j = 0; j < labels.size(); j++) {
        int count = row.getOrDefault(labels.get(j), 0);
        double share = sum == 0 ? 0 : (double) count / sum;
        String colour = Drawing.colour(i == j ? 0 : 4);
        double x = left + j * cell;
        drawing.box(
            x,
            y,
            cell - 2,
            CELL_HEIGHT - 2,
            count == 0 ? "#f6f8fa" : colour,
            count == 0 ? 1 : 0.15 + 0.85 * share);
        if (count > 0) {
          drawing.text(
              x + cell / 2 - 1,
              y + 18,
              Integer.toString(count),
              "middle",
              share > 0.5 ? "fill=\"#ffffff\"" : "");
        }
      }
    }
    drawing.text(left, TOP + CELL_HEIGHT * labels.size() + 20, score, "start", "");
    return drawing.svg(score + "\n" + table(labels));
  }

  private Table table(List<String> labels) {
    List<String> columns = new ArrayList<>(labels);
    columns.add(0, "expected");
    Table table = Table.columns(columns.toArray(String[]::new));
    for (String expected : labels) {
      List<Object> cells = new ArrayList<>(List.of(expected));
      labels.forEach(
          label -> cells.add(counts.getOrDefault(expected, Map.of()).getOrDefault(label, 0)));
      table.row(cells.toArray());
    }
    return table;
  }
}
