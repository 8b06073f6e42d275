package dev.medley.model;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;
import dev.medley.io.JsonObject;
import dev.medley.model.layer.Activation;
import dev.medley.model.layer.Attention;
import dev.medley.model.layer.CausalBatch;
import dev.medley.model.layer.DecoderLayer;
import dev.medley.model.layer.Embedding;
import dev.medley.model.layer.Heads;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Mlp;
import dev.medley.model.layer.PreNormLayer;
import dev.medley.model.layer.RmsNorm;
import dev.medley.model.layer.RmsNorm.Gain;
import dev.medley.model.layer.Rope;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/** Phi-3 and Phi-4 (arXiv 2404.14219): one map makes queries, keys and values, one gate and up. */
final class Phi3 {
  /** {@code original_max_position_embeddings} where the config has none, as in HF's class. */
  private static final int ORIGINAL = 4096;

  private Phi3() {}

  static Decoder phi3(JsonObject json, Scope base, Scope top, Head head) {
    json.refuseIfSet("adds a bias to the head", "lm_head_bias");
    for (String key :
        List.of("full_attn_mod", "interpolate_factor")) { // transformers reads neither
      if (json.positiveInteger(key, 1) != 1) {
        json.problem(key + ": expected 1, found " + json.node(key));
      }
    }
    DecoderConfig config = DecoderConfig.parse(json, false);
    Heads heads =
        Heads.parse(json, config.hiddenSize(), 0).within(DecoderConfig.slidingWindow(json, 0));
    Rope rope = Rope.parse(json, heads.width(), config.maxPositionEmbeddings(), ORIGINAL);
    double eps = json.positiveNumber("rms_norm_eps", 1e-5);
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
              new FusedAttention(
                  i,
                  heads,
                  rope,
                  layer.projection("self_attn.qkv_proj", heads.queries() + 2L * heads.keys(), h),
                  layer.projection("self_attn.o_proj", h, heads.queries())),
              layer.rmsNorm("post_attention_layernorm", h, eps, Gain.WEIGHT),
              new FusedMlp(
                  layer.projection("mlp.gate_up_proj", 2 * wide, h),
                  activation,
                  layer.projection("mlp.down_proj", h, wide))));
    }
    RmsNorm norm = base.rmsNorm("norm", h, eps, Gain.WEIGHT);
    return config.decoder(rope, words, layers, norm, config.head(head, top, words));
  }

  /** {@code qkv} [heads·d + 2·kvHeads·d, h], {@code o} [h, heads·d] */
  private record FusedAttention(int layer, Heads heads, Rope rope, Linear qkv, Linear o)
      implements Attention {

    @Override
    public NDArray forward(NDArray x, CausalBatch batch, RowGroups rows) {
      NDArray all = qkv.forward(x, rows); // [n, heads·d + 2·kvHeads·d]
      NDArray q = Kernels.columns(all, 0, heads.queries());
      NDArray k = Kernels.columns(all, heads.queries(), heads.keys());
      NDArray v = Kernels.columns(all, heads.queries() + heads.keys(), heads.keys());
      NDArray queries = rope.turn(q, batch, heads.query());
      NDArray keys = rope.turn(k, batch, heads.keyValue());
      return o.forward(batch.attend(layer, queries, keys, v, heads), rows);
    }
  }

  /** {@code gateUp} [2·intermediate, h], {@code down} [h, intermediate] */
  private record FusedMlp(Linear gateUp, Activation activation, Linear down) implements Mlp {

    @Override
    public NDArray forward(NDArray x, RowGroups rows) {
      NDArray both = gateUp.forward(x, rows); // [n, 2·intermediate]
      long wide = both.getShape().get(1) / 2;
      NDArray open = activation.into(Kernels.columns(both, 0, wide));
      return down.forward(Kernels.multiply(open, Kernels.columns(both, wide, wide)), rows);
    }
  }
}
