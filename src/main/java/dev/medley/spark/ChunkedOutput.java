package dev.medley.spark;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * A folder of files that is written and committed by chunks.
 *
 * @param path of the folder
 * @param format by Spark's name: parquet, orc, json or csv
 * @param options of Spark's writer
 * @param key column of the input that tells rows apart; null for their place in their file
 * @param chunkRows most rows of a chunk; with a key, on average of the first run
 */
public record ChunkedOutput(
    String path, String format, Map<String, String> options, String key, int chunkRows) {
  /** Rows of a chunk where nobody says otherwise. */
  public static final int CHUNK_ROWS = 10_000;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String HEADER = "output.json";

  /**
   * Throws LoadException where a path holds what no run of this kind has made, which its readers
   * would take for scored rows.
   */
  public static void checkOwn(String path, org.apache.hadoop.conf.Configuration conf) {
    checkOwn(new ChunkFolder(path, conf));
  }

  static void checkOwn(ChunkFolder folder) {
    boolean begun = folder.read(folder.hidden(HEADER)).isPresent();
    for (String name : folder.list(folder.root()).keySet()) {
      boolean seen = !name.startsWith("_") && !name.startsWith(".");
      if (seen && !(begun && ChunkFolder.isOwn(name))) {
        throw new LoadException(
            folder.root().toString(),
            "expected nothing there, or what a job with output.mode = resume has begun, found "
                + name
                + "; choose another output.path");
      }
    }
  }

  /**
   * How many buckets of keys an output has, which stays as it was begun: what stands there is
   * checked, or written where nothing does.
   *
   * @param rows counts those of the input; asked where there is a key and nothing stands there yet
   * @throws LoadException where the output was begun otherwise
   */
  int begin(ChunkFolder folder, java.util.function.LongSupplier rows) {
    Path file = folder.hidden(HEADER);
    String options = Sha256.of(new TreeMap<>(this.options).toString()); // they may hold secrets
    String found = folder.readText(file).orElse(null);
    if (found == null) {
      long count = key == null ? 0 : rows.getAsLong();
      int buckets = (int) Math.min(Math.max(1, (count + chunkRows - 1) / chunkRows), 1 << 24);
      ObjectNode json = JSON.createObjectNode();
      json.put("format", format).put("options", options).put("key", key);
      json.put("chunk-rows", chunkRows).put("part-bytes", ChunkInput.PART_BYTES);
      folder.write(file, json.put("buckets", buckets) + "\n");
      return buckets;
    }
    JsonObject json = JsonObject.parse(found, file.toString());
    List<String> problems = new ArrayList<>();
    differs(problems, "output.format", json.string("format"), format);
    differs(problems, "resume.key", json.string("key", null), key);
    differs(problems, "resume.chunk-rows", json.integer("chunk-rows"), (long) chunkRows);
    if (!json.string("options").equals(options)) {
      problems.add("output.options: expected those that the output was begun with, found others");
    }
    differs(problems, "bytes of a part", json.integer("part-bytes"), ChunkInput.PART_BYTES);
    long buckets = json.positiveInteger("buckets");
    json.done();
    if (!problems.isEmpty()) {
      problems.add("go on as the output was begun, or choose another output.path");
      throw new LoadException(folder.root().toString(), problems);
    }
    return Math.toIntExact(buckets);
  }

  private static void differs(List<String> problems, String key, Object begun, Object now) {
    if (!java.util.Objects.equals(begun, now)) {
      problems.add(key + ": expected " + begun + ", as the output was begun with, found " + now);
    }
  }
}
