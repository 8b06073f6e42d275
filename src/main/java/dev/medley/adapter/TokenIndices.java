package dev.medley.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which rows of which tables an adapter replaces beside its own changes: LoRA's {@code
 * trainable_token_indices}, a list for the table of tokens, or lists by the ends of modules' names.
 *
 * @param ofWords of the table of tokens, in the order of the file's rows; null for none
 * @param byEnd the same by the end of a name, before which PEFT asks for no dot
 */
record TokenIndices(long[] ofWords, Map<String, long[]> byEnd) {
  /** No rows. */
  static final TokenIndices NONE = new TokenIndices(null, Map.of());

  private static final String KEY = "trainable_token_indices";

  static TokenIndices parse(JsonObject json) {
    JsonNode value = json.node(KEY);
    if (value == null) {
      return NONE;
    }
    if (!value.isObject()) {
      return new TokenIndices(list(json, KEY, value), Map.of());
    }
    Map<String, long[]> byEnd = new LinkedHashMap<>();
    value.properties().forEach(e -> byEnd.put(e.getKey(), list(json, path(e), e.getValue())));
    if (byEnd.isEmpty()) {
      json.problem(KEY + ": expected token ids by the name of a table, found " + value);
    }
    return new TokenIndices(null, byEnd);
  }

  private static String path(Map.Entry<String, JsonNode> entry) {
    return KEY + "." + entry.getKey();
  }

  /** A list of ids, each once. */
  static long[] list(JsonObject json, String key, JsonNode list) {
    if (list == null || !list.isArray() || list.isEmpty()) {
      json.problem(key + ": expected a list of token ids, found " + list);
      return new long[0];
    }
    long[] tokens = new long[list.size()];
    for (int i = 0; i < tokens.length; i++) {
      JsonNode token = list.get(i);
      if (!token.isIntegralNumber() || !token.canConvertToLong() || token.longValue() < 0) {
        json.problem(key + "[" + i + "]: expected a token id from 0 on, found " + token);
      }
      tokens[i] = token.longValue();
    }
    if (Arrays.stream(tokens).distinct().count() < tokens.length) {
      json.problem(key + ": expected every token id once, found " + list);
    }
    return tokens;
  }

  boolean isEmpty() {
    return ofWords == null && byEnd.isEmpty();
  }

  /**
   * Those of one module; null for none.
   *
   * @param words the table of tokens
   */
  long[] of(String name, BaseModules.Module module, BaseModules.Module words) {
    if (ofWords != null) {
      return module == words ? ofWords : null;
    }
    return byEnd.entrySet().stream()
        .filter(e -> name.endsWith(e.getKey()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse(null);
  }

  /** Ends that no name of these has. */
  Set<String> unmatched(Set<String> names) {
    Set<String> ends = new TreeSet<>(byEnd.keySet());
    ends.removeIf(end -> names.stream().anyMatch(name -> name.endsWith(end)));
    return ends;
  }
}
