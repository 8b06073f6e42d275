package dev.medley.model;

import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.JsonObject;
import dev.medley.model.layer.Activation;
import dev.medley.model.layer.DecoderLayer;
import dev.medley.model.layer.Embedding;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Norm;
import dev.medley.model.layer.Rope;
import dev.medley.model.layer.Scope;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * What the configs of decoders with rotary positions have in common, and GPT-2's under other names.
 *
 * @param tied whether the head is the table of tokens where the checkpoint has no head
 * @param padTokenId null for none
 */
record DecoderConfig(
    int vocabSize,
    int hiddenSize,
    int numHiddenLayers,
    int intermediateSize,
    int maxPositionEmbeddings,
    boolean tied,
    Long padTokenId) {

  /** {@code tied} where the config does not say. */
  static DecoderConfig parse(JsonObject json, boolean tied) {
    json.ignore("attention_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop");
    json.ignore("initializer_range", "pretraining_tp");
    int vocabSize = (int) json.positiveInteger("vocab_size");
    return new DecoderConfig(
        vocabSize,
        (int) json.positiveInteger("hidden_size"),
        (int) json.positiveInteger("num_hidden_layers"),
        (int) json.positiveInteger("intermediate_size"),
        (int) json.positiveInteger("max_position_embeddings"),
        json.bool("tie_word_embeddings", tied),
        padTokenId(json));
  }

  static Long padTokenId(JsonObject json) {
    long id = json.integer("pad_token_id", -1); // some configs say −1 themselves
    return id < 0 ? null : id;
  }

  /** The name is HF's {@code hidden_act}. */
  static Activation silu(JsonObject json) {
    return Activation.parse(json, "hidden_act", "silu");
  }

  /**
   * How many tokens each layer sees, by HF's {@code layer_types}.
   *
   * @param window of the layers that slide
   * @param orElse whether a layer slides where the config has no list
   * @return 0 for all tokens
   */
  int[] windows(JsonObject json, int window, IntPredicate orElse) {
    List<String> types = json.strings("layer_types");
    int[] windows = new int[numHiddenLayers];
    if (!types.isEmpty() && types.size() != numHiddenLayers) {
      json.problem(
          "layer_types: expected " + numHiddenLayers + ", one a layer, found " + types.size());
      return windows;
    }
    for (int i = 0; i < windows.length; i++) {
      boolean slides = types.isEmpty() ? orElse.test(i) : types.get(i).equals("sliding_attention");
      if (!types.isEmpty() && !slides && !types.get(i).equals("full_attention")) {
        json.problem(
            "layer_types["
                + i
                + "]: expected full_attention or sliding_attention, found "
                + types.get(i));
      }
      windows[i] = slides ? window : 0;
    }
    return windows;
  }

  /** {@code sliding_window}, which is none where it is null; 0 for none. */
  static int slidingWindow(JsonObject json, int orElse) {
    long window =
        json.positiveInteger("sliding_window", json.isNull("sliding_window") ? 1 : orElse);
    return json.isNull("sliding_window") ? 0 : (int) Math.min(Integer.MAX_VALUE, window);
  }

  /** A linear map that has a bias where the config says so. */
  static Linear linear(Scope layer, String name, long out, long in, boolean hasBias) {
    return hasBias ? layer.linear(name, out, in) : layer.projection(name, out, in);
  }

  /** The head of the task; null for none. Enters the heads that are not run, too. */
  Linear head(Head head, Scope top, Embedding words) {
    Scope idle = top.idle(Place.IDLE_HEAD);
    Embedding tie = tied ? words : null;
    if (head == Head.SEQUENCE) {
      idle.lmHead("lm_head", vocabSize, hiddenSize, tie);
      return top.scores("score", hiddenSize);
    }
    idle.scores("score", hiddenSize);
    Linear lmHead =
        (head == Head.CAUSAL_LM ? top : idle).lmHead("lm_head", vocabSize, hiddenSize, tie);
    return head == Head.CAUSAL_LM ? lmHead : null;
  }

  /** The whole of it, where the first layer sees the words as they are. */
  Decoder decoder(Rope rope, Embedding words, List<DecoderLayer> layers, Norm norm, Linear scores) {
    return new Decoder(
        vocabSize,
        rope.maxTokens(),
        rope.restartAt(),
        padTokenId,
        (batch, rows) -> words.forward(batch.ids(), rows),
        layers,
        norm,
        scores,
        0);
  }
}
