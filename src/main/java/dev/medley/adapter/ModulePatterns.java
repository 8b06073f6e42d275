package dev.medley.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.io.Shown;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.DoubleStream;

/**
 * PEFT's {@code rank_pattern} and {@code alpha_pattern}: numbers by a regular expression that must
 * match the end of a module's name from a dot on. The first match in the document counts. PEFT
 * writes documents with sorted keys, so in its own the alphabet decides between two that match:
 * {@code layers.1.q_proj} is never reached beside {@code .*q_proj}.
 */
final class ModulePatterns {
  private final Map<String, PythonPattern> patterns = new LinkedHashMap<>();
  private final Map<String, Double> numbers;

  private ModulePatterns(Map<String, Double> numbers) {
    this.numbers = numbers;
  }

  static ModulePatterns parse(JsonObject config, String key) {
    ModulePatterns patterns = new ModulePatterns(config.numbers(key));
    for (String expression : patterns.numbers.keySet()) {
      if (!(patterns.numbers.get(expression) > 0)) { // a rank or a scale of nothing
        config.problem(
            Shown.plain(key + "." + expression)
                + ": expected a positive number, found "
                + patterns.numbers.get(expression));
      }
      PythonPattern.parse(config, key, "(.*\\.)?(", expression, ")$")
          .ifPresent(pattern -> patterns.patterns.put(expression, pattern));
    }
    return patterns;
  }

  /** The same for ranks, which are whole, and written so: PEFT fails on 3.0. */
  static ModulePatterns ranks(JsonObject config) {
    ModulePatterns patterns = parse(config, "rank_pattern");
    for (String expression : patterns.numbers.keySet()) {
      JsonNode rank = config.node("rank_pattern").get(expression);
      if (!rank.isIntegralNumber()) {
        config.problem(
            Shown.plain("rank_pattern." + expression)
                + ": expected a whole number, found "
                + rank.asText());
      }
    }
    return patterns;
  }

  /** The numbers that occur beside {@code orElse}, as one number or from the least to the most. */
  String range(double orElse) {
    var all =
        DoubleStream.concat(DoubleStream.of(orElse), numbers.values().stream().mapToDouble(n -> n))
            .summaryStatistics();
    return all.getMin() == all.getMax()
        ? Long.toString((long) orElse)
        : (long) all.getMin() + "-" + (long) all.getMax();
  }

  /** The largest of the numbers that occur beside {@code orElse}. */
  long largest(long orElse) {
    return numbers.values().stream().mapToLong(Double::longValue).reduce(orElse, Math::max);
  }

  /** The number of the first pattern in the document that matches, else {@code orElse}. */
  double of(String module, double orElse) {
    return patterns.entrySet().stream()
        .filter(e -> e.getValue().match(module).isPresent())
        .map(e -> numbers.get(e.getKey()))
        .findFirst()
        .orElse(orElse);
  }
}
