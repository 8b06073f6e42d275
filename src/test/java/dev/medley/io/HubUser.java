package dev.medley.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;

/**
 * Somebody with a cache folder of their own who reads from a Hub, and does not wait long for it.
 */
record HubUser(Path folder, String endpoint) {
  static final HubRetries QUICK = new HubRetries(5, Duration.ofMillis(1), Duration.ofMillis(4));

  /** A Storage of a new process, whose environment has these too: name, value, name, value … */
  Storage storage(String... more) {
    return storage(QUICK, more);
  }

  Storage storage(HubRetries retries, String... more) {
    Map<String, String> env = new HashMap<>();
    env.put("HF_ENDPOINT", endpoint);
    env.put("HF_HOME", folder.toString());
    for (int i = 0; i < more.length; i += 2) {
      env.put(more[i], more[i + 1]);
    }
    return new Storage(
        new Configuration(false),
        folder.resolve("medley"),
        Retries.STANDARD,
        Archive.Bounds.STANDARD,
        new Hub(() -> env, retries));
  }

  /** The cache folder. */
  Path cache() {
    return folder.resolve("hub");
  }

  /** Names of all files and links in the cache folder that end so. */
  List<String> cached(String suffix) throws IOException {
    if (!Files.exists(cache())) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(cache())) {
      return files
          .filter(file -> !Files.isDirectory(file))
          .map(file -> cache().relativize(file).toString())
          .filter(name -> name.endsWith(suffix))
          .sorted()
          .toList();
    }
  }
}
