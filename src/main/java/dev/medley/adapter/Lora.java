package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * LoRA: ΔW = s·b·a (arXiv 2106.09685), s = alpha/r, or alpha/√r with rsLoRA (arXiv 2312.03732).
 *
 * @param a [r, in]
 * @param b [out, r]
 * @param s scaling
 * @param shift [out], added to the layer's bias times s ({@code lora_bias}); null for none
 */
record Lora(NDArray a, NDArray b, double s, NDArray shift) implements LinearAdapter {

  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.addLowRankInto(y, x, a, b, s);
    return y;
  }

  @Override
  public boolean isAdditive() {
    return true;
  }

  @Override
  public NDArray merge(NDArray weight) {
    return Kernels.addProduct(weight, b, a, s);
  }

  @Override
  public void mergeInto(NDArray weight, NDArray into) {
    Kernels.addProductInto(into, weight, b, a, s);
  }

  @Override
  public NDArray bias(NDArray base, NDArray bias) {
    if (shift == null) {
      return bias;
    }
    return bias == null ? Kernels.scale(shift, s) : Kernels.addScaled(bias, shift, s);
  }

  @Override
  public boolean isNothing() {
    return (shift == null || Kernels.isZero(shift)) && (Kernels.isZero(b) || Kernels.isZero(a));
  }

  @Override
  public LinearAdapter scaled(double factor) {
    return new Lora(a, b, factor * s, shift);
  }

  /** One that does what all of these do: ΔW = Σ sᵢ·bᵢ·aᵢ. {@code owner} of its arrays */
  static Lora join(List<Lora> parts, NDManager owner) {
    if (parts.size() == 1) {
      return parts.get(0);
    }
    try (NDManager scratch = owner.newSubManager()) {
      NDArray a = Kernels.concat(parts.stream().map(Lora::a).toList()); // [Σr, in]
      List<NDArray> rows = new ArrayList<>();
      NDArray shift = null;
      for (Lora part : parts) {
        NDArray scaled = Kernels.scale(part.b, part.s);
        NDArray transposed = Kernels.transpose(scaled); // [r, out]
        scaled.attach(scratch);
        transposed.attach(scratch);
        rows.add(transposed);
        if (part.shift != null) {
          NDArray sum =
              shift == null
                  ? Kernels.scale(part.shift, part.s)
                  : Kernels.addScaled(shift, part.shift, part.s);
          sum.attach(scratch);
          shift = sum;
        }
      }
      NDArray bt = Kernels.concat(rows); // [Σr, out]
      bt.attach(scratch);
      NDArray b = Kernels.transpose(bt);
      a.attach(owner);
      b.attach(owner);
      if (shift != null) {
        shift.attach(owner);
      }
      return new Lora(a, b, 1, shift);
    }
  }

  /**
   * LoRA on a table: ΔE = s·(b·a)ᵀ.
   *
   * @param at [v, r], rows are looked up
   * @param b [d, r]
   */
  record Table(NDArray at, NDArray b, double s) implements EmbeddingAdapter {
    @Override
    public NDArray output(NDArray ids, NDArray y) {
      NDArray delta = Kernels.linear(Kernels.embedding(ids, at), b, null); // […, d]
      Kernels.addInto(y, delta, s);
      return y;
    }

    @Override
    public NDArray merge(NDArray table) {
      try (NDArray bt = Kernels.transpose(b)) { // [r, d]
        return Kernels.addProduct(table, at, bt, s);
      }
    }

    @Override
    public boolean isNothing() {
      return Kernels.isZero(b) || Kernels.isZero(at);
    }

    @Override
    public EmbeddingAdapter scaled(double factor) {
      return new Table(at, b, factor * s);
    }
  }

  /** {@code LoraConfig}; sizes and scales per module. */
  record Config(
      long r,
      double alpha,
      boolean rslora,
      boolean bias,
      boolean dora,
      BaseCorrection correction,
      ModulePatterns ranks,
      ModulePatterns alphas,
      TokenIndices trainableTokens,
      boolean ensuresWeightTying)
      implements AdapterMethod {
    /**
     * Refuses what makes something else of LoRA, or needs a base that is none of ours; the configs
     * of types that grew out of LoRA have the same keys.
     */
    static void refuseVariants(JsonObject json) {
      json.refuseIfSet(
          "QALoRA averages groups of the input before lora_A, for bases quantised by GPTQ",
          "use_qalora");
      json.refuseIfSet(
          "it makes a deeper base of repeated layers, each with LoRA of its own",
          "layer_replication");
      json.refuseIfSet(
          "it puts LoRA on parameters that are no linear layer's, such as a mixture of experts'",
          "target_parameters");
      json.refuseIfSet(
          "aLoRA adapts only the tokens from its invocation on, and so needs to find that in a text",
          "alora_invocation_tokens");
      json.refuseIfSet("Arrow routes each token to some of several LoRA adapters", "arrow_config");
      json.refuseIfSet(
          "BD-LoRA stores block-diagonal matrices, which are laid out for tensor parallelism",
          "use_bdlora");
      json.refuseIfSet(
          "VeLoRA is plain LoRA once trained: set it to null, and remove the tensors"
              + " lora_velora_embed from the file",
          "velora_config");
      json.refuseIfSet(
          "MonteCLoRA is plain LoRA once trained: set it to null, and remove the tensors"
              + " lora_monteclora_sampler from the file",
          "monteclora_config");
    }

    static Config parse(JsonObject json) {
      json.ignore("lora_dropout", "loftq_config", "eva_config", "corda_config", "lora_ga_config");
      json.ignore("megatron_config", "megatron_core", "runtime_config");
      json.ignore("qalora_group_size"); // read only with use_qalora
      // PEFT transposes only when it merges, and sets it by the layer's kind, not by this value.
      json.ignore("fan_in_fan_out");
      refuseVariants(json);
      boolean bias = json.bool("lora_bias", false);
      boolean dora = json.bool("use_dora", false);
      BaseCorrection correction = BaseCorrection.parse(json);
      if (dora && (bias || correction == BaseCorrection.KASA)) {
        json.problem("use_dora: PEFT has no DoRA with lora_bias or kasa_config");
      }
      return new Config(
          json.positiveInteger("r", 8),
          json.positiveNumber("lora_alpha", 8),
          json.bool("use_rslora", false),
          bias,
          dora,
          correction,
          ModulePatterns.ranks(json),
          ModulePatterns.parse(json, "alpha_pattern"),
          TokenIndices.parse(json),
          json.bool("ensure_weight_tying", false));
    }

    @Override
    public boolean isScalable() {
      return !dora && correction == BaseCorrection.NONE && trainableTokens.isEmpty();
    }

    /** OLoRA fails in PEFT at the first forward there. */
    @Override
    public boolean fitsConv1d() {
      return correction == BaseCorrection.NONE || correction == BaseCorrection.PISSA;
    }

    @Override
    public boolean takesFromWeight() {
      return correction != BaseCorrection.NONE;
    }

    @Override
    public String rank() {
      return ranks.range(r);
    }

    @Override
    public Work work(String module, long out, long in) {
      return Work.lowRank(rank(module), out, in);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      long rank = rank(module);
      NDArray a = params.get("lora_A.weight", rank, in);
      NDArray b = params.get("lora_B.weight", out, rank);
      NDArray shift = bias ? params.get("lora_B.bias", out) : null;
      NDArray m = dora ? params.get("lora_magnitude_vector", out) : null;
      NDArray diagonal = correction == BaseCorrection.KASA ? params.get("lora_diag", rank) : null;
      double s = scaling(module, rank, params);
      // A base weight in the file is what was left of it.
      boolean isTaken = params.has("base_layer.weight");
      BaseCorrection taken = isTaken ? BaseCorrection.NONE : correction;
      taken.check(module, params, rank, out, in);
      if (a == null || b == null || dora && m == null) {
        return null;
      }
      if (diagonal != null) {
        NDArray plain = a;
        try (plain;
            diagonal) {
          a = Kernels.scaleRows(plain, diagonal);
        }
      }
      Lora lora = new Lora(a, b, s, shift);
      LinearAdapter change = dora ? new Dora(lora, m, null) : lora;
      return taken == BaseCorrection.NONE
          ? change
          : new BaseCorrection.Corrected(change, taken, rank, s);
    }

    @Override
    public EmbeddingAdapter embedding(String module, Weights params, long v, long d) {
      long rank = rank(module);
      NDArray a = params.get("lora_embedding_A", rank, v);
      NDArray b = params.get("lora_embedding_B", d, rank);
      NDArray m = dora ? params.get("lora_magnitude_vector", d) : null;
      double s = scaling(module, rank, params);
      if (bias) {
        params.problem(params.path() + ": PEFT has no lora_bias for embeddings");
      }
      if (correction == BaseCorrection.KASA) {
        params.problem(params.path() + ": PEFT has no kasa_config for embeddings");
      }
      if (dora && params.has("lora_magnitude_vector.weight")) { // PEFT's second copy
        NDArray again = params.get("lora_magnitude_vector.weight", d);
        if (m != null && again != null && !Kernels.areEqual(m, again)) {
          params.problem(
              params.path() + ".lora_magnitude_vector.weight: expected lora_magnitude_vector");
        }
        if (again != null) {
          again.close();
        }
      }
      if (a == null || b == null || dora && m == null) {
        return null;
      }
      Table table = new Table(contiguousTranspose(a), b, s);
      return dora ? new Dora.Table(table, m, null) : table;
    }

    /** Whether the head's factors are the table's, the other way round: ΔW = ΔE. */
    static boolean areTied(EmbeddingAdapter table, LinearAdapter head) {
      Table ofTable = table instanceof Dora.Table dora ? dora.lora() : (Table) table;
      LinearAdapter ofHead = head instanceof Dora dora ? dora.lora() : head;
      if (!(ofHead instanceof Lora lora)) {
        return false; // of a weight that it would take a part from
      }
      try (NDArray a = Kernels.transpose(ofTable.b)) {
        return Kernels.areEqual(lora.a, a) && Kernels.areEqual(lora.b, ofTable.at);
      }
    }

    private static NDArray contiguousTranspose(NDArray a) {
      NDArray at = Kernels.transpose(a);
      a.close();
      return at;
    }

    private long rank(String module) {
      return (long) ranks.of(module, r);
    }

    private double scaling(String module, long rank, Weights params) {
      double numerator = alphas.of(module, alpha);
      return AdapterMethod.scale(numerator / (rslora ? Math.sqrt(rank) : rank), params);
    }
  }
}
