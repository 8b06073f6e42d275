package dev.medley.engine;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;

/**
 * A loaded adapter's files on their way into a folder, as PEFT lays them out, and its labels in a
 * {@code config.json}, where it has any.
 *
 * @param source as it was loaded
 */
record SavedAdapter(Storage storage, AdapterSource source, Path folder) {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /**
   * Throws LoadException where files have changed since they were loaded, and
   * IllegalArgumentException where the folder has a {@code config.json} of a model: the adapter
   * would get its labels, or the model the adapter's.
   */
  void check() {
    checkUnchanged(source, storage);
    try {
      if (!staysAsItIs() && Files.exists(folder.resolve("config.json")) && !isAnAdapters()) {
        throw new IllegalArgumentException(
            folder
                + ": expected no config.json of a model, from which the adapter's labels would be"
                + " read, found one; save the adapter in a folder of its own");
      }
    } catch (IOException e) {
      throw PeftModel.unwritable(folder, e);
    }
  }

  /** Throws LoadException where an adapter's files are not those that were loaded. */
  static void checkUnchanged(AdapterSource source, Storage storage) {
    source.checkUnchanged(storage);
    if (!source.weightsVersion(storage).equals(source.version())) {
      throw new LoadException(
          source.location().toString(),
          "its weights have changed since they were loaded; load the adapter again");
    }
  }

  /** Whether it is saved where it came from. */
  private boolean staysAsItIs() throws IOException {
    return source.labels().isEmpty()
        && source.location().isLocal()
        && Files.isDirectory(folder)
        && Files.isDirectory(source.location().path())
        && Files.isSameFile(folder, source.location().path());
  }

  /** Whether the folder is one that an adapter was saved in, and no model's. */
  private boolean isAnAdapters() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      List<String> names = files.map(file -> file.getFileName().toString()).toList();
      return names.contains("adapter_config.json")
          && names.stream().noneMatch(name -> name.matches("(pytorch_)?model[.-].*"));
    }
  }

  /** What an earlier adapter left in the folder is replaced or deleted. */
  void write() throws IOException {
    if (staysAsItIs()) {
      return;
    }
    Files.createDirectories(folder);
    List<String> weights = source.weightFiles(storage);
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.matches("adapter_model[.-].*") && !weights.contains(name)) {
          Files.delete(file); // a single file would count more than the shards
        }
      }
    }
    for (String name : weights) {
      Files.copy(
          storage.fetch(source.location().resolve(name)),
          folder.resolve(name),
          StandardCopyOption.REPLACE_EXISTING);
    }
    Files.writeString(folder.resolve("adapter_config.json"), source.configJson());
    String labels = labels();
    Path file = folder.resolve("config.json");
    if (labels == null) {
      Files.deleteIfExists(file);
    } else {
      Files.writeString(file, labels);
    }
  }

  /** The document beside the adapter, with the labels that the caller gave; null for none. */
  private String labels() throws IOException {
    if (source.labels().isEmpty()) {
      return source.labelsJson();
    }
    ObjectNode json =
        source.labelsJson() == null
            ? JSON.createObjectNode()
            : (ObjectNode) JSON.readTree(source.labelsJson());
    MergedModel.putLabels(json, source.labels());
    return JSON.writeValueAsString(json) + "\n";
  }
}
