package dev.medley.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.medley.engine.AdapterRef;
import dev.medley.engine.AdapterSource;
import dev.medley.io.Location;
import dev.medley.io.Nearest;
import dev.medley.io.Shown;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;

/**
 * Adapters as rows: {@code name}, {@code uri} or {@code path}, and, where a column is there and not
 * null, {@code sha256} and {@code labels}, an array of strings or a string with a JSON array.
 */
public final class AdapterRegistry {
  private static final List<String> COLUMNS = List.of("name", "uri", "path", "sha256", "labels");
  private static final int MOST_PROBLEMS = 100;
  private static final JsonMapper JSON = new JsonMapper();

  private final Map<String, AdapterSource> sources = new LinkedHashMap<>();
  private final List<String> problems;
  private final List<String> columns = new ArrayList<>(); // by the names above
  private final List<String> selected = new ArrayList<>(); // by their own
  private int wrong;

  private AdapterRegistry(List<String> problems) {
    this.problems = problems;
  }

  /**
   * Reads all of it, to the driver.
   *
   * @param problems gets what is wrong with columns, and with which rows, counted from 0
   * @return adapters by the name that rows to score use, without those that have a problem
   */
  public static Map<String, AdapterSource> read(Dataset<?> rows, List<String> problems) {
    AdapterRegistry registry = new AdapterRegistry(problems);
    registry.columns(rows.schema().fields());
    if (registry.wrong == 0) {
      String[] selected = registry.selected.toArray(String[]::new);
      int index = 0;
      for (Row row : rows.toDF().selectExpr(selected).collectAsList()) {
        registry.add(index++, row);
      }
    }
    if (registry.wrong > MOST_PROBLEMS) {
      problems.add("… and " + (registry.wrong - MOST_PROBLEMS) + " more");
    }
    return registry.sources;
  }

  private void columns(StructField[] fields) {
    for (StructField field : fields) {
      String name = field.name().toLowerCase(Locale.ROOT);
      if (!COLUMNS.contains(name)) {
        String near = Nearest.name(name, COLUMNS).orElse(String.join(", ", COLUMNS));
        problem("column " + field.name() + ": unknown; known is " + near);
      } else if (!fits(name, field.dataType())) {
        problem(
            "column "
                + field.name()
                + ": expected string"
                + (name.equals("labels") ? " or array<string>" : "")
                + ", found "
                + field.dataType().simpleString());
      } else if (columns.contains(name)) {
        problem("column " + name + ": expected one, found several");
      }
      columns.add(name);
      selected.add("`" + field.name().replace("`", "``") + "`");
    }
    if (!columns.contains("name")) {
      problem("column name: expected string, found no such column");
    }
    if (columns.contains("uri") == columns.contains("path")) {
      String found = columns.contains("uri") ? "both" : "none";
      problem("column uri or path: expected one of them, found " + found);
    }
  }

  private static boolean fits(String column, DataType type) {
    return type instanceof StringType
        || type.equals(DataTypes.NullType)
        || column.equals("labels")
            && type instanceof ArrayType array
            && array.elementType() instanceof StringType;
  }

  private void add(int index, Row row) {
    String name = text(row, "name");
    String where = "row " + index + (name == null ? "" : " (" + Shown.quoted(name) + ")") + ": ";
    int before = wrong;
    AdapterSource source = null;
    try {
      AdapterRef.checkName(name == null ? "" : name);
      if (sources.containsKey(name)) {
        problem(where + "name: another row has it");
      }
    } catch (IllegalArgumentException e) {
      problem(where + e.getMessage());
    }
    String column = columns.contains("uri") ? "uri" : "path";
    String uri = text(row, column);
    if (uri == null || uri.isBlank()) {
      problem(where + column + ": expected a path or URI, found none");
    } else {
      try {
        Location.of(uri);
        source = AdapterSource.of(uri, labels(row));
        String sha256 = text(row, "sha256");
        source = sha256 == null || sha256.isBlank() ? source : source.withSha256(sha256.strip());
      } catch (IllegalArgumentException e) {
        problem(where + e.getMessage());
      }
    }
    if (wrong == before) {
      sources.put(name, source);
    }
  }

  private List<String> labels(Row row) {
    int at = columns.indexOf("labels");
    if (at < 0 || row.isNullAt(at)) {
      return List.of();
    }
    if (!(row.get(at) instanceof String text)) {
      List<String> labels = row.getList(at);
      if (labels.contains(null)) {
        throw new IllegalArgumentException("labels: expected strings, found null among them");
      }
      return List.copyOf(labels);
    }
    return text.isBlank() ? List.of() : parsed(text);
  }

  private static List<String> parsed(String text) {
    List<String> labels = new ArrayList<>();
    try {
      JsonNode json = JSON.readTree(text);
      json.forEach(label -> labels.add(label.textValue()));
      if (json.isArray() && !labels.contains(null)) {
        return labels;
      }
    } catch (JsonProcessingException e) {
      // said below
    }
    throw new IllegalArgumentException(
        "labels: expected a JSON array of strings, found " + Shown.quoted(text));
  }

  /** Null where the column is not there, or has none. */
  private String text(Row row, String column) {
    int at = columns.indexOf(column);
    return at < 0 || row.isNullAt(at) ? null : row.getString(at);
  }

  private void problem(String text) {
    if (++wrong <= MOST_PROBLEMS) {
      problems.add(text);
    }
  }
}
