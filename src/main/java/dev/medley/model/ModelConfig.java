package dev.medley.model;

import dev.medley.io.JsonObject;
import java.util.List;

/**
 * What {@code config.json} says whatever the architecture: HF's {@code PretrainedConfig}.
 *
 * @param architectures HF classes that the checkpoint was saved from, such as BertModel
 * @param labels of the checkpoint's head
 */
record ModelConfig(List<String> architectures, Labels labels) {

  /** Defaults for generation, which old versions of transformers wrote into every config. */
  private static final List<String> GENERATION =
      List.of(
          "bad_words_ids",
          "begin_suppress_tokens",
          "diversity_penalty",
          "do_sample",
          "early_stopping",
          "encoder_no_repeat_ngram_size",
          "exponential_decay_length_penalty",
          "forced_bos_token_id",
          "forced_eos_token_id",
          "length_penalty",
          "max_length",
          "min_length",
          "no_repeat_ngram_size",
          "num_beam_groups",
          "num_beams",
          "num_return_sequences",
          "output_scores",
          "prefix",
          "remove_invalid_values",
          "repetition_penalty",
          "return_dict_in_generate",
          "suppress_tokens",
          "temperature",
          "tf_legacy_loss",
          "top_k",
          "top_p",
          "typical_p");

  static ModelConfig parse(JsonObject json) {
    json.ignore("model_type", "transformers_version", "_name_or_path", "tokenizer_class", "name");
    json.ignore("torch_dtype", "dtype", "torchscript", "use_bfloat16", "xla_device");
    json.ignore("use_cache", "gradient_checkpointing", "output_past", "return_dict");
    json.ignore("output_hidden_states", "output_attentions", "use_return_dict");
    json.ignore("bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id");
    json.ignore("unk_token_id", "mask_token_id", "decoder_start_token_id", "language");
    json.ignore("auto_map"); // code that transformers has itself, for what is not refused below
    json.ignore("tie_word_embeddings", "tie_weights_", "tie_encoder_decoder");
    json.ignore("chunk_size_feed_forward", "finetuning_task", "task_specific_params");
    json.ignore("directionality", "attn_implementation", "_attn_implementation");
    json.ignore("_attn_implementation_autoset", "sentence_transformers", "_num_labels");
    json.ignore("transformers.js_config");
    json.ignoreMatching(key -> key.startsWith("unsloth_"));
    GENERATION.forEach(json::ignore);
    // BERT's multilingual checkpoints describe a pooler of TensorFlow times that nobody runs.
    json.ignoreMatching(key -> key.startsWith("pooler_"));
    json.refuseIfSet("removes heads, which is not supported", "pruned_heads");
    json.refuseIfSet(
        "stores weights in another form, which is not supported", "quantization_config");
    return new ModelConfig(json.strings("architectures"), Labels.parse(json));
  }

  /** What makes something else of an encoder. */
  static void refuseDecoder(JsonObject json) {
    json.refuseIfSet("needs code from the model's author, which is never run", "auto_map");
    json.refuseIfSet("makes a decoder of an encoder", "is_decoder", "add_cross_attention");
    json.refuseIfSet(
        "makes a decoder of an encoder", "is_encoder_decoder", "cross_attention_hidden_size");
  }

  /** Id of the token that fills rows up: a row of the embeddings, as every id is. */
  static long padTokenId(JsonObject json, long vocabSize, long orElse) {
    long id = json.integer("pad_token_id", orElse);
    if (id < 0 || id >= vocabSize) {
      json.problem(
          "pad_token_id: expected an id from 0 to "
              + (vocabSize - 1)
              + ", as vocab_size says, found "
              + id);
    }
    return id;
  }

  /** Number of attention heads, each of which sees an equal share of the width. */
  static int heads(JsonObject json, String key, String widthKey, long width) {
    long heads = json.positiveInteger(key);
    if (width % heads != 0) {
      json.problem(
          key + ": expected a divisor of " + widthKey + ", which is " + width + ", found " + heads);
    }
    return (int) heads;
  }

  static void refuseRelativePositions(JsonObject json) {
    String kind = json.string("position_embedding_type", "absolute");
    if (!kind.equals("absolute")) {
      json.problem("position_embedding_type: expected absolute, found " + kind);
    }
  }

  /** Whether a checkpoint of these classes can hold the head of a task. */
  boolean hasHead(Head head) {
    return architectures.isEmpty() || architectures.stream().anyMatch(head::isIn);
  }
}
