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
import dev.medley.model.layer.LayerNorm;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Mlp;
import dev.medley.model.layer.PreNormLayer;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/** GPT-2 (Radford et al. 2019): learned positions, one map to queries, keys and values. */
final class Gpt2 {
  private Gpt2() {}

  static Decoder gpt2(JsonObject json, Scope base, Scope top, Head head) {
    json.ignore("summary_type", "summary_use_proj", "summary_activation");
    json.ignore("summary_proj_to_labels", "summary_first_dropout");
    json.ignore("reorder_and_upcast_attn"); // an order of the same operations
    json.refuseIfSet("attends to an encoder", "add_cross_attention");
    DecoderConfig config = parse(json);
    int count = ModelConfig.heads(json, "n_head", "n_embd", config.hiddenSize());
    Heads heads = Heads.of(count, count, config.hiddenSize() / count);
    double scale = json.bool("scale_attn_weights", true) ? heads.scale() : 1;
    boolean byLayer = json.bool("scale_attn_by_inverse_layer_idx", false);
    double eps = json.positiveNumber("layer_norm_epsilon", 1e-5);
    Activation activation = Activation.parse(json, "activation_function", "gelu_new");
    long h = config.hiddenSize();
    long wide = config.intermediateSize();
    Embedding words = base.words("wte", config.vocabSize(), h);
    Embedding positions = base.embedding("wpe", config.maxPositionEmbeddings(), h);
    List<DecoderLayer> layers = new ArrayList<>();
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      Scope layer = base.child("h." + i);
      layers.add(
          new PreNormLayer(
              layer.norm("ln_1", h, eps),
              new FusedAttention(
                  i,
                  heads.scaled(byLayer ? scale / (i + 1) : scale),
                  layer.conv1d("attn.c_attn", 3 * h, h),
                  layer.conv1d("attn.c_proj", h, h)),
              layer.norm("ln_2", h, eps),
              new WideMlp(
                  layer.conv1d("mlp.c_fc", wide, h),
                  activation,
                  layer.conv1d("mlp.c_proj", h, wide))));
    }
    LayerNorm norm = base.norm("ln_f", h, eps);
    Linear scores = config.head(head, top, words);
    return new Decoder(
        config.vocabSize(),
        config.maxPositionEmbeddings(),
        Integer.MAX_VALUE,
        config.padTokenId(),
        (batch, rows) ->
            Kernels.add(
                words.forward(batch.ids(), rows), positions.forward(batch.positions(), rows)),
        layers,
        norm,
        scores,
        0);
  }

  /** {@code GPT2Config} has names of its own. */
  private static DecoderConfig parse(JsonObject json) {
    json.ignore("attn_pdrop", "resid_pdrop", "embd_pdrop", "initializer_range", "n_ctx");
    long h = json.positiveInteger("n_embd");
    return new DecoderConfig(
        (int) json.positiveInteger("vocab_size"),
        (int) h,
        (int) json.positiveInteger("n_layer"),
        (int) json.positiveInteger("n_inner", 4 * h),
        (int) json.positiveInteger("n_positions"),
        json.bool("tie_word_embeddings", true),
        DecoderConfig.padTokenId(json));
  }

  /** {@code all} [3·h, h], {@code out} [h, h] */
  private record FusedAttention(int layer, Heads heads, Linear all, Linear out)
      implements Attention {

    @Override
    public NDArray forward(NDArray x, CausalBatch batch, RowGroups rows) {
      NDArray qkv = all.forward(x, rows); // [n, 3·h]
      long h = heads.queries();
      NDArray q = Kernels.columns(qkv, 0, h);
      NDArray k = Kernels.columns(qkv, h, h);
      NDArray v = Kernels.columns(qkv, 2 * h, h);
      return out.forward(batch.attend(layer, q, k, v, heads), rows);
    }
  }

  /** {@code up} [intermediate, h], {@code down} [h, intermediate] */
  private record WideMlp(Linear up, Activation activation, Linear down) implements Mlp {

    @Override
    public NDArray forward(NDArray x, RowGroups rows) {
      return down.forward(activation.into(up.forward(x, rows)), rows);
    }
  }
}
