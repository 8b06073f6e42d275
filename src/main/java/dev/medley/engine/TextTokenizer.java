package dev.medley.engine;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** HuggingFace's own tokenizer, from {@code tokenizer.json}. For use by many threads. */
final class TextTokenizer implements AutoCloseable {
  private static final String FILE = "tokenizer.json";

  /** Keys of {@code tokenizer_config.json}, and a BertNormalizer's names for the same. */
  private static final Map<String, String> NORMALIZER_KEYS =
      new TreeMap<>(
          Map.of(
              "do_lower_case", "lowercase",
              "strip_accents", "strip_accents",
              "tokenize_chinese_chars", "handle_chinese_chars"));

  /** Classes of transformers that take {@code tokenizer.json} as it is. */
  private static final Set<String> GENERIC = Set.of("PreTrainedTokenizerFast", "TokenizersBackend");

  private final HuggingFaceTokenizer tokenizer;
  private final int maxTokens;
  private final boolean lowerCase;
  private final String unknown;

  private TextTokenizer(
      HuggingFaceTokenizer tokenizer, int maxTokens, boolean lowerCase, String unknown) {
    this.tokenizer = tokenizer;
    this.maxTokens = maxTokens;
    this.lowerCase = lowerCase;
    this.unknown = unknown;
  }

  /**
   * A tokenizer that cuts at the smallest limit there is: the model's positions, the tokenizer's
   * {@code model_max_length}, for embeddings sentence-transformers' {@code max_seq_length}.
   *
   * @param positions of the model
   * @param maxLength the caller's own limit in place of the last two; 0 for none
   * @param sentenceFiles read for embeddings only
   * @throws IllegalArgumentException where the caller's limit is above the model's, or leaves no
   *     room for a text between the special tokens
   * @throws LoadException where the files cannot be used, or their own limit leaves no room
   */
  static TextTokenizer of(
      Storage storage,
      Location folder,
      Task task,
      int positions,
      int maxLength,
      SentenceFiles sentenceFiles) {
    if (task instanceof FeatureExtraction embedding) {
      sentenceFiles.check(embedding);
    }
    if (maxLength > positions) {
      throw new IllegalArgumentException(
          "max-length: expected at most "
              + positions
              + ", the positions of this model, got "
              + maxLength);
    }
    int limit = Math.min(positions, maxLength);
    if (maxLength == 0) {
      limit = Math.min(positions, modelMaxLength(storage, folder));
      if (sentenceFiles.maxSeqLength() > 0) {
        limit = Math.min(limit, sentenceFiles.maxSeqLength());
      }
    }
    TextTokenizer tokenizer = load(storage, folder, limit, sentenceFiles.lowerCase());
    try {
      tokenizer.checkRoom(folder, maxLength);
      return tokenizer;
    } catch (RuntimeException e) {
      tokenizer.close();
      throw e;
    }
  }

  /** With no more tokens than the special ones, cutting is off or leaves those alone. */
  private void checkRoom(Location folder, int maxLength) {
    int special = 0;
    for (boolean mark : encode("").special()) {
      special += mark ? 1 : 0;
    }
    if (maxTokens > special) {
      return;
    }
    String expected =
        "expected at least "
            + (special + 1)
            + " tokens, "
            + special
            + " special ones and one of the text, ";
    if (maxLength > 0) {
      throw new IllegalArgumentException("max-length: " + expected + "got " + maxLength);
    }
    throw new LoadException(
        folder.toString(),
        expected
            + "found "
            + maxTokens
            + ", the least of the model's positions, model_max_length of tokenizer_config.json and"
            + " max_seq_length of sentence_bert_config.json; correct it, or set max-length");
  }

  /**
   * Reads the tokenizer. Whatever truncation and padding its file asks for is replaced, as
   * transformers does.
   *
   * <p>Transformers' classes for BERT also replace the file's normalizer by what {@code
   * tokenizer_config.json} says. Where that would be another one, texts would get other ids in
   * Python, and the folder is refused.
   *
   * @param maxTokens longer texts are cut
   * @param lowerCase whether texts are put in lower case first, as sentence-transformers may ask
   */
  static TextTokenizer load(Storage storage, Location folder, int maxTokens, boolean lowerCase) {
    Path file = storage.fetchIfExists(folder.resolve(FILE)).orElseThrow(() -> missing(folder));
    checkNormalizer(storage, folder, file);
    Map<String, String> options =
        Map.of(
            "addSpecialTokens", "true",
            "withOverflowingTokens", "true",
            "padding", "do_not_pad",
            "truncation", "longest_first",
            "stride", "0",
            "maxLength", Integer.toString(maxTokens),
            "modelMaxLength", Integer.toString(maxTokens));
    checkLength(folder, file);
    try (InputStream in = Files.newInputStream(file)) {
      HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.newInstance(in, options);
      return new TextTokenizer(tokenizer, maxTokens, lowerCase, unknownToken(storage, folder));
    } catch (IOException | RuntimeException e) {
      throw new LoadException(folder.resolve(FILE).toString(), "is no tokenizer: " + e, e);
    }
  }

  /** The library reads it whole. */
  private static void checkLength(Location folder, Path file) {
    if (file.toFile().length() > JsonObject.LARGEST) {
      throw new LoadException(
          folder.resolve(FILE).toString(),
          "expected at most " + JsonObject.LARGEST + " bytes, found " + file.toFile().length());
    }
  }

  private static void checkNormalizer(Storage storage, Location folder, Path file) {
    JsonObject config = config(storage, folder);
    if (config == null || GENERIC.contains(config.string("tokenizer_class", ""))) {
      return;
    }
    if (NORMALIZER_KEYS.keySet().stream().noneMatch(config::has)) {
      return;
    }
    JsonNode normalizer = JsonObject.read(file, folder.resolve(FILE).toString()).node("normalizer");
    if (normalizer == null || !normalizer.path("type").asText().equals("BertNormalizer")) {
      return;
    }
    NORMALIZER_KEYS.forEach(
        (key, name) -> {
          boolean lowerCase = normalizer.path("lowercase").asBoolean();
          boolean found = normalizer.path(name).asBoolean(lowerCase); // null: as lowercase
          boolean said = config.bool(key, found);
          if (said != found) {
            config.problem(
                key
                    + ": "
                    + said
                    + ", and "
                    + normalizer.path(name)
                    + " as the normalizer's "
                    + name
                    + " in "
                    + folder.resolve(FILE)
                    + "; transformers follows the former; in Python,"
                    + " AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes both"
                    + " alike");
          }
        });
    config.ignoreMatching(key -> true);
    config.done();
  }

  /** {@code model_max_length} of {@code tokenizer_config.json}; transformers' 10³⁰ means none. */
  static int modelMaxLength(Storage storage, Location folder) {
    JsonObject json = config(storage, folder);
    double length = json == null ? 0 : json.number("model_max_length", 0);
    return length <= 0 || length > Integer.MAX_VALUE ? Integer.MAX_VALUE : (int) length;
  }

  /** How the vocabulary writes a word that it lacks; null where nobody says. */
  private static String unknownToken(Storage storage, Location folder) {
    JsonObject json = config(storage, folder);
    JsonNode token = json == null ? null : json.node("unk_token");
    return token == null ? null : token.path("content").asText(token.asText(null));
  }

  private static JsonObject config(Storage storage, Location folder) {
    Location file = folder.resolve("tokenizer_config.json");
    return storage.exists(file) ? JsonObject.read(storage, file) : null;
  }

  int maxTokens() {
    return maxTokens;
  }

  /** A text with its special tokens. All but a first token can be scored. */
  Tokens encode(String text) {
    return encode(text, true);
  }

  /** A text that has the special tokens it needs in it, as a rendered chat does. */
  Tokens encodeChat(String text) {
    return encode(text, false);
  }

  /**
   * A completion after a prompt, as lm-evaluation-harness encodes the pair: together, and the
   * prompt's tokens are as many as the prompt has alone. Blanks at its end go to the completion,
   * and special tokens that a tokenizer adds at the end are left out.
   */
  Tokens encode(String prompt, String completion) {
    String context = prompt.stripTrailing();
    Tokens all = encode(prompt + completion).withoutEnd();
    int before = context.isEmpty() ? 0 : encode(context).withoutEnd().ids().length;
    return all.scoring(Math.max(0, Math.min(all.scored(), all.ids().length - before)));
  }

  private Tokens encode(String text, boolean addSpecialTokens) {
    String seen = lowerCase ? text.toLowerCase(Locale.ROOT) : text; // may have another length
    Encoding encoding = tokenizer.encode(seen, addSpecialTokens, true);
    int n = encoding.getIds().length;
    int total = n;
    for (Encoding rest : encoding.getOverflowing()) {
      for (long mark : rest.getSpecialTokenMask()) {
        total += mark == 0 ? 1 : 0;
      }
    }
    String[] words = encoding.getTokens();
    boolean[] special = new boolean[n];
    int[] starts = new int[n];
    int[] ends = new int[n];
    CharSpan[] spans = encoding.getCharTokenSpans();
    for (int i = 0; i < n; i++) {
      special[i] = encoding.getSpecialTokenMask()[i] != 0;
      starts[i] = spans[i] == null ? 0 : spans[i].getStart();
      ends[i] = spans[i] == null ? 0 : spans[i].getEnd();
      if (words[i].equals(unknown) && !special[i]) { // as HF's pipeline shows it
        int start = seen.offsetByCodePoints(0, starts[i]);
        words[i] = seen.substring(start, seen.offsetByCodePoints(start, ends[i] - starts[i]));
      }
    }
    return new Tokens(
        encoding.getIds(),
        encoding.getTypeIds(),
        words,
        special,
        starts,
        ends,
        Math.max(0, n - 1),
        total);
  }

  /** The text of these tokens, without special ones; empty for none. */
  String decode(long[] ids) {
    return tokenizer.decode(ids, true);
  }

  @Override
  public void close() {
    tokenizer.close();
  }

  private static LoadException missing(Location folder) {
    return new LoadException(
        folder.toString(),
        "expected tokenizer.json, found none; in Python, "
            + "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes it");
  }
}
