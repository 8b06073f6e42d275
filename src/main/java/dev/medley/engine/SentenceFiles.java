package dev.medley.engine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.model.Pooling;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What sentence-transformers' files beside a model say: {@code modules.json}, the folders it names,
 * {@code sentence_bert_config.json} and {@code config_sentence_transformers.json}.
 *
 * @param vectors how a text's vector is made; null where {@code unfit} says why it is not known
 * @param unfit null where {@code vectors} are known
 * @param maxSeqLength most tokens of a row; 0 for no word on it
 * @param lowerCase whether texts are put in lower case
 */
record SentenceFiles(Vectors vectors, LoadException unfit, int maxSeqLength, boolean lowerCase) {
  private static final Vectors NO_FILES = new Vectors(Pooling.MEAN, false);

  private static final Map<String, Pooling> MODES =
      Map.of(
          "pooling_mode_cls_token", Pooling.CLS,
          "pooling_mode_mean_tokens", Pooling.MEAN,
          "pooling_mode_max_tokens", Pooling.MAX,
          "pooling_mode_lasttoken", Pooling.LAST);

  /**
   * How a text's vector is made of its tokens'.
   *
   * @param pooling mean where there are no files
   * @param normalize whether vectors get length 1
   */
  private record Vectors(Pooling pooling, boolean normalize) {}

  /**
   * Reads the files for embeddings; other tasks have nothing to do with them.
   *
   * @throws LoadException where texts cannot be treated as the files say
   */
  static SentenceFiles of(Storage storage, Location folder, Head head) {
    if (head != Head.NONE) {
      return new SentenceFiles(NO_FILES, null, 0, false);
    }
    checkPrompt(storage, folder.resolve("config_sentence_transformers.json"));
    Vectors vectors = null;
    LoadException unfit = null;
    try {
      vectors = vectors(storage, folder);
    } catch (LoadException e) {
      unfit = e;
    }
    Location sentence = folder.resolve("sentence_bert_config.json");
    if (!storage.exists(sentence)) {
      return new SentenceFiles(vectors, unfit, 0, false);
    }
    JsonObject json = JsonObject.read(storage, sentence);
    long maxSeqLength = json.positiveInteger("max_seq_length", 0);
    boolean lowerCase = json.bool("do_lower_case", false);
    // Newer versions repeat here how the transformer is built, which config.json says.
    json.ignoreMatching(key -> key.endsWith("_args") || key.endsWith("_kwargs"));
    json.ignore("transformer_task", "modality_config", "module_output_name");
    json.done();
    int limit = (int) Math.min(maxSeqLength, Integer.MAX_VALUE);
    return new SentenceFiles(vectors, unfit, limit, lowerCase);
  }

  /** Throws LoadException where the task asks for what these files do not say. */
  void check(FeatureExtraction task) {
    if (unfit != null && (task.pooling() == null || task.normalize() == null)) {
      throw unfit;
    }
  }

  /** Mean where there are no such files. */
  Pooling pooling() {
    return vectors.pooling;
  }

  /** Whether vectors get length 1. */
  boolean normalize() {
    return vectors.normalize;
  }

  /** Python would put the default prompt before every text. */
  private static void checkPrompt(Storage storage, Location file) {
    if (!storage.exists(file)) {
      return;
    }
    JsonObject json = JsonObject.read(storage, file);
    json.ignore("__version__", "prompts", "similarity_fn_name", "model_type");
    json.refuseIfSet(
        "sentence-transformers would put that prompt before every text; put it into the texts and"
            + " set the key to null",
        "default_prompt_name");
    json.done();
  }

  private static Vectors vectors(Storage storage, Location folder) {
    Location list = folder.resolve("modules.json");
    if (!storage.exists(list)) {
      return NO_FILES;
    }
    Pooling pooling = Pooling.MEAN;
    boolean normalize = false;
    for (JsonNode module : modules(storage, list)) {
      JsonObject json = JsonObject.parse(module.toString(), list.toString());
      json.ignore("idx", "name");
      String type = json.string("type");
      String path = json.string("path", "");
      json.done();
      switch (kind(type)) {
        case "Transformer" -> {}
        case "Normalize" -> normalize = true;
        case "Pooling" -> {
          Location config = below(folder, path, list).resolve("config.json");
          pooling = pooling(JsonObject.read(storage, config));
        }
        default ->
            throw new LoadException(
                list.toString(),
                "type: expected Transformer, Pooling or Normalize of sentence_transformers, found "
                    + type
                    + "; to go without it, set pooling and normalize");
      }
    }
    return new Vectors(pooling, normalize);
  }

  /** The class without its package; the author's own code is never taken for the library's. */
  private static String kind(String type) {
    return type.startsWith("sentence_transformers.")
        ? type.substring(type.lastIndexOf('.') + 1)
        : "";
  }

  private static Location below(Location folder, String path, Location list) {
    try {
      return folder.resolve(path);
    } catch (IllegalArgumentException e) {
      throw new LoadException(list.toString(), "path: " + e.getMessage(), e);
    }
  }

  /** The list, read as strictly as any other document: as the one key of an object. */
  private static JsonNode modules(Storage storage, Location list) {
    String text = storage.text(list, JsonObject.LARGEST);
    JsonObject json = JsonObject.parse("{\"modules\": " + text + "}", list.toString());
    JsonNode modules = json.node("modules");
    json.done();
    if (modules == null || !modules.isArray()) {
      throw new LoadException(list.toString(), "expected a list of modules, found " + modules);
    }
    return modules;
  }

  private static Pooling pooling(JsonObject json) {
    json.ignore("word_embedding_dimension", "embedding_dimension", "include_prompt");
    List<Pooling> chosen = new ArrayList<>();
    MODES.forEach(
        (key, mode) -> {
          if (json.bool(key, false)) {
            chosen.add(mode);
          }
        });
    String named = json.string("pooling_mode", null);
    if (named != null) {
      switch (named) {
        case "mean" -> chosen.add(Pooling.MEAN);
        case "cls" -> chosen.add(Pooling.CLS);
        case "max" -> chosen.add(Pooling.MAX);
        case "lasttoken" -> chosen.add(Pooling.LAST);
        default ->
            json.problem("pooling_mode: expected mean, cls, max or lasttoken, found " + named);
      }
    }
    json.refuseIfSet(
        "only mean, cls, max and lasttoken are",
        "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens");
    if (chosen.size() != 1) {
      json.problem("expected one pooling mode, found " + chosen);
    }
    json.done();
    return chosen.get(0);
  }
}
