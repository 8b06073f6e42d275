package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * LoHa: ΔW = s·(w1a·w1b) ⊙ (w2a·w2b), s = alpha/r (FedPara, arXiv 2108.06098).
 *
 * <p>A Hadamard product of two products of rank r is one product of rank r² (Khatri–Rao): b [out,
 * r²] of all products of a column of w1a and one of w2a, a [r², in] of all those of rows. Such a
 * pair costs r²·(in + out) a row, and ΔW itself wins once r² reaches in·out/(in + out).
 */
final class Loha {
  private Loha() {}

  /** {@code LoHaConfig}. */
  record Config(long r, double alpha, ModulePatterns ranks, ModulePatterns alphas)
      implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("rank_dropout", "module_dropout", "init_weights");
      json.ignore("use_effective_conv2d"); // read for convolutions only
      return new Config(
          json.positiveInteger("r", 8),
          json.positiveNumber("alpha", 8),
          ModulePatterns.ranks(json),
          ModulePatterns.parse(json, "alpha_pattern"));
    }

    @Override
    public boolean isScalable() {
      return true;
    }

    @Override
    public String rank() {
      return ranks.range(r);
    }

    @Override
    public Work work(String module, long out, long in) {
      double rank = ranks.of(module, r);
      return isThin(rank, out, in) ? Work.lowRank(rank * rank, out, in) : Work.dense(out, in);
    }

    /** Whether rank-r² factors cost less than the matrix itself. */
    private static boolean isThin(double rank, long out, long in) {
      return rank * rank < in * out / (double) (in + out);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      long rank = (long) ranks.of(module, r);
      NDArray w1a = params.get("hada_w1_a", out, rank);
      NDArray w1b = params.get("hada_w1_b", rank, in);
      NDArray w2a = params.get("hada_w2_a", out, rank);
      NDArray w2b = params.get("hada_w2_b", rank, in);
      double s = AdapterMethod.scale(alphas.of(module, alpha) / rank, params);
      if (w1a == null || w1b == null || w2a == null || w2b == null) {
        return null;
      }
      try (w1a;
          w1b;
          w2a;
          w2b) {
        if (isThin(rank, out, in)) {
          NDArray a = Kernels.rowProducts(w1b, w2b); // [r², in]
          NDArray b = Kernels.columnProducts(w1a, w2a); // [out, r²]
          return new Lora(a, b, s, null);
        }
        return new Dense(Kernels.productOfProducts(w1a, w1b, w2a, w2b), s);
      }
    }
  }
}
