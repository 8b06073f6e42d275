package dev.medley.model;

import static dev.medley.model.DecoderConfig.linear;

import dev.medley.io.JsonObject;
import dev.medley.model.layer.Activation;
import dev.medley.model.layer.DecoderLayer;
import dev.medley.model.layer.Embedding;
import dev.medley.model.layer.GatedMlp;
import dev.medley.model.layer.Heads;
import dev.medley.model.layer.PreNormLayer;
import dev.medley.model.layer.RmsNorm;
import dev.medley.model.layer.RmsNorm.Gain;
import dev.medley.model.layer.Rope;
import dev.medley.model.layer.RotaryAttention;
import dev.medley.model.layer.Scope;
import java.util.ArrayList;
import java.util.List;

/**
 * Qwen 2 (arXiv 2407.10671), also 2.5, with biases in its projections to queries, keys and values,
 * and Qwen 3 (arXiv 2505.09388), which normalises each head's queries and keys. Upper layers may
 * see a window of the last tokens.
 */
final class Qwen {
  private Qwen() {}

  static Decoder qwen2(JsonObject json, Scope base, Scope top, Head head) {
    return build(json, base, top, head, 0);
  }

  static Decoder qwen3(JsonObject json, Scope base, Scope top, Head head) {
    return build(json, base, top, head, 128);
  }

  /** {@code headDim} is Qwen 3's default; 0 for Qwen 2. */
  private static Decoder build(JsonObject json, Scope base, Scope top, Head head, int headDim) {
    boolean normalises = headDim > 0;
    DecoderConfig config = DecoderConfig.parse(json, false);
    Heads heads = Heads.parse(json, config.hiddenSize(), headDim);
    int[] windows = windows(json, config);
    boolean inputBias = !normalises || json.bool("attention_bias", false);
    boolean outputBias = normalises && inputBias;
    Rope rope = Rope.parse(json, heads.width(), config.maxPositionEmbeddings());
    double eps = json.positiveNumber("rms_norm_eps", 1e-6);
    Activation activation = DecoderConfig.silu(json);
    long h = config.hiddenSize();
    Embedding words = base.words("embed_tokens", config.vocabSize(), h);
    List<DecoderLayer> layers = new ArrayList<>();
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      Scope layer = base.child("layers." + i);
      Scope attention = layer.child("self_attn");
      layers.add(
          new PreNormLayer(
              layer.rmsNorm("input_layernorm", h, eps, Gain.WEIGHT),
              new RotaryAttention(
                  i,
                  heads.within(windows[i]),
                  rope,
                  linear(attention, "q_proj", heads.queries(), h, inputBias),
                  linear(attention, "k_proj", heads.keys(), h, inputBias),
                  linear(attention, "v_proj", heads.keys(), h, inputBias),
                  linear(attention, "o_proj", h, heads.queries(), outputBias),
                  normalises ? headNorm(attention, "q_norm", heads, eps) : null,
                  normalises ? headNorm(attention, "k_norm", heads, eps) : null),
              layer.rmsNorm("post_attention_layernorm", h, eps, Gain.WEIGHT),
              GatedMlp.of(layer, h, config.intermediateSize(), activation)));
    }
    RmsNorm norm = base.rmsNorm("norm", h, eps, Gain.WEIGHT);
    return config.decoder(rope, words, layers, norm, config.head(head, top, words));
  }

  private static RmsNorm headNorm(Scope attention, String name, Heads heads, double eps) {
    return attention.rmsNorm(name, heads.width(), eps, Gain.WEIGHT);
  }

  private static int[] windows(JsonObject json, DecoderConfig config) {
    int window = DecoderConfig.slidingWindow(json, 4096);
    long full = json.integer("max_window_layers", 28);
    if (!json.bool("use_sliding_window", false)) {
      json.ignore("layer_types"); // all full, or their windows are none
      return new int[config.numHiddenLayers()];
    }
    return config.windows(json, window, i -> i >= full);
  }
}
