package dev.medley.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.io.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which modules an adapter is trained on: {@code target_modules}, {@code exclude_modules}, {@code
 * layers_to_transform} and {@code layers_pattern}, by PEFT's rules ({@code
 * check_target_module_exists}). A list entry is a whole name or its end from a dot on; a string is
 * a regular expression for the whole name, or {@code all-linear}.
 */
final class TargetModules {
  private static final String ALL_LINEAR = "all-linear";
  private static final String ANY_LAYER = ".*?\\.[^.]*\\.(\\d+)\\.";

  private final String text;
  private final Predicate<String> whole;
  private final Predicate<String> ending;
  private final List<String> entries; // none where it is a string
  private final boolean allLinear;
  private final Predicate<String> excluded;
  private final List<Integer> layers;
  private final List<Pattern> layerPatterns;

  private TargetModules(JsonObject json, List<String> savedModules) {
    JsonNode targets = json.node("target_modules");
    if (targets == null) {
      json.problem(
          "target_modules: expected a list or a regular expression, found none; PEFT writes the"
              + " resolved names when it saves an adapter");
    }
    text =
        targets == null
            ? ""
            : targets.isArray() ? String.join(" ", texts(targets)) : targets.asText();
    entries = targets != null && targets.isArray() ? texts(targets) : List.of();
    allLinear =
        targets != null
            && targets.isTextual()
            && targets.asText().toLowerCase(Locale.ROOT).equals(ALL_LINEAR);
    whole = allLinear ? name -> false : whole(json, "target_modules", targets);
    ending = ending(targets);
    JsonNode exclude = json.node("exclude_modules");
    Predicate<String> saved =
        name -> savedModules.stream().anyMatch(m -> ("." + name + ".").contains("." + m + "."));
    excluded = whole(json, "exclude_modules", exclude).or(ending(exclude)).or(saved);
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
    for (Pattern pattern : layerPatterns) {
      Matcher matcher = BoundedText.matcher(pattern, name);
      if (matcher.lookingAt()) {
        return layers.contains(Integer.parseInt(matcher.group(1)));
      }
    }
    return false;
  }

  /** By a list of whole names, or a regular expression for them. */
  static Predicate<String> whole(JsonObject json, String key, JsonNode value) {
    if (value == null) {
      return name -> false;
    }
    if (value.isTextual()) {
      try {
        Pattern pattern = Pattern.compile(value.asText());
        return name -> BoundedText.matcher(pattern, name).matches();
      } catch (PatternSyntaxException e) {
        json.problem(key + ": " + value + " is no regular expression: " + e.getMessage());
        return name -> false;
      }
    }
    if (!value.isArray()) {
      json.problem(key + ": expected a list or a string, found " + value);
    }
    return texts(value)::contains;
  }

  private static Predicate<String> ending(JsonNode value) {
    if (value == null || !value.isArray()) {
      return name -> false;
    }
    List<String> ends = texts(value).stream().map(end -> "." + end).toList();
    return name -> ends.stream().anyMatch(name::endsWith);
  }

  static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(item -> texts.add(item.asText()));
    return texts;
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
      json.problem(key + ": expected a layer's number or a list of them, found " + value);
    }
    return items.stream().map(JsonNode::asInt).toList();
  }

  private static boolean hasLayersPattern(JsonObject json) {
    JsonNode value = json.node("layers_pattern");
    return value != null && !(value.isTextual() ? value.asText().isEmpty() : value.isEmpty());
  }

  private static List<Pattern> layerPatterns(JsonObject json) {
    JsonNode value = json.node("layers_pattern");
    if (value != null && !value.isTextual() && !value.isArray()) {
      json.problem("layers_pattern: expected a name or a list of names, found " + value);
    }
    List<String> names =
        value == null || value.asText().isEmpty() && !value.isArray()
            ? List.of()
            : value.isTextual() ? List.of(value.asText()) : texts(value);
    if (names.isEmpty()) {
      return List.of(Pattern.compile(ANY_LAYER));
    }
    List<Pattern> patterns = new ArrayList<>();
    for (String name : names) {
      try {
        patterns.add(Pattern.compile("(?:|.*?\\.)(?:" + name + ")\\.(\\d+)\\."));
      } catch (PatternSyntaxException e) {
        json.problem("layers_pattern: " + name + " is no regular expression: " + e.getMessage());
      }
    }
    return patterns;
  }
}
