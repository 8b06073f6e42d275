package dev.medley.io;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * One model's tensors: in {@code STEM.safetensors}, or in the shards that {@code
 * STEM.safetensors.index.json} names; where both are there the single file counts, as in
 * transformers.
 */
public final class Checkpoint implements AutoCloseable {
  private static final int MOST_NAMES = 20;

  private final Location folder;
  private final Map<String, SafetensorsFile> files; // by TensorInfo.file()
  private final Map<String, TensorInfo> tensors;

  private Checkpoint(Location folder, Map<String, SafetensorsFile> files) {
    this.folder = folder;
    this.files = files;
    Map<String, TensorInfo> all = new LinkedHashMap<>();
    files.values().forEach(file -> all.putAll(file.tensors()));
    this.tensors = Collections.unmodifiableMap(all);
  }

  /**
   * Fetches and maps the tensors of a folder; the stem is {@code model} or {@code adapter_model}.
   * Throws LoadException with all problems of all files when it cannot.
   */
  public static Checkpoint open(Storage storage, Location folder, String stem) {
    Map<String, SafetensorsFile> files = new LinkedHashMap<>();
    try {
      visit(
          storage,
          folder,
          stem,
          location -> {
            var path = storage.fetchIfExists(location);
            if (path.isEmpty()) {
              return null;
            }
            SafetensorsFile file = SafetensorsFile.open(path.get(), location.toString());
            files.put(location.toString(), file);
            return file.tensors();
          });
      return new Checkpoint(folder, files);
    } catch (RuntimeException | Error e) {
      files.values().forEach(SafetensorsFile::close);
      throw e;
    }
  }

  /**
   * The tensors of a folder by its headers alone: of remote files too, only these are read. Makes
   * the same checks as {@link #open}.
   */
  public static Map<String, TensorInfo> headers(Storage storage, Location folder, String stem) {
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    visit(
        storage,
        folder,
        stem,
        location -> {
          var header =
              storage.readInPlace(
                  location,
                  (in, length) -> SafetensorsHeader.read(location.toString(), length, in));
          header.ifPresent(h -> tensors.putAll(h.tensors()));
          return header.map(SafetensorsHeader::tensors).orElse(null);
        });
    return Collections.unmodifiableMap(tensors);
  }

  /**
   * A hash that two folders have in common only where {@link #headers} says the same of both, but
   * for the files' names; empty where the tensors are in shards or there is no whole header. Reads
   * no more than the header.
   */
  public static Optional<String> headerHash(Storage storage, Location folder, String stem) {
    Location file = folder.resolve(stem + ".safetensors");
    return storage
        .readInPlace(file, (in, length) -> SafetensorsHeader.hash(length, in))
        .flatMap(hash -> hash);
  }

  /** All tensors by name: shards in the order of their names, within one in the header's order. */
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  /** A view as of {@link SafetensorsFile#slice}. */
  public ByteBuffer slice(TensorInfo t, long offset, int length) {
    return file(t).slice(t, offset, length);
  }

  /** The same of all bytes from one tensor's first to another's last in the same file. */
  public ByteBuffer slice(TensorInfo first, TensorInfo last) {
    return file(first).slice(first, last);
  }

  private SafetensorsFile file(TensorInfo t) {
    SafetensorsFile file = files.get(t.file());
    if (file == null) {
      throw new IllegalArgumentException("not a tensor of " + folder + ": " + t);
    }
    return file;
  }

  /** Has the system read the files into memory that it can give back. */
  public void readAhead() {
    files.values().forEach(SafetensorsFile::readAhead);
  }

  /** As {@link SafetensorsFile#verifyWhole}, for every file: call it after the last read. */
  public void verifyWhole() {
    files.values().forEach(SafetensorsFile::verifyWhole);
  }

  public Location folder() {
    return folder;
  }

  @Override
  public void close() {
    files.values().forEach(SafetensorsFile::close);
  }

  /** Opens one file: its tensors, or null when it is not there. */
  private interface Opening {
    Map<String, TensorInfo> open(Location file);
  }

  private static void visit(Storage storage, Location folder, String stem, Opening opening) {
    String single = stem + ".safetensors";
    String index = single + ".index.json";
    if (opening.open(folder.resolve(single)) != null) {
      return;
    }
    var indexFile = storage.fetchIfExists(folder.resolve(index));
    if (indexFile.isEmpty()) {
      throw nothingToOpen(storage, folder, single, index);
    }
    String where = folder.resolve(index).toString();
    Map<String, String> weightMap = weightMap(JsonObject.read(indexFile.get(), where));
    List<String> problems = new ArrayList<>();
    Map<String, String> shardOf = new TreeMap<>(); // of each tensor found
    for (String shard : new TreeSet<>(weightMap.values())) {
      try {
        Map<String, TensorInfo> found = opening.open(folder.resolve(shard));
        if (found == null) {
          problems.add("expected the shard " + shard + " in the folder, found none");
        } else {
          compare(weightMap, shard, found, shardOf, problems);
        }
      } catch (LoadException e) {
        problems.add(e.getMessage());
      }
    }
    if (!problems.isEmpty()) {
      throw new LoadException(where, problems);
    }
  }

  private static Map<String, String> weightMap(JsonObject json) {
    json.ignore("metadata"); // total_size and the like
    Map<String, String> weightMap = json.stringMap("weight_map");
    if (weightMap.isEmpty()) {
      json.problem("weight_map: expected shard names by tensor, found none");
    }
    for (String shard : new TreeSet<>(weightMap.values())) {
      if (!Location.isPlainName(shard)) {
        json.problem(
            "weight_map: expected the name of a file in this folder, found " + Shown.quoted(shard));
      }
    }
    json.done();
    return weightMap;
  }

  private static void compare(
      Map<String, String> weightMap,
      String shard,
      Map<String, TensorInfo> found,
      Map<String, String> shardOf,
      List<String> problems) {
    weightMap.forEach(
        (name, expected) -> {
          if (expected.equals(shard) && !found.containsKey(name)) {
            problems.add(
                "tensor " + Shown.quoted(name) + ": expected in " + shard + ", found none");
          }
        });
    for (String name : found.keySet()) {
      String tensor = "tensor " + Shown.quoted(name) + ": ";
      String other = shardOf.putIfAbsent(name, shard);
      if (other != null) {
        problems.add(tensor + "expected in one shard, found in " + other + " and " + shard);
      } else if (!weightMap.containsKey(name)) {
        problems.add(tensor + "expected in weight_map, found only in " + shard);
      } else if (!weightMap.get(name).equals(shard)) {
        problems.add(
            tensor + "expected in " + weightMap.get(name) + " by weight_map, found in " + shard);
      }
    }
  }

  private static LoadException nothingToOpen(
      Storage storage, Location folder, String single, String index) {
    List<String> names = storage.list(folder);
    // the names that HuggingFace gives come first
    List<String> pickles =
        names.stream()
            .filter(Pickles::areWeights)
            .sorted((a, b) -> Boolean.compare(b.contains("_model"), a.contains("_model")))
            .toList();
    if (!pickles.isEmpty()) {
      return new LoadException(folder.toString(), Pickles.refusal(pickles));
    }
    String more =
        names.size() > MOST_NAMES ? ", … and " + (names.size() - MOST_NAMES) + " more" : "";
    String holds =
        names.isEmpty()
            ? "an empty folder"
            : String.join(", ", names.stream().limit(MOST_NAMES).map(Shown::plain).toList()) + more;
    return new LoadException(
        folder.toString(), "expected " + single + " or " + index + ", found " + holds);
  }
}
