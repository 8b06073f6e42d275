package dev.medley.model;

import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.model.layer.Scope;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** HF's {@code model_type}s that Medley runs: a constant names its file, its prefix and aliases. */
public enum Architecture {
  BERT(Kind.ENCODER, Bert::new, "bert", "bert"),
  ROBERTA(Kind.ENCODER, Roberta::new, "roberta", "roberta", "xlm-roberta", "camembert"),
  DISTILBERT(Kind.ENCODER, DistilBert::new, "distilbert", "distilbert"),
  GPT2(Kind.DECODER, Gpt2::gpt2, "transformer", "gpt2"),
  LLAMA(Kind.DECODER, Llama::llama, "model", "llama"),
  MISTRAL(Kind.DECODER, Llama::mistral, "model", "mistral"),
  QWEN2(Kind.DECODER, Qwen::qwen2, "model", "qwen2"),
  QWEN3(Kind.DECODER, Qwen::qwen3, "model", "qwen3"),
  GEMMA2(Kind.DECODER, Gemma::gemma2, "model", "gemma2"),
  GEMMA3(Kind.DECODER, Gemma::gemma3, "model", "gemma3_text"),
  PHI3(Kind.DECODER, Phi3::phi3, "model", "phi3");

  /** What a token sees, and with it which heads there are. */
  public enum Kind {
    /** All of its row. */
    ENCODER(Head.NONE, Head.SEQUENCE, Head.TOKEN),
    /** Itself and what comes before it. */
    DECODER(Head.NONE, Head.SEQUENCE, Head.CAUSAL_LM);

    private final Set<Head> heads;

    Kind(Head... heads) {
      this.heads = Set.of(heads);
    }
  }

  private final Kind kind;
  private final Build build;
  private final String prefix;
  private final List<String> modelTypes;

  Architecture(Kind kind, Build build, String prefix, String... modelTypes) {
    this.kind = kind;
    this.build = build;
    this.prefix = prefix;
    this.modelTypes = List.of(modelTypes);
  }

  /** Makes a network from its config and the places of its base and its head. */
  interface Build {
    Network network(JsonObject config, Scope base, Scope top, Head head);
  }

  /** Whether tokens see what comes after them. */
  public Kind kind() {
    return kind;
  }

  /** Whether models of this architecture have that head. */
  public boolean has(Head head) {
    return kind.heads.contains(head);
  }

  /** Values of {@code model_type}. */
  public List<String> modelTypes() {
    return modelTypes;
  }

  /** HF's {@code base_model_prefix}, which names in a checkpoint may or may not carry. */
  String prefix() {
    return prefix;
  }

  Network network(JsonObject config, Scope base, Scope top, Head head) {
    if (!has(head)) {
      throw new LoadException(
          config.where(),
          "model_type: expected one of "
              + Arrays.stream(values())
                  .filter(a -> a.has(head))
                  .flatMap(a -> a.modelTypes.stream())
                  .toList()
              + " for this task, found "
              + config.string("model_type"));
    }
    return build.network(config, base, top, head);
  }

  static Architecture of(JsonObject config) {
    String name = config.string("model_type", null);
    return Arrays.stream(values())
        .filter(architecture -> architecture.modelTypes.contains(name))
        .findFirst()
        .orElseThrow(
            () ->
                new LoadException(
                    config.where(),
                    "model_type: expected one of "
                        + Arrays.stream(values()).flatMap(a -> a.modelTypes.stream()).toList()
                        + ", found "
                        + name));
  }
}
