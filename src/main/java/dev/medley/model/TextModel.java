package dev.medley.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.RowGroups;
import dev.medley.io.Checkpoint;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import dev.medley.model.layer.CausalBatch;
import dev.medley.model.layer.EncoderLayer;
import dev.medley.model.layer.KvCache;
import dev.medley.model.layer.Scope;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TensorReader;
import dev.medley.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * A base model from an HF folder, with a task's head. Immutable and for use by many threads; never
 * written to.
 */
public final class TextModel {
  /** Heads of other training tasks and buffers that old versions of transformers stored. */
  private static final Predicate<String> NOT_NEEDED =
      name ->
          name.startsWith("cls.")
              || name.startsWith("lm_head.")
              || name.startsWith("qa_outputs.")
              || name.startsWith("vocab_")
              || name.equals("embeddings.position_ids")
              || name.equals("embeddings.token_type_ids")
              || name.endsWith("rotary_emb.inv_freq")
              || name.matches("h\\.\\d+\\.attn\\.(masked_)?bias");

  private static final Predicate<String> NOT_THIS_HEAD =
      name ->
          name.startsWith("classifier.")
              || name.startsWith("pre_classifier.")
              || name.startsWith("score.");

  private final Architecture architecture;
  private final Network network;
  private final BaseModules modules;
  private final List<String> absent;
  private final ModelConfig config;

  private TextModel(
      Architecture architecture,
      Network network,
      BaseModules modules,
      List<String> absent,
      ModelConfig config) {
    this.architecture = architecture;
    this.network = network;
    this.modules = modules;
    this.absent = List.copyOf(absent);
    this.config = config;
  }

  /**
   * Loads a model; its arrays belong to {@code owner}.
   *
   * @throws dev.medley.io.LoadException with every key, tensor and shape that does not fit
   */
  public static TextModel load(
      Storage storage, Location folder, Head head, NDManager owner, Precision precision) {
    try (Checkpoint checkpoint = Checkpoint.open(storage, folder, "model")) {
      TensorReader reader = new TensorReader(checkpoint, owner, precision);
      TextModel model = build(storage, folder, head, checkpoint.tensors(), reader);
      checkpoint.verifyWhole();
      return model;
    }
  }

  /** Checks config, names and shapes as {@link #load} does; reads no weight and cannot run. */
  public static TextModel outline(Storage storage, Location folder, Head head) {
    return build(storage, folder, head, Checkpoint.headers(storage, folder, "model"), null);
  }

  private static TextModel build(
      Storage storage,
      Location folder,
      Head head,
      Map<String, TensorInfo> file,
      TensorReader reader) {
    JsonObject json = JsonObject.read(storage, folder.resolve("config.json"));
    Architecture architecture = Architecture.of(json);
    ModelConfig config = ModelConfig.parse(json);
    BaseModules modules = new BaseModules(architecture.prefix(), taskType(head));
    Weights weights = Weights.of(folder.toString(), canonical(modules, file), reader);
    weights.skip(NOT_NEEDED);
    List<String> absent = new ArrayList<>();
    Scope base = new Scope(weights, modules, Place.BASE, null);
    Scope top;
    if (head == Head.NONE) {
      top = base.idle(Place.IDLE_HEAD);
    } else if (config.hasHead(head)) {
      top = base.optional(Place.HEAD, absent);
    } else {
      top = new Scope(Weights.of("", Map.of(), reader), modules, Place.HEAD, absent);
    }
    Network network = architecture.network(json, base, top, head);
    json.done();
    if (head == Head.NONE || !config.hasHead(head)) {
      weights.skip(NOT_THIS_HEAD);
    }
    weights.done();
    return new TextModel(architecture, network, modules, absent, config);
  }

  /** PEFT's name of the task that a head is for. */
  private static String taskType(Head head) {
    return switch (head) {
      case NONE -> "";
      case SEQUENCE -> "SEQ_CLS";
      case TOKEN -> "TOKEN_CLS";
      case CAUSAL_LM -> "CAUSAL_LM";
    };
  }

  private static String canonical(BaseModules modules, String name) {
    return modules
        .canonical(name)
        .replaceAll("LayerNorm\\.gamma$", "LayerNorm.weight")
        .replaceAll("LayerNorm\\.beta$", "LayerNorm.bias");
  }

  /** The parameter of {@link #modules} that a tensor of a checkpoint is, if it is one. */
  public String parameter(String tensor) {
    return canonical(modules, tensor);
  }

  /** Names without the base's prefix, and without TensorFlow's names for what a norm holds. */
  private static Map<String, TensorInfo> canonical(
      BaseModules modules, Map<String, TensorInfo> file) {
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    file.forEach(
        (name, tensor) -> {
          TensorInfo other = tensors.put(canonical(modules, name), tensor);
          if (other != null) {
            throw new LoadException(
                tensor.file(), name + " and " + other.name() + " are for the same parameter");
          }
        });
    return tensors;
  }

  /** Which architecture it is. */
  public Architecture architecture() {
    return architecture;
  }

  /** The modules that adapters may touch. */
  public BaseModules modules() {
    return modules;
  }

  /** Labels of the checkpoint's own head. */
  public Labels labels() {
    return config.labels();
  }

  /** Whether the checkpoint's class has a head, whether that is run here or not. */
  public boolean isOfClassWith(Head head) {
    return config.hasHead(head);
  }

  /** Number of embeddings of tokens: every id is below it. */
  public int vocabSize() {
    return network.vocabSize();
  }

  /** Most tokens that a row may have. */
  public int maxTokens() {
    return network.maxTokens();
  }

  /** Parameters that the task needs and the checkpoint lacks: each row's set must bring them. */
  public List<String> absent() {
    return absent;
  }

  /** The last hidden state, padded to the longest row [n, t, h]. */
  public NDArray hidden(TokenBatch tokens, RowGroups rows) {
    RowGroups ofTokens = rows.ofTokens(tokens.lengths());
    NDArray hidden =
        network instanceof Decoder decoder
            ? decoder.hidden(tokens.sideBySide(), ofTokens)
            : hidden((Encoder) network, tokens, ofTokens);
    try (hidden) {
      return Kernels.padded(hidden, tokens.lengths());
    }
  }

  private static NDArray hidden(Encoder encoder, TokenBatch tokens, RowGroups rows) {
    long[] runs = tokens.runs();
    NDArray x = encoder.embed(tokens, rows); // [tokens, h]
    for (EncoderLayer layer : encoder.layers()) {
      NDArray y = layer.forward(x, runs, rows);
      x.close();
      x = y;
    }
    return x;
  }

  /** HF's {@code hidden_states}: what the first layer sees, then each layer's output. */
  public List<NDArray> hiddenStates(TokenBatch tokens, RowGroups rows) {
    RowGroups ofTokens = rows.ofTokens(tokens.lengths());
    List<NDArray> states = new ArrayList<>();
    if (network instanceof Decoder decoder) {
      states.addAll(decoder.hiddenStates(tokens.sideBySide(), ofTokens));
    } else {
      Encoder encoder = (Encoder) network;
      states.add(encoder.embed(tokens, ofTokens));
      for (EncoderLayer layer : encoder.layers()) {
        states.add(layer.forward(states.get(states.size() - 1), tokens.runs(), ofTokens));
      }
    }
    return states.stream().map(state -> Kernels.padded(state, tokens.lengths())).toList();
  }

  /**
   * The head over rows of one set.
   *
   * @param hidden [m, t, h]
   * @param ids of the rows, not padded
   * @return [m, labels] for a sequence head, [m, t, labels] for a token head
   */
  public NDArray logits(NDArray hidden, List<long[]> ids, AdapterSet set) {
    RowGroups all = RowGroups.all(ids.size(), set);
    if (network instanceof Decoder decoder) {
      long width = hidden.getShape().get(1);
      long[] last = new long[ids.size()];
      Arrays.setAll(last, row -> row * width + decoder.lastToken(ids.get(row)));
      return decoder.logits(Kernels.tokens(hidden, last), all);
    }
    return ((Encoder) network).logits(hidden, all);
  }

  /** Whether tokens see only what comes before them. */
  public boolean isDecoder() {
    return network instanceof Decoder;
  }

  /** The last hidden state of a decoder's tokens, [n, h]; {@code rows} are slices of the tokens. */
  public NDArray hidden(CausalBatch batch, RowGroups rows) {
    return decoder().hidden(batch, rows);
  }

  /** A score for every token of the vocabulary to come next. hidden [n, h] → [n, v] */
  public NDArray nextTokens(NDArray hidden, RowGroups rows) {
    return decoder().logits(hidden, rows);
  }

  /** From how many tokens on a row's earlier keys have to be computed anew. */
  public int restartAt() {
    return decoder().restartAt();
  }

  /** Bytes of a token's keys and values in all layers. */
  public long cacheBytes(Precision precision) {
    return 2L * decoder().layers().size() * decoder().keyWidth() * precision.bytes();
  }

  /** Memory for the keys and values of so many tokens. */
  public KvCache cache(NDManager owner, Precision precision, long tokens) {
    return new KvCache(owner, decoder().layers().size(), decoder().keyWidth(), precision, tokens);
  }

  private Decoder decoder() {
    if (network instanceof Decoder decoder) {
      return decoder;
    }
    throw new IllegalStateException(architecture + " is no decoder");
  }
}
