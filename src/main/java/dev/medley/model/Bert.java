package dev.medley.model;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.RowGroups;
import dev.medley.io.JsonObject;
import dev.medley.model.layer.Activation;
import dev.medley.model.layer.Embedding;
import dev.medley.model.layer.EncoderLayer;
import dev.medley.model.layer.LayerNorm;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/** BERT (arXiv 1810.04805), HF's {@code BertModel} and its classification heads. */
final class Bert implements Encoder {
  private final Config config;
  private final Head head;
  private final Embedding words;
  private final Embedding positions;
  private final Embedding types;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final Linear pooler;
  private final Linear classifier;

  /** {@code config.json}, HF's {@code BertConfig}. */
  record Config(
      int vocabSize,
      int hiddenSize,
      int numHiddenLayers,
      int numAttentionHeads,
      int intermediateSize,
      Activation hiddenAct,
      int maxPositionEmbeddings,
      int typeVocabSize,
      double layerNormEps,
      long padTokenId) {

    /** {@code RobertaConfig} has the same keys and other defaults for the last two. */
    static Config parse(JsonObject json, double layerNormEps, long padTokenId) {
      json.ignore("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout");
      json.ignore("initializer_range");
      ModelConfig.refuseDecoder(json);
      ModelConfig.refuseRelativePositions(json);
      int vocabSize = (int) json.positiveInteger("vocab_size");
      int hiddenSize = (int) json.positiveInteger("hidden_size");
      return new Config(
          vocabSize,
          hiddenSize,
          (int) json.positiveInteger("num_hidden_layers"),
          ModelConfig.heads(json, "num_attention_heads", "hidden_size", hiddenSize),
          (int) json.positiveInteger("intermediate_size"),
          Activation.parse(json, "hidden_act"),
          (int) json.positiveInteger("max_position_embeddings"),
          (int) json.positiveInteger("type_vocab_size", 2),
          json.positiveNumber("layer_norm_eps", layerNormEps),
          ModelConfig.padTokenId(json, vocabSize, padTokenId));
    }
  }

  Bert(JsonObject json, Scope base, Scope top, Head head) {
    this.config = Config.parse(json, 1e-12, 0);
    this.head = head;
    long h = config.hiddenSize();
    Scope embeddings = base.child("embeddings");
    words = embeddings.words("word_embeddings", config.vocabSize(), h);
    positions = embeddings.embedding("position_embeddings", config.maxPositionEmbeddings(), h);
    types = embeddings.embedding("token_type_embeddings", config.typeVocabSize(), h);
    norm = embeddings.norm("LayerNorm", h, config.layerNormEps());
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      layers.add(layer(base.child("encoder.layer." + i), config));
    }
    Scope poolerScope =
        head == Head.SEQUENCE
            ? base.optional(Place.BASE, top.absent())
            : base.idle(Place.IDLE_BASE);
    pooler = poolerScope.linear("pooler.dense", h, h);
    classifier = top.labels("classifier", h);
  }

  static EncoderLayer layer(Scope scope, Config config) {
    long h = config.hiddenSize();
    double eps = config.layerNormEps();
    Scope attention = scope.child("attention");
    return new EncoderLayer(
        config.numAttentionHeads(),
        attention.linear("self.query", h, h),
        attention.linear("self.key", h, h),
        attention.linear("self.value", h, h),
        attention.linear("output.dense", h, h),
        attention.norm("output.LayerNorm", h, eps),
        scope.linear("intermediate.dense", config.intermediateSize(), h),
        config.hiddenAct(),
        scope.linear("output.dense", h, config.intermediateSize()),
        scope.norm("output.LayerNorm", h, eps));
  }

  @Override
  public int vocabSize() {
    return config.vocabSize();
  }

  @Override
  public int maxTokens() {
    return config.maxPositionEmbeddings();
  }

  @Override
  public NDArray embed(TokenBatch tokens, RowGroups rows) {
    NDArray word = words.forward(tokens.ids(), rows); // [n, h]
    NDArray type = types.forward(tokens.typeIds(), rows); // [n, h]
    NDArray position = positions.forward(tokens.positions(), rows); // [n, h]
    return norm.forward(Kernels.add(Kernels.add(word, type), position), rows);
  }

  @Override
  public List<EncoderLayer> layers() {
    return layers;
  }

  @Override
  public NDArray logits(NDArray hidden, RowGroups rows) {
    if (head == Head.TOKEN) {
      return classifier.forward(hidden, rows); // [n, t, labels]
    }
    NDArray first = Kernels.at(hidden, 0); // [n, h]
    return classifier.forward(Kernels.tanh(pooler.forward(first, rows)), rows); // [n, labels]
  }
}
