package dev.medley.model;

import ai.djl.ndarray.NDArray;
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

/** DistilBERT (arXiv 1910.01108): BERT's layers under other names, no token types, no pooler. */
final class DistilBert implements Encoder {
  private static final double EPS = 1e-12; // fixed in HF's code

  private final Config config;
  private final Head head;
  private final Embedding words;
  private final Embedding positions;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final Linear preClassifier;
  private final Linear classifier;

  /** {@code config.json}, HF's {@code DistilBertConfig}. */
  record Config(
      int vocabSize,
      int dim,
      int nLayers,
      int nHeads,
      int hiddenDim,
      Activation activation,
      int maxPositionEmbeddings,
      long padTokenId) {

    static Config parse(JsonObject json) {
      json.ignore("dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout");
      json.ignore("initializer_range", "sinusoidal_pos_embds"); // the table is stored either way
      ModelConfig.refuseDecoder(json);
      int vocabSize = (int) json.positiveInteger("vocab_size");
      int dim = (int) json.positiveInteger("dim");
      return new Config(
          vocabSize,
          dim,
          (int) json.positiveInteger("n_layers"),
          ModelConfig.heads(json, "n_heads", "dim", dim),
          (int) json.positiveInteger("hidden_dim"),
          Activation.parse(json, "activation"),
          (int) json.positiveInteger("max_position_embeddings"),
          ModelConfig.padTokenId(json, vocabSize, 0));
    }
  }

  DistilBert(JsonObject json, Scope base, Scope top, Head head) {
    this.config = Config.parse(json);
    this.head = head;
    long h = config.dim();
    Scope embeddings = base.child("embeddings");
    words = embeddings.words("word_embeddings", config.vocabSize(), h);
    positions = embeddings.embedding("position_embeddings", config.maxPositionEmbeddings(), h);
    norm = embeddings.norm("LayerNorm", h, EPS);
    for (int i = 0; i < config.nLayers(); i++) {
      layers.add(layer(base.child("transformer.layer." + i)));
    }
    preClassifier = head == Head.TOKEN ? null : top.linear("pre_classifier", h, h);
    classifier = top.labels("classifier", h);
  }

  private EncoderLayer layer(Scope scope) {
    long h = config.dim();
    return new EncoderLayer(
        config.nHeads(),
        scope.linear("attention.q_lin", h, h),
        scope.linear("attention.k_lin", h, h),
        scope.linear("attention.v_lin", h, h),
        scope.linear("attention.out_lin", h, h),
        scope.norm("sa_layer_norm", h, EPS),
        scope.linear("ffn.lin1", config.hiddenDim(), h),
        config.activation(),
        scope.linear("ffn.lin2", h, config.hiddenDim()),
        scope.norm("output_layer_norm", h, EPS));
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
    NDArray position = positions.forward(tokens.positions(), rows); // [n, h]
    return norm.forward(Kernels.add(word, position), rows);
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
    return classifier.forward(
        Kernels.relu(preClassifier.forward(first, rows)), rows); // [n, labels]
  }
}
