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
 * Llama 1 to 3 (arXiv 2302.13971, 2407.21783), and Mistral (arXiv 2310.06825), which is Llama with
 * a window over the last tokens.
 */
final class Llama {
  private Llama() {}

  static Decoder llama(JsonObject json, Scope base, Scope top, Head head) {
    json.ignore("is_llama_config", "max_sequence_length"); // not read by transformers
    json.refuseIfSet("turns neighbours in place of halves", "rope_interleaved");
    boolean attentionBias = json.bool("attention_bias", false);
    boolean mlpBias = json.bool("mlp_bias", false);
    return build(json, base, top, head, 0, attentionBias, mlpBias);
  }

  static Decoder mistral(JsonObject json, Scope base, Scope top, Head head) {
    json.refuseIfSet("is Ministral's: layers of two kinds under Mistral's name", "layer_types");
    return build(json, base, top, head, DecoderConfig.slidingWindow(json, 4096), false, false);
  }

  private static Decoder build(
      JsonObject json,
      Scope base,
      Scope top,
      Head head,
      int window,
      boolean attentionBias,
      boolean mlpBias) {
    DecoderConfig config = DecoderConfig.parse(json, false);
    Heads heads = Heads.parse(json, config.hiddenSize(), 0).within(window);
    Rope rope = Rope.parse(json, heads.width(), config.maxPositionEmbeddings());
    double eps = json.positiveNumber("rms_norm_eps", 1e-6);
    Activation activation = DecoderConfig.silu(json);
    long h = config.hiddenSize();
    long wide = config.intermediateSize();
    Embedding words = base.words("embed_tokens", config.vocabSize(), h);
    List<DecoderLayer> layers = new ArrayList<>();
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      Scope layer = base.child("layers." + i);
      layers.add(
          new PreNormLayer(
              layer.rmsNorm("input_layernorm", h, eps, Gain.WEIGHT),
              new RotaryAttention(
                  i,
                  heads,
                  rope,
                  linear(layer, "self_attn.q_proj", heads.queries(), h, attentionBias),
                  linear(layer, "self_attn.k_proj", heads.keys(), h, attentionBias),
                  linear(layer, "self_attn.v_proj", heads.keys(), h, attentionBias),
                  linear(layer, "self_attn.o_proj", h, heads.queries(), attentionBias),
                  null,
                  null),
              layer.rmsNorm("post_attention_layernorm", h, eps, Gain.WEIGHT),
              new GatedMlp(
                  linear(layer, "mlp.gate_proj", wide, h, mlpBias),
                  activation,
                  linear(layer, "mlp.up_proj", wide, h, mlpBias),
                  linear(layer, "mlp.down_proj", h, wide, mlpBias))));
    }
    RmsNorm norm = base.rmsNorm("norm", h, eps, Gain.WEIGHT);
    return config.decoder(rope, words, layers, norm, config.head(head, top, words));
  }
}
