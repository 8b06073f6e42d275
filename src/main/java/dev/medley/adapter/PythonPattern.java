package dev.medley.adapter;

import dev.medley.io.JsonObject;
import dev.medley.io.Shown;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A regular expression of an adapter's config, which PEFT gives to Python's {@code re}: it matches
 * what it matches there, or is a problem of the config. Its methods have the names of {@code re}.
 */
final class PythonPattern {
  private final String expression;
  private final Pattern pattern;
  private final Map<String, Integer> names; // of groups, with their numbers

  private PythonPattern(String expression) {
    PythonSyntax syntax = PythonSyntax.of(expression);
    this.expression = expression;
    pattern = syntax.compile();
    names = syntax.names();
  }

  /**
   * A whole expression.
   *
   * @throws PatternSyntaxException whose description says what is refused
   */
  static PythonPattern of(String expression) {
    return new PythonPattern(expression);
  }

  /**
   * What a config has under a key, with the text that PEFT puts before and after it: it is part of
   * the expression, so that its groups and parentheses count. A problem where it is refused.
   */
  static Optional<PythonPattern> parse(
      JsonObject config, String key, String before, String written, String after) {
    try {
      return Optional.of(of(before + written + after));
    } catch (PatternSyntaxException e) {
      config.problem(
          key
              + ": "
              + Shown.quoted(written)
              + " is no regular expression that is read here as in PEFT: expected Python's syntax,"
              + " found "
              + e.getDescription());
      return Optional.empty();
    }
  }

  /** Whether all of a name is matched. */
  boolean fullmatch(String name) {
    return matches(matcher(name)::matches, name);
  }

  /** The named groups that have a part in the match of a name's beginning; empty for no match. */
  Optional<Map<String, String>> match(String name) {
    Matcher matcher = matcher(name);
    if (!matches(matcher::lookingAt, name)) {
      return Optional.empty();
    }
    Map<String, String> groups = new HashMap<>();
    names.forEach((group, number) -> groups.put(group, matcher.group(number)));
    groups.values().removeIf(Objects::isNull);
    return Optional.of(groups);
  }

  private Matcher matcher(String name) {
    return pattern.matcher(new BoundedText(expression, name));
  }

  private boolean matches(BooleanSupplier matching, String name) {
    try {
      return matching.getAsBoolean();
    } catch (StackOverflowError e) { // java.util.regex calls itself for most of what it matches
      throw BoundedText.refused("that Java's stack has room for", expression, name);
    }
  }
}
