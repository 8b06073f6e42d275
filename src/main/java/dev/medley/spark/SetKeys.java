package dev.medley.spark;

import dev.medley.engine.AdapterRef;
import dev.medley.engine.EngineSpec;
import java.io.Serializable;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What an adapter column means, as text that is the same for all spellings of a set: {@code "a+b"},
 * {@code ["a", "b"]} and a set that was given a name. Knows the names alone, so that tasks need not
 * read a whole spec; each for one thread.
 */
final class SetKeys implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Of rows that need no adapter: the base's, and those in error. */
  static final String BASE = AdapterRef.BASE;

  /** Inside this class, of rows in error. */
  private static final String ERROR = "";

  /** How many spellings are remembered. */
  private static final int KEPT = 100_000;

  private final HashSet<String> adapters;
  private final HashMap<String, String> sets = new HashMap<>();
  private transient Map<String, AdapterRef> named;
  private transient Map<List<String>, String> keys;

  SetKeys(EngineSpec spec) {
    adapters = new HashSet<>(spec.adapters().keySet());
    spec.namedSets().forEach((name, set) -> sets.put(name, set.toString()));
  }

  /** The key of what a row's adapter column holds. */
  String of(List<String> column) {
    String key = known(column);
    return key.equals(ERROR) ? BASE : key;
  }

  /** Whether a row's adapter column cannot be read, or names what is not there. */
  boolean isError(List<String> column) {
    return known(column).equals(ERROR);
  }

  private String known(List<String> column) {
    if (named == null) {
      named =
          sets.entrySet().stream()
              .collect(Collectors.toMap(Map.Entry::getKey, set -> read(set.getValue())));
    }
    if (keys == null || keys.size() >= KEPT) {
      keys = new HashMap<>();
    }
    return keys.computeIfAbsent(column, this::key);
  }

  private String key(List<String> column) {
    AdapterRef ref;
    try {
      ref = AdapterRef.parse(column).expand(named);
    } catch (IllegalArgumentException e) {
      return ERROR;
    }
    boolean known = ref.members().stream().allMatch(member -> adapters.contains(member.name()));
    return known ? ref.toString() : ERROR;
  }

  /** How many adapters the set of a key has. */
  static int members(String key) {
    return read(key).members().size();
  }

  private static AdapterRef read(String key) {
    return AdapterRef.parse(List.of(key));
  }
}
