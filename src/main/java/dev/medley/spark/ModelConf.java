package dev.medley.spark;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import dev.medley.engine.AdapterGlob;
import dev.medley.io.Nearest;
import dev.medley.io.Storage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.ml.param.Param;

/**
 * Models that Spark's configuration names: {@code spark.medley.model.NAME.KEY}, with the keys of a
 * job file. {@code base} and {@code task} must be there; {@code adapters.X} is a path or URI, or
 * {@code {"path": …, "labels": […], "sha256": …}}; {@code adapters-from} is {@code folder/pattern};
 * {@code sets.X} is written as in an adapter column; lists are JSON; all others are the task's own.
 *
 * @param settings by key
 */
record ModelConf(Map<String, String> settings) {
  static final String PREFIX = "spark.medley.model.";

  /** Parameters that name columns, which SQL has no need of, or have keys of their own. */
  private static final Set<String> OTHER =
      Set.of("model", "adapters", "sets", "adapterAffinity"); // and all that end in Col

  /** The names of all that there are. */
  Set<String> names() {
    return settings.keySet().stream()
        .filter(key -> key.startsWith(PREFIX))
        .map(key -> key.substring(PREFIX.length()))
        .filter(key -> key.contains("."))
        .map(key -> key.substring(0, key.indexOf('.')))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Keys of a model, in full. */
  List<String> keys(String name) {
    String prefix = PREFIX + name + ".";
    return settings.keySet().stream().filter(key -> key.startsWith(prefix)).sorted().toList();
  }

  /**
   * One of {@link #names}.
   *
   * @param storage where {@code adapters-from} is looked up
   * @throws IllegalArgumentException with everything that is wrong with its keys
   * @throws dev.medley.io.LoadException where no adapter is found
   */
  TextTransformer<?> model(String name, Storage storage) {
    String prefix = PREFIX + name + ".";
    Map<String, String> options = new TreeMap<>();
    keys(name).forEach(key -> options.put(key.substring(prefix.length()), settings.get(key)));
    TextTransformer<?> model = function(prefix + "task", options.remove("task")).transformer();
    List<String> problems = new ArrayList<>();
    Map<String, String> adapters = new LinkedHashMap<>();
    Map<String, List<String>> sets = new LinkedHashMap<>();
    if (!options.containsKey("base")) {
      problems.add(prefix + "base: expected the path or URI of a base model, found none");
    }
    String from = options.remove("adapters-from");
    if (from != null && !AdapterGlob.isOne(from)) {
      problems.add(prefix + "adapters-from: expected folder/pattern, such as adapters/*");
    } else if (from != null) {
      AdapterGlob.folders(from, storage)
          .forEach((adapter, folder) -> adapters.put(adapter, folder.uri()));
    }
    options.forEach(
        (key, value) -> {
          if (key.startsWith("adapters.")) {
            adapters.put(key.substring("adapters.".length()), value);
          } else if (key.startsWith("sets.")) {
            sets.put(key.substring("sets.".length()), List.of(value));
          } else {
            noting(problems, prefix + key, () -> set(model, key, value));
          }
        });
    noting(problems, prefix + "adapters", () -> model.with(model.adapters(), json(adapters)));
    noting(problems, prefix + "sets", () -> model.setSets(sets));
    Scoring.orThrow(problems);
    return model;
  }

  private static SqlFunction function(String key, String task) {
    List<String> tasks = Arrays.stream(SqlFunction.values()).map(SqlFunction::pipeline).toList();
    return Arrays.stream(SqlFunction.values())
        .filter(each -> each.pipeline().equals(task))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    key
                        + ": expected one of "
                        + String.join(", ", tasks)
                        + ", found "
                        + (task == null ? "none" : task)));
  }

  private static void set(TextTransformer<?> model, String key, String value) {
    if (key.equals("base")) {
      model.setModel(value);
      return;
    }
    Param<?> param =
        options(model)
            .filter(each -> kebab(each.name()).equals(key))
            .findFirst()
            .orElseThrow(() -> unknown(model, key));
    set(model, param, value);
  }

  @SuppressWarnings("unchecked")
  private static <V> void set(TextTransformer<?> model, Param<V> param, String value) {
    V parsed;
    if (param.getClass() == Param.class) {
      parsed = (V) value; // of text
    } else {
      try {
        parsed = param.jsonDecode(value);
      } catch (Exception e) { // Jackson's is a checked one that Spark does not declare
        throw new IllegalArgumentException(
            "expected " + param.getClass().getSimpleName() + " as JSON, found " + value, e);
      }
    }
    model.with(param, parsed);
  }

  private static Stream<Param<?>> options(TextTransformer<?> model) {
    return Arrays.<Param<?>>stream(model.params())
        .filter(param -> !OTHER.contains(param.name()) && !param.name().endsWith("Col"));
  }

  private static IllegalArgumentException unknown(TextTransformer<?> model, String key) {
    List<String> known =
        Stream.concat(
                Stream.of("base", "task", "adapters.NAME", "adapters-from", "sets.NAME"),
                options(model).map(param -> kebab(param.name())))
            .sorted()
            .toList();
    return new IllegalArgumentException(
        "expected one of "
            + String.join(", ", known)
            + Nearest.name(key, known).map(near -> "; did you mean " + near + "?").orElse(""));
  }

  /** {@code batchSize} as a job file has it, {@code batch-size}. */
  private static String kebab(String name) {
    return name.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
  }

  /** As the transformers have it. */
  private static String json(Map<String, String> adapters) {
    return adapters.entrySet().stream()
        .map(
            adapter ->
                quoted(adapter.getKey())
                    + ":"
                    + (adapter.getValue().startsWith("{")
                        ? adapter.getValue()
                        : quoted(adapter.getValue())))
        .collect(Collectors.joining(",", "{", "}"));
  }

  private static String quoted(String text) {
    return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + '"';
  }

  private static void noting(List<String> problems, String key, Runnable step) {
    try {
      step.run();
    } catch (IllegalArgumentException e) {
      problems.add(key + ": " + e.getMessage());
    }
  }
}
