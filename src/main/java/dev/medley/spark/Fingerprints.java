package dev.medley.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.CollectionAccumulator;

/**
 * Fingerprints of a base and of adapters by what tells that their files are the same: paths,
 * lengths and times of change. Kept in the output, so that no run reads the same files for them
 * again.
 */
final class Fingerprints {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final ChunkFolder folder;
  private final Path file;
  private final CollectionAccumulator<String> taken;
  private final Map<String, String> known = new ConcurrentHashMap<>();
  private int saved;

  /**
   * Reads those of earlier runs.
   *
   * @param taken by tasks, as {@code version=fingerprint}
   */
  Fingerprints(ChunkFolder folder, CollectionAccumulator<String> taken) {
    this.folder = folder;
    this.file = folder.hidden("fingerprints.json");
    this.taken = taken;
    try {
      folder
          .readText(file)
          .ifPresent(
              text ->
                  known.putAll(JsonObject.parse(text, file.toString()).stringMap("fingerprints")));
    } catch (LoadException e) {
      known.clear(); // then they are taken again
    }
    saved = known.size();
  }

  /** By version; new ones may be put there. */
  Map<String, String> known() {
    return known;
  }

  CollectionAccumulator<String> accumulator() {
    return taken;
  }

  /** Writes those that have come. */
  synchronized void save() {
    for (String entry : taken.value()) {
      int equals = entry.lastIndexOf('=');
      known.put(entry.substring(0, equals), entry.substring(equals + 1));
    }
    if (known.size() == saved) {
      return;
    }
    try {
      Map<String, String> sorted = new TreeMap<>(known);
      folder.write(file, JSON.writeValueAsString(Map.of("fingerprints", sorted)) + "\n");
      saved = sorted.size();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("strings can be written", e);
    }
  }
}
