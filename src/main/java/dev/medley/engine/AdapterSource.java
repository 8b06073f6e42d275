package dev.medley.engine;

import dev.medley.adapter.AdapterConfig;
import dev.medley.io.Checkpoint;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import dev.medley.model.Labels;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Where an adapter is, and what stands in its small files once {@link #resolve} has read them.
 *
 * @param uri path or URI of a PEFT folder, or of an archive of one: {@code .zip}, {@code .tar.gz},
 *     {@code .tgz}
 * @param labels names of its head's labels by id, where the caller gives them; else empty
 * @param sha256 of {@code adapter_model.safetensors}, or of the archive itself, or of the list of
 *     the hashes and names of the files of weights in shards: 64 hexadecimal digits; null for any
 * @param configJson {@code adapter_config.json}; null until resolved
 * @param labelsJson {@code config.json} beside it, from which labels are read; null for none
 * @param version of the weights when they were resolved, so that what is in memory of an older file
 *     is not taken for it; null until then
 */
public record AdapterSource(
    String uri,
    List<String> labels,
    String sha256,
    String configJson,
    String labelsJson,
    String version)
    implements Serializable {
  /** The longest config, in bytes. */
  static final int LARGEST_CONFIG = 10_000_000;

  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final String INDEX = WEIGHTS + ".index.json";

  /** Throws IllegalArgumentException where the hash is none. */
  public AdapterSource {
    if (sha256 != null) {
      sha256 = sha256.toLowerCase(Locale.ROOT);
      if (!sha256.matches("[0-9a-f]{64}")) {
        throw new IllegalArgumentException("sha256: expected 64 hexadecimal digits, got " + sha256);
      }
    }
  }

  /** A folder, nothing read yet. */
  public static AdapterSource of(String uri) {
    return of(uri, List.of());
  }

  /** A folder whose head has these labels. */
  public static AdapterSource of(String uri, List<String> labels) {
    return new AdapterSource(uri, List.copyOf(labels), null, null, null, null);
  }

  /** The same, to be refused where its weights are not those of this hash. */
  public AdapterSource withSha256(String hash) {
    return new AdapterSource(uri, labels, hash, configJson, labelsJson, version);
  }

  /** The same with a path that does not depend on the working folder. */
  public AdapterSource absolute() {
    return new AdapterSource(location().uri(), labels, sha256, configJson, labelsJson, version);
  }

  Location location() {
    return Location.of(uri);
  }

  /** Reads the small files unless that is done, and of a branch on the Hub names the commit. */
  AdapterSource resolve(Storage storage) {
    if (configJson != null) {
      return this;
    }
    Location pinned = storage.pinned(location());
    if (!pinned.equals(location())) {
      return new AdapterSource(pinned.uri(), labels, sha256, null, null, null).resolve(storage);
    }
    if (storage.isArchive(location())) {
      verify(storage); // before anything in it is looked at
    }
    String found = weightsVersion(storage);
    return new AdapterSource(
        uri,
        labels,
        sha256,
        text(storage, "adapter_config.json"),
        storage.exists(location().resolve("config.json")) ? text(storage, "config.json") : null,
        found);
  }

  /** When the weights were last changed, as this machine sees it; empty where there are none. */
  String weightsVersion(Storage storage) {
    String version = storage.version(location().resolve(WEIGHTS));
    if (!version.isEmpty()) {
      return version;
    }
    String index = storage.version(location().resolve(INDEX));
    return index.isEmpty()
        ? ""
        : storage.list(location()).stream()
            .filter(name -> name.endsWith(".safetensors"))
            .map(name -> name + " " + storage.version(location().resolve(name)))
            .collect(Collectors.joining(", ", index + ", ", ""));
  }

  /** Names of the files that hold the weights: one, or shards and their index. */
  List<String> weightFiles(Storage storage) {
    if (storage.exists(location().resolve(WEIGHTS)) || !storage.exists(location().resolve(INDEX))) {
      return List.of(WEIGHTS);
    }
    Set<String> names = new TreeSet<>(Set.of(INDEX));
    Checkpoint.headers(storage, location(), "adapter_model")
        .values()
        .forEach(tensor -> names.add(tensor.file().substring(tensor.file().lastIndexOf('/') + 1)));
    return List.copyOf(names);
  }

  /**
   * What the adapter is, told from its content: the hash of its config, its labels and its weights,
   * wherever they lie. Reads the weights whole.
   *
   * @throws LoadException where it has none, or they cannot be read
   */
  public String contentHash(Storage storage) {
    AdapterSource read = resolve(storage);
    List<String> parts = new ArrayList<>();
    parts.add(Sha256.of(read.configJson));
    parts.add(read.labelsJson == null ? "" : Sha256.of(read.labelsJson));
    parts.add(labels.toString());
    parts.add(String.valueOf(sha256)); // one that does not fit makes errors of its rows
    for (String name : storage.list(location())) {
      if (name.startsWith("adapter_model.") || name.startsWith("adapter_model-")) {
        parts.add(Sha256.of(storage.fetch(location().resolve(name))) + "  " + name);
      }
    }
    return Sha256.of(String.join("\n", parts));
  }

  /**
   * Throws LoadException where the small files are not those that were read before, or the weights;
   * of local weights, whose times each machine has its own of, any will do.
   */
  void checkUnchanged(Storage storage) {
    AdapterSource now = new AdapterSource(uri, labels, sha256, null, null, null).resolve(storage);
    if (!location().isLocal() && !now.version.equals(version)) {
      throw new LoadException(
          location().toString(),
          "its weights have changed since it was validated; start the job again");
    }
    if (!now.configJson.equals(configJson) || !Objects.equals(now.labelsJson, labelsJson)) {
      throw new LoadException(
          location().toString(),
          "its config has changed since it was validated; start the job again");
    }
  }

  private String text(Storage storage, String name) {
    // adapters trained alike share it
    return storage.text(location().resolve(name), LARGEST_CONFIG).intern();
  }

  /** The SHA-256 of what {@code sha256} is of. */
  public String hash(Storage storage) {
    return storage.isArchive(location())
        ? storage.sha256(location())
        : weightsSha256(storage, weightFiles(storage));
  }

  /** The file that {@code sha256} is of; of weights in shards their index. */
  Location hashed(Storage storage) {
    return storage.isArchive(location())
        ? location()
        : location().resolve(weightFiles(storage).size() == 1 ? WEIGHTS : INDEX);
  }

  /** Throws LoadException where a hash is given and the file has another. */
  void verify(Storage storage) {
    if (sha256 == null) {
      return;
    }
    String found = hash(storage);
    if (!found.equals(sha256)) {
      throw new LoadException(
          hashed(storage).toString(),
          "sha256: expected "
              + sha256
              + ", found "
              + found
              + "; the file has changed since the hash was taken");
    }
  }

  /** What was loaded from here, as it is now; reads all of the weights unless a hash is given. */
  Lineage.Member content(String name, Storage storage) {
    return new Lineage.Member(
        name,
        1,
        sha256 == null ? weightsSha256(storage, weightFiles(storage)) : sha256,
        Sha256.of(configJson));
  }

  private String weightsSha256(Storage storage, List<String> files) {
    return files.size() == 1
        ? Sha256.of(storage.fetch(location().resolve(files.get(0))))
        : SetManifest.hashOf(storage, location(), files.stream());
  }

  AdapterConfig config() {
    return AdapterConfig.parse(configJson, location().resolve("adapter_config.json").toString());
  }

  /** Labels of the adapter's own head, without names where nobody gives any. */
  Labels headLabels() {
    Labels beside =
        labelsJson == null
            ? Labels.NONE
            : Labels.parseBeside(
                JsonObject.parse(labelsJson, location().resolve("config.json").toString()));
    return labels.isEmpty() ? beside : new Labels(labels, beside.problemType());
  }

  /** Where it is, without credentials. */
  @Override
  public String toString() {
    return "adapter at " + Location.shown(uri);
  }
}
