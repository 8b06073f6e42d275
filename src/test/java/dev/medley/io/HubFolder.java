package dev.medley.io;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A cache folder in words, as hub.py writes it. */
final class HubFolder {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

  private HubFolder() {}

  /** What is in each file: a hash, or where a link leads. */
  static Map<String, String> listing(Path cache) throws IOException {
    Map<String, String> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(cache)) {
      for (Path path : (Iterable<Path>) all::iterator) {
        String name = cache.relativize(path).toString();
        if (Files.isSymbolicLink(path)) {
          files.put(name, "-> " + Files.readSymbolicLink(path));
        } else if (Files.isRegularFile(path)) {
          byte[] content = Files.readAllBytes(path);
          if (name.matches("[^/]+/trees/.*")) {
            content = JSON.writeValueAsBytes(JSON.readValue(content, Map.class));
          }
          files.put(name, HubServer.sha256(content));
        }
      }
    }
    return files;
  }

  /** The fixture. */
  static Map<String, String> read(Path listing) throws IOException {
    Map<String, String> files = new TreeMap<>();
    for (String line : Files.readAllLines(listing)) {
      int space = line.contains(" -> ") ? line.indexOf(" -> ") : line.lastIndexOf(' ');
      files.put(line.substring(0, space), line.substring(space + 1));
    }
    return files;
  }
}
