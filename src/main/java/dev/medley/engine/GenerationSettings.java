package dev.medley.engine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * How continuations are made, with nothing left open: what the job says, else the model's {@code
 * generation_config.json}, else what {@code model.generate} of transformers 5.18 does. That is 50
 * for {@code top_k}, also where the file has none, and no min-p.
 *
 * <p>A model without that file has these keys in {@code config.json}, as transformers' {@code
 * from_model_config} reads them. With the file, {@code config.json} has no say, not even on {@code
 * eos_token_id}.
 *
 * @param maxNewTokens 64 where nobody says
 * @param maxLength most tokens of prompt and continuation together: {@code max_length}, which
 *     counts only where nobody gives {@code max_new_tokens}, as in HF; Integer.MAX_VALUE for none
 * @param minNewTokens before so many, no end-of-sequence token is chosen
 * @param doSample where false, {@code temperature}, {@code topK}, {@code topP} and {@code minP} are
 *     not looked at
 * @param topK 0 for all
 * @param topP 1 for all
 * @param minP 0 for all
 * @param repetitionPenalty 1 for none
 */
record GenerationSettings(
    int maxNewTokens,
    int maxLength,
    int minNewTokens,
    boolean doSample,
    double temperature,
    int topK,
    double topP,
    double minP,
    double repetitionPenalty,
    List<String> stop,
    Set<Long> eosTokenIds,
    long seed) {
  private static final int MAX_NEW_TOKENS = 64;

  private static final String FILE = "generation_config.json";

  /** Keys that change no continuation: speed, memory, beams' own, other outputs, other ids. */
  private static final String[] IGNORED = {
    "assistant_confidence_threshold",
    "assistant_early_exit", // assisted decoding without an ensemble gives what plain decoding does
    "assistant_lookbehind",
    "bos_token_id",
    "cache_config",
    "cache_implementation",
    "compile_config",
    "continuous_batching_config",
    "decoder_start_token_id",
    "disable_compile",
    "diversity_penalty",
    "early_stopping",
    "is_assistant",
    "length_penalty",
    "low_memory",
    "max_cache_len",
    "max_matching_ngram_size",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "pad_token_id",
    "prefill_chunk_size",
    "prompt_lookup_num_tokens",
    "remove_invalid_values", // such logits are an error here
    "renormalize_logits", // a draw is from normalized ones
    "return_dict_in_generate",
    "speculation_type",
    "target_lookbehind",
    "transformers_version",
    "use_cache",
    "use_mtp",
    "_commit_hash",
    "_from_model_config",
    "_original_object_hash"
  };

  /** Numbers that change continuations, with the one that does not. */
  private static final Map<String, Double> ONLY =
      Map.of(
          "num_beams", 1.0,
          "num_beam_groups", 1.0,
          "num_return_sequences", 1.0,
          "no_repeat_ngram_size", 0.0,
          "encoder_no_repeat_ngram_size", 0.0,
          "encoder_repetition_penalty", 1.0,
          "guidance_scale", 1.0,
          "min_length", 0.0,
          "penalty_alpha", 0.0);

  /** The same for keys that count in draws alone. */
  private static final Map<String, Double> ONLY_IN_DRAWS =
      Map.of("typical_p", 1.0, "epsilon_cutoff", 0.0, "eta_cutoff", 0.0);

  private static final String[] REFUSED = {
    "assistant_ensemble_weight",
    "bad_words_ids",
    "begin_suppress_tokens",
    "constraints",
    "dola_layers",
    "exponential_decay_length_penalty",
    "force_words_ids",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "max_time",
    "sequence_bias",
    "suppress_tokens",
    "token_healing",
    "watermarking_config"
  };

  GenerationSettings {
    stop = List.copyOf(stop);
    eosTokenIds = Set.copyOf(eosTokenIds);
  }

  /**
   * Settles what a job leaves open.
   *
   * @param folder of the base model
   * @throws dev.medley.io.LoadException where the model's file asks for what is not supported, has
   *     a number out of its range that the job does not replace, or a key that nobody knows
   */
  static GenerationSettings of(Storage storage, Location folder, TextGeneration asked) {
    Location file = folder.resolve(FILE);
    boolean own = storage.exists(file);
    JsonObject json = JsonObject.read(storage, own ? file : folder.resolve("config.json"));
    GenerationSettings settings = read(json, asked);
    if (!own) {
      json.ignoreMatching(key -> true); // an architecture's, which reads them
    }
    json.done();
    return settings;
  }

  private static GenerationSettings read(JsonObject json, TextGeneration asked) {
    boolean doSample = json.bool("do_sample", false);
    if (asked.doSample() != null) {
      doSample = asked.doSample();
    }
    json.ignore(IGNORED);
    json.refuseIfSet("it would change the continuations", REFUSED);
    ONLY.forEach((key, value) -> only(json, key, value));
    if (doSample) {
      ONLY_IN_DRAWS.forEach((key, value) -> only(json, key, value));
      json.refuseIfSet("it would change the continuations", "top_h");
    } else {
      ONLY_IN_DRAWS.keySet().forEach(json::ignore);
      json.ignore("top_h", "temperature", "top_k", "top_p", "min_p");
    }
    int maxLength = whole(json, "max_length", Range.POSITIVE_INTEGER, null, Integer.MAX_VALUE);
    boolean ofPrompt = asked.maxNewTokens() == null && !json.has("max_new_tokens");
    boolean byLength = ofPrompt && maxLength < Integer.MAX_VALUE;
    int maxNewTokens =
        whole(
            json,
            "max_new_tokens",
            Range.POSITIVE_INTEGER,
            asked.maxNewTokens(),
            byLength ? maxLength : MAX_NEW_TOKENS);
    return new GenerationSettings(
        maxNewTokens,
        byLength ? maxLength : Integer.MAX_VALUE,
        whole(json, "min_new_tokens", Range.COUNT, null, 0),
        doSample,
        doSample ? number(json, "temperature", Range.POSITIVE, asked.temperature(), 1) : 1,
        doSample ? whole(json, "top_k", Range.COUNT, asked.topK(), 50) : 0,
        doSample ? number(json, "top_p", Range.ABOVE_0_TO_1, asked.topP(), 1) : 1,
        doSample ? number(json, "min_p", Range.FROM_0_TO_1, asked.minP(), 0) : 0,
        number(json, "repetition_penalty", Range.POSITIVE, asked.repetitionPenalty(), 1),
        asked.stop() == null ? stop(json) : ignoring(json, "stop_strings", asked.stop()),
        asked.eosTokenIds() == null
            ? eos(json)
            : ignoring(json, "eos_token_id", new LinkedHashSet<>(asked.eosTokenIds())),
        asked.seed());
  }

  /** Most tokens that a prompt of this length may be continued by; below 1 where it is too long. */
  int limit(int promptTokens) {
    return Math.min(maxNewTokens, maxLength - promptTokens);
  }

  private static void only(JsonObject json, String key, double neutral) {
    double found = json.number(key, neutral);
    if (found != neutral) {
      json.problem(
          key
              + ": "
              + Range.shown(found)
              + " is not supported: it would change the continuations; only "
              + Range.shown(neutral)
              + " is");
    }
  }

  private static int whole(JsonObject json, String key, Range range, Integer asked, int otherwise) {
    if (asked != null) {
      return ignoring(json, key, asked);
    }
    long found = json.integer(key, otherwise);
    check(json, key, range, found);
    return (int) Math.min(found, Integer.MAX_VALUE);
  }

  private static double number(
      JsonObject json, String key, Range range, Double asked, double otherwise) {
    if (asked != null) {
      return ignoring(json, key, asked);
    }
    double found = json.number(key, otherwise);
    check(json, key, range, found);
    return found;
  }

  private static void check(JsonObject json, String key, Range range, Number found) {
    range
        .problem(found)
        .ifPresent(
            expected -> json.problem(key + ": " + expected + ", found " + Range.shown(found)));
  }

  /** The job's own, whatever the file has. */
  private static <T> T ignoring(JsonObject json, String key, T asked) {
    json.ignore(key);
    return asked;
  }

  private static List<String> stop(JsonObject json) {
    JsonNode node = json.node("stop_strings");
    List<String> stop =
        node != null && node.isTextual() ? List.of(node.textValue()) : json.strings("stop_strings");
    if (stop.contains("")) {
      json.problem("stop_strings: expected texts of at least one character, found \"\"");
    }
    return stop;
  }

  /** A number or a list of them. */
  private static Set<Long> eos(JsonObject json) {
    JsonNode node = json.node("eos_token_id");
    List<JsonNode> ids = new ArrayList<>();
    if (node != null && node.isArray()) {
      node.forEach(ids::add);
    } else if (node != null) {
      ids.add(node);
    }
    Set<Long> eos = new LinkedHashSet<>();
    for (JsonNode id : ids) {
      if (id.isIntegralNumber() && id.canConvertToLong()) {
        eos.add(id.longValue());
      } else {
        json.problem("eos_token_id: expected a number or a list of numbers, found " + node);
      }
    }
    return eos;
  }
}
