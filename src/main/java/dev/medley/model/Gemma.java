package dev.medley.model;

import static dev.medley.model.DecoderConfig.linear;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import dev.medley.adapter.RowGroups;
import dev.medley.io.JsonObject;
import dev.medley.model.layer.Activation;
import dev.medley.model.layer.Attention;
import dev.medley.model.layer.CausalBatch;
import dev.medley.model.layer.DecoderLayer;
import dev.medley.model.layer.Embedding;
import dev.medley.model.layer.GatedMlp;
import dev.medley.model.layer.Heads;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Mlp;
import dev.medley.model.layer.Norm;
import dev.medley.model.layer.RmsNorm;
import dev.medley.model.layer.RmsNorm.Gain;
import dev.medley.model.layer.Rope;
import dev.medley.model.layer.RotaryAttention;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/**
 * Gemma 2 (arXiv 2408.00118), with soft caps, and Gemma 3's text model (arXiv 2503.19786), which
 * normalises queries and keys instead and has other rotary positions in layers with a window. Both
 * normalise before and after each half of a layer, by 1 + weight, and scale the embeddings by √h.
 * Gemma 2's caps are on, as the paper and transformers' eager attention have them; its default,
 * sdpa, leaves the one on scores out.
 */
final class Gemma {
  private Gemma() {}

  static Decoder gemma2(JsonObject json, Scope base, Scope top, Head head) {
    DecoderConfig config = parse(json);
    Heads heads = heads(json, config).capped(optional(json, "attn_logit_softcapping", 50));
    int[] windows = config.windows(json, DecoderConfig.slidingWindow(json, 4096), i -> i % 2 == 0);
    Rope rope = Rope.parse(json, heads.width(), config.maxPositionEmbeddings());
    double cap = optional(json, "final_logit_softcapping", 30);
    return build(json, config, base, top, head, heads, windows, rope, rope, false, cap);
  }

  static Decoder gemma3(JsonObject json, Scope base, Scope top, Head head) {
    DecoderConfig config = parse(json);
    json.ignore("attn_logit_softcapping"); // transformers' Gemma 3 does not read it
    Heads heads = heads(json, config);
    long pattern = json.positiveInteger("sliding_window_pattern", 6);
    json.ignore("_sliding_window_pattern");
    int[] windows =
        config.windows(json, DecoderConfig.slidingWindow(json, 4096), i -> (i + 1) % pattern != 0);
    JsonObject ropes = json.object("rope_parameters");
    JsonObject scaling = json.object("rope_scaling"); // of the full layers, as transformers 4 wrote
    JsonObject full = ropes == null ? scaling : ropes.object("full_attention");
    JsonObject sliding = ropes == null ? null : ropes.object("sliding_attention");
    int positions = config.maxPositionEmbeddings();
    double theta = json.positiveNumber("rope_theta", 1e6);
    double localTheta = json.positiveNumber("rope_local_base_freq", 1e4);
    Rope global = Rope.parse(full, json, theta, heads.width(), positions);
    Rope local = Rope.parse(sliding, json, localTheta, heads.width(), positions);
    double cap = optional(json, "final_logit_softcapping", 0);
    return build(json, config, base, top, head, heads, windows, global, local, true, cap);
  }

  private static DecoderConfig parse(JsonObject json) {
    json.refuseIfSet("lets tokens see what comes after them", "use_bidirectional_attention");
    json.ignore("hidden_act", "cache_implementation"); // hidden_activation is what counts
    json.ignore("sliding_window_size"); // of other programs
    return DecoderConfig.parse(json, true);
  }

  private static Heads heads(JsonObject json, DecoderConfig config) {
    double scalar = json.positiveNumber("query_pre_attn_scalar", 256);
    return Heads.parse(json, config.hiddenSize(), 256).scaled(1 / Math.sqrt(scalar));
  }

  /** A number that is none where it is null; 0 for none. */
  private static double optional(JsonObject json, String key, double orElse) {
    double number = json.number(key, orElse);
    return json.isNull(key) ? 0 : number;
  }

  private static Decoder build(
      JsonObject json,
      DecoderConfig config,
      Scope base,
      Scope top,
      Head head,
      Heads heads,
      int[] windows,
      Rope global,
      Rope local,
      boolean normalises,
      double cap) {
    boolean bias = json.bool("attention_bias", false);
    double eps = json.positiveNumber("rms_norm_eps", 1e-6);
    Activation activation = Activation.parse(json, "hidden_activation", "gelu_pytorch_tanh");
    long h = config.hiddenSize();
    Embedding words = base.words("embed_tokens", config.vocabSize(), h);
    List<DecoderLayer> layers = new ArrayList<>();
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      Scope layer = base.child("layers." + i);
      Scope attention = layer.child("self_attn");
      layers.add(
          new Layer(
              norm(layer, "input_layernorm", h, eps),
              new RotaryAttention(
                  i,
                  heads.within(windows[i]),
                  windows[i] == 0 ? global : local,
                  linear(attention, "q_proj", heads.queries(), h, bias),
                  linear(attention, "k_proj", heads.keys(), h, bias),
                  linear(attention, "v_proj", heads.keys(), h, bias),
                  linear(attention, "o_proj", h, heads.queries(), bias),
                  normalises ? norm(attention, "q_norm", heads.width(), eps) : null,
                  normalises ? norm(attention, "k_norm", heads.width(), eps) : null),
              norm(layer, "post_attention_layernorm", h, eps),
              norm(layer, "pre_feedforward_layernorm", h, eps),
              GatedMlp.of(layer, h, config.intermediateSize(), activation),
              norm(layer, "post_feedforward_layernorm", h, eps)));
    }
    RmsNorm norm = norm(base, "norm", h, eps);
    Linear scores = config.head(head, top, words);
    double scale = Math.sqrt(h);
    return new Decoder(
        config.vocabSize(),
        global.maxTokens(),
        Math.min(global.restartAt(), local.restartAt()),
        config.padTokenId(),
        (batch, rows) -> Kernels.scaleRounded(words.forward(batch.ids(), rows), scale),
        layers,
        norm,
        scores,
        head == Head.CAUSAL_LM ? cap : 0);
  }

  private static RmsNorm norm(Scope scope, String name, long d, double eps) {
    return scope.rmsNorm(name, d, eps, Gain.ONE_PLUS_WEIGHT);
  }

  private record Layer(
      Norm attentionNorm,
      Attention attention,
      Norm afterAttention,
      Norm mlpNorm,
      Mlp mlp,
      Norm afterMlp)
      implements DecoderLayer {

    @Override
    public NDArray forward(NDArray x, CausalBatch batch, RowGroups rows) {
      try (NDScope scope = new NDScope()) { // frees all but the result
        scope.suppressNotUsedWarning();
        NDArray seen = attention.forward(attentionNorm.forward(x, rows), batch, rows);
        NDArray y = Kernels.add(afterAttention.forward(seen, rows), x);
        NDArray made = mlp.forward(mlpNorm.forward(y, rows), rows);
        NDArray z = Kernels.add(afterMlp.forward(made, rows), y);
        NDScope.unregister(z);
        return z;
      }
    }

    @Override
    public Heads heads() {
      return attention.heads();
    }
  }
}
