package dev.medley.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.engine.AdapterRef;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.InParallel;
import dev.medley.engine.TextGeneration;
import dev.medley.io.LoadException;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What adapter columns stand for, told from the content of files: the same hash means the same
 * predictions of the same text. Reads the weights of an adapter once for a path and time of change;
 * for one thread.
 */
final class SetFingerprints {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final EngineSpec spec;
  private final SetKeys keys;
  private final Storage storage;
  private final Map<String, String> known;
  private final Map<List<String>, Set> sets = new HashMap<>();

  /**
   * One column value.
   *
   * @param raw the value, as JSON
   * @param isSure false where an adapter cannot be read, so that nobody knows whether it is the
   *     same next time
   */
  record Set(String raw, String fingerprint, boolean isSure) {}

  /**
   * Of a spec whose adapters' small files are read.
   *
   * @param known fingerprints of adapters by {@link #version}; new ones are added
   */
  SetFingerprints(EngineSpec spec, SetKeys keys, Storage storage, Map<String, String> known) {
    this.spec = spec;
    this.keys = keys;
    this.storage = storage;
    this.known = known;
  }

  /** Of what a row's adapter column holds. */
  Set of(List<String> column) {
    return sets.computeIfAbsent(column, this::read);
  }

  /** The same of a value as JSON. */
  Set of(String raw) {
    return of(column(raw));
  }

  private static List<String> column(String raw) {
    try {
      return Arrays.asList(JSON.readValue(raw, String[].class)); // names may be null
    } catch (JsonProcessingException e) {
      throw new LoadException("adapter column", "expected a list in JSON, found " + raw, e);
    }
  }

  /** Reads what is not known of the adapters of many values at once. */
  void prepare(Collection<String> raws) {
    Map<String, AdapterSource> unknown = new HashMap<>();
    for (String raw : raws) {
      List<String> column = column(raw);
      if (!keys.isError(column)) {
        for (AdapterRef.Member member : AdapterRef.parse(List.of(keys.of(column))).members()) {
          AdapterSource source = spec.adapters().get(member.name());
          if (hasVersion(source) && !known.containsKey(version(source))) {
            unknown.put(member.name(), source);
          }
        }
      }
    }
    List<AdapterSource> sources = List.copyOf(unknown.values());
    List<String> found = InParallel.map(sources, this::fingerprint);
    for (int i = 0; i < found.size(); i++) {
      if (found.get(i) != null) {
        known.put(version(sources.get(i)), found.get(i));
      }
    }
  }

  private Set read(List<String> column) {
    String raw;
    try {
      raw = JSON.writeValueAsString(column);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("strings can be written", e);
    }
    if (keys.isError(column)) {
      return new Set(raw, Sha256.of("error " + raw), true);
    }
    String key = keys.of(column);
    boolean isSure = true;
    // a row's random numbers depend on the names
    StringBuilder parts = new StringBuilder(spec.task() instanceof TextGeneration ? key : "");
    for (AdapterRef.Member member : AdapterRef.parse(List.of(key)).members()) {
      String adapter = adapter(member.name());
      isSure &= adapter != null;
      parts.append('\n').append(member.weight()).append('*').append(adapter);
    }
    return new Set(raw, Sha256.of(parts.toString()), isSure);
  }

  /** Null where it cannot be read. */
  private String adapter(String name) {
    AdapterSource source = spec.adapters().get(name);
    if (!hasVersion(source)) {
      return fingerprint(source);
    }
    String version = version(source);
    String found = known.get(version);
    if (found == null) {
      found = fingerprint(source);
      if (found == null) {
        return null;
      }
      known.put(version, found);
    }
    return found;
  }

  /** Null where it cannot be read. */
  private String fingerprint(AdapterSource source) {
    try {
      return source.contentHash(storage);
    } catch (LoadException e) {
      return null;
    }
  }

  /** Weights in shards have none, nor has what could not be read when it was validated. */
  private static boolean hasVersion(AdapterSource source) {
    return source.configJson() != null && source.version() != null && !source.version().isEmpty();
  }

  /** An adapter's place and when it was changed. */
  static String version(AdapterSource source) {
    String small = Sha256.of(source.configJson() + "\n" + source.labelsJson());
    String given = source.labels() + " " + source.sha256();
    return "adapter " + source.version() + " " + Sha256.of(source.uri() + small + given);
  }
}
