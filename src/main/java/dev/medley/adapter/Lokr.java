package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * LoKr: ΔW = s·(w1 ⊗ w2), s = alpha/r even where nothing is of rank r (KronA, arXiv 2212.10650;
 * LyCORIS, arXiv 2309.14859). With out = l·k and in = m·n:
 *
 * @param w1 [l, m]
 * @param a w2 [k, n] itself, or its factor [r, n] in w2 = b·a
 * @param b [k, r], null where a is w2
 * @param s scaling
 */
record Lokr(NDArray w1, NDArray a, NDArray b, double s) implements LinearAdapter {
  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.addKroneckerInto(y, x, w1, a, b, s);
    return y;
  }

  @Override
  public boolean isAdditive() {
    return true;
  }

  @Override
  public boolean isNothing() {
    return Kernels.isZero(w1) || Kernels.isZero(a) || (b != null && Kernels.isZero(b));
  }

  @Override
  public LinearAdapter scaled(double factor) {
    return new Lokr(w1, a, b, factor * s);
  }

  @Override
  public NDArray merge(NDArray weight) {
    if (b == null) {
      return Kernels.addKronecker(weight, w1, a, s);
    }
    try (NDArray w2 = Kernels.product(b, a)) {
      return Kernels.addKronecker(weight, w1, w2, s);
    }
  }

  /**
   * {@code LoKrConfig}.
   *
   * @param both whether w1 may be factored again, too
   * @param factor l and m, where it divides the layer's sizes, else the most that they may be; -1
   *     for no limit
   */
  record Config(
      long r, double alpha, boolean both, long factor, ModulePatterns ranks, ModulePatterns alphas)
      implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("rank_dropout", "rank_dropout_scale", "module_dropout", "init_weights");
      json.ignore("use_effective_conv2d"); // read for convolutions only
      long factor = json.integer("decompose_factor", -1);
      if (factor < 1 && factor != -1) {
        json.problem("decompose_factor: expected a positive integer or -1, found " + factor);
      }
      return new Config(
          json.positiveInteger("r", 8),
          json.positiveNumber("alpha", 8),
          json.bool("decompose_both", false),
          factor,
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
      double l = smaller(out);
      double m = smaller(in);
      double k = out / l;
      double n = in / m;
      return new Work(1, 2 * m * k * n + 2 * l * m * k, 2.0 * out * in, (double) out * in);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      long rank = (long) ranks.of(module, r);
      long l = smaller(out);
      long m = smaller(in);
      long k = out / l;
      long n = in / m;
      boolean full = !both || 2 * rank >= Math.max(l, m);
      NDArray w1 = full ? params.get("lokr_w1", l, m) : product(params, l, rank, m);
      boolean whole = 2 * rank >= Math.max(k, n);
      NDArray a = params.get(whole ? "lokr_w2" : "lokr_w2_b", whole ? k : rank, n);
      NDArray b = whole ? null : params.get("lokr_w2_a", k, rank);
      double s = AdapterMethod.scale(alphas.of(module, alpha) / rank, params);
      return w1 == null || a == null || (b == null && !whole) ? null : new Lokr(w1, a, b, s);
    }

    /** The first of the two sizes that PEFT makes of a layer's (its {@code factorization}). */
    private long smaller(long size) {
      if (factor > 0 && size % factor == 0) {
        return factor;
      }
      long best = 1;
      for (long d = 2; d * d <= size && (factor < 0 || d <= factor); d++) {
        best = size % d == 0 ? d : best;
      }
      return best;
    }

    private static NDArray product(Weights params, long l, long rank, long m) {
      NDArray a = params.get("lokr_w1_a", l, rank);
      NDArray b = params.get("lokr_w1_b", rank, m);
      if (a == null || b == null) {
        return null;
      }
      try (a;
          b) {
        return Kernels.product(a, b);
      }
    }
  }
}
