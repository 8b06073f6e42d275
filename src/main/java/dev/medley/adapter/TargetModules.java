package dev.medley.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.io.JsonObject;
import dev.medley.io.Shown;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Which modules an adapter is trained on: {@code target_modules}, {@code exclude_modules}, {@code
 * layers_to_transform} and {@code layers_pattern}, by PEFT's rules ({@code
 * check_target_module_exists}). A list entry is a whole name or its end from a dot on; a string is
 * a regular expression for the whole name, or {@code all-linear}.
 */
final class TargetModules {
  private static final String ALL_LINEAR = "all-linear";
  private static final String LAYER = "\\.(?P<idx>\\d+)\\.";
  private static final PythonPattern ANY_LAYER = PythonPattern.of(".*?\\.[^.]*" + LAYER);

  private final String text;
  private final Predicate<String> whole;
  private final Predicate<String> ending;
  private final List<String> entries; // none where it is a string
  private final boolean allLinear;
  private final Predicate<String> excluded;
  private final List<Integer> layers;
  private final List<PythonPattern> layerPatterns;

  private TargetModules(JsonObject json, List<String> savedModules) {
    JsonNode targets = json.node("target_modules");
    if (targets == null) {
      json.problem(
          "target_modules: expected a list or a regular expression, found none; PEFT writes the"
              + " resolved names when it saves an adapter");
    }
    entries = entries(json, "target_modules");
    text = targets == null ? "" : targets.isArray() ? String.join(" ", entries) : targets.asText();
    allLinear =
        targets != null
            && targets.isTextual()
            && targets.asText().toLowerCase(Locale.ROOT).equals(ALL_LINEAR);
    whole = allLinear ? name -> false : whole(json, "target_modules", entries);
    ending = ending(entries);
    List<String> exclude = entries(json, "exclude_modules");
    excluded =
        whole(json, "exclude_modules", exclude).or(ending(exclude)).or(saved(json, savedModules));
    layers = numbers(json, "layers_to_transform");
    layerPatterns = layerPatterns(json);
    if (layers.isEmpty() && hasLayersPattern(json)) {
      json.problem("layers_pattern: expected layers_to_transform beside it, found none");
    }
    if (!layers.isEmpty() && targets != null && targets.isTextual()) {
      json.problem("layers_to_transform: not allowed when target_modules is a string");
    }
  }

  static TargetModules parse(JsonObject json, List<String> savedModules) {
    return new TargetModules(json, savedModules);
  }

  /**
   * Whether the adapter has tensors for a module of that dotted name.
   *
   * @param isHead whether {@code all-linear} leaves it out: a head, of labels or of tokens
   */
  boolean matches(String name, BaseModules.Module module, boolean isHead) {
    if (excluded.test(name)) {
      return false;
    }
    if (allLinear) {
      return !isHead && (module.kind() == Kind.LINEAR || module.kind() == Kind.CONV1D);
    }
    return names(name);
  }

  /** Whether an entry ends in one of these names, or the regular expression is for one of them. */
  boolean nameAny(Set<String> lastNames) {
    return lastNames.stream()
        .anyMatch(last -> whole.test(last) || entries.stream().anyMatch(e -> isLast(last, e)));
  }

  private static boolean isLast(String last, String entry) {
    return entry.equals(last) || entry.endsWith("." + last);
  }

  /** Whether a module of that name is meant, whatever it is; {@code all-linear} names none. */
  boolean names(String name) {
    return !excluded.test(name) && (whole.test(name) || (ending.test(name) && inLayers(name)));
  }

  /** {@code target_modules} as the config has them. */
  @Override
  public String toString() {
    return text;
  }

  private boolean inLayers(String name) {
    if (layers.isEmpty()) {
      return true;
    }
    for (PythonPattern pattern : layerPatterns) {
      var match = pattern.match(name);
      if (match.isPresent()) { // maybe by one side of a | that has no number
        String index = match.get().get("idx");
        return index != null && layers.contains(Integer.parseInt(index));
      }
    }
    return false;
  }

  /** A regular expression for whole names; matches nothing where the value is a list, or none. */
  static Predicate<String> regex(JsonObject json, String key) {
    JsonNode value = json.node(key);
    if (value == null || value.isArray()) {
      return name -> false;
    }
    if (!value.isTextual()) {
      json.problem(key + ": expected a list or a string, found " + Shown.plain(value));
    }
    return PythonPattern.parse(json, key, "", value.asText(), "")
        .<Predicate<String>>map(pattern -> pattern::fullmatch)
        .orElse(name -> false);
  }

  private static Predicate<String> whole(JsonObject json, String key, List<String> entries) {
    return regex(json, key).or(entries::contains);
  }

  private static Predicate<String> ending(List<String> entries) {
    List<String> ends = entries.stream().map(end -> "." + end).toList();
    return name -> ends.stream().anyMatch(name::endsWith);
  }

  /**
   * What no adapter is put on, or into: to PEFT here, and here alone, an entry is no plain name.
   */
  private static Predicate<String> saved(JsonObject json, List<String> savedModules) {
    List<PythonPattern> patterns =
        savedModules.stream()
            .map(m -> PythonPattern.parse(json, "modules_to_save", "(^|.*\\.)", m, "($|\\..*)"))
            .flatMap(Optional::stream)
            .toList();
    return name -> patterns.stream().anyMatch(pattern -> pattern.match(name).isPresent());
  }

  /** Of a list; none where the value is no list. */
  private static List<String> entries(JsonObject json, String key) {
    JsonNode value = json.node(key);
    return value != null && value.isArray() ? json.strings(key) : List.of();
  }

  private static List<Integer> numbers(JsonObject json, String key) {
    JsonNode value = json.node(key);
    if (value == null) {
      return List.of();
    }
    List<JsonNode> items = new ArrayList<>();
    if (value.isArray()) {
      value.forEach(items::add);
    } else {
      items.add(value);
    }
    if (!items.stream().allMatch(item -> item.isInt() && item.intValue() >= 0)) {
      json.problem(
          key + ": expected a layer's number or a list of them, found " + Shown.plain(value));
    }
    return items.stream().map(JsonNode::asInt).toList();
  }

  private static boolean hasLayersPattern(JsonObject json) {
    JsonNode value = json.node("layers_pattern");
    return value != null && !(value.isTextual() ? value.asText().isEmpty() : value.isEmpty());
  }

  private static List<PythonPattern> layerPatterns(JsonObject json) {
    JsonNode value = json.node("layers_pattern");
    if (value != null && !value.isTextual() && !value.isArray()) {
      json.problem(
          "layers_pattern: expected a name or a list of names, found " + Shown.plain(value));
    }
    List<String> names =
        value != null && value.isTextual() && !value.asText().isEmpty()
            ? List.of(value.asText())
            : entries(json, "layers_pattern");
    if (names.isEmpty()) {
      return List.of(ANY_LAYER);
    }
    return names.stream()
        .map(name -> PythonPattern.parse(json, "layers_pattern", "(?:^|.*?\\.)", name, LAYER))
        .flatMap(Optional::stream)
        .toList();
  }
}
