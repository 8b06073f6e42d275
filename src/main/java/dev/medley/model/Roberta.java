package dev.medley.model;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.RowGroups;
import dev.medley.io.JsonObject;
import dev.medley.model.layer.Embedding;
import dev.medley.model.layer.EncoderLayer;
import dev.medley.model.layer.LayerNorm;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/**
 * RoBERTa (arXiv 1907.11692), and XLM-RoBERTa and CamemBERT, which share its code in HF. Layers are
 * BERT's; positions count from {@code pad_token_id + 1} on and skip padding; the sequence head has
 * its own dense layer and no pooler.
 */
final class Roberta implements Encoder {
  private final Bert.Config config;
  private final Head head;
  private final Embedding words;
  private final Embedding positions;
  private final Embedding types;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final Linear dense;
  private final Linear classifier;

  Roberta(JsonObject json, Scope base, Scope top, Head head) {
    this.config = Bert.Config.parse(json, 1e-5, 1);
    this.head = head;
    long h = config.hiddenSize();
    Scope embeddings = base.child("embeddings");
    words = embeddings.words("word_embeddings", config.vocabSize(), h);
    positions = embeddings.embedding("position_embeddings", config.maxPositionEmbeddings(), h);
    types = embeddings.embedding("token_type_embeddings", config.typeVocabSize(), h);
    norm = embeddings.norm("LayerNorm", h, config.layerNormEps());
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      layers.add(Bert.layer(base.child("encoder.layer." + i), config));
    }
    base.idle(Place.IDLE_BASE).linear("pooler.dense", h, h);
    if (head == Head.TOKEN) {
      dense = null;
      classifier = top.labels("classifier", h);
    } else {
      dense = top.linear("classifier.dense", h, h);
      classifier = top.labels("classifier.out_proj", h);
    }
  }

  @Override
  public int vocabSize() {
    return config.vocabSize();
  }

  @Override
  public int maxTokens() {
    return config.maxPositionEmbeddings() - (int) config.padTokenId() - 1;
  }

  @Override
  public NDArray embed(TokenBatch tokens, RowGroups rows) {
    NDArray word = words.forward(tokens.ids(), rows); // [n, h]
    NDArray type = types.forward(tokens.typeIds(), rows); // [n, h]
    NDArray counted = tokens.positionsAfter(config.padTokenId()); // [n]
    NDArray position = positions.forward(counted, rows); // [n, h]
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
    return classifier.forward(Kernels.tanh(dense.forward(first, rows)), rows); // [n, labels]
  }
}
