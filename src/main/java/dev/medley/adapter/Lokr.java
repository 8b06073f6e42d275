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

  /** {@code LoKrConfig}. The file itself tells the sizes, and which factors are factored again. */
  record Config(long r, double alpha, ModulePatterns ranks, ModulePatterns alphas)
      implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("rank_dropout", "rank_dropout_scale", "module_dropout", "init_weights");
      json.ignore("decompose_both", "decompose_factor");
      json.ignore("use_effective_conv2d"); // read for convolutions only
      return new Config(
          json.positiveInteger("r", 8),
          json.positiveNumber("alpha", 8),
          ModulePatterns.parse(json, "rank_pattern"),
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
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      long rank = (long) ranks.of(module, r);
      boolean full = params.has("lokr_w1");
      long l = divisor(params, full ? "lokr_w1" : "lokr_w1_a", 0, out);
      long m = divisor(params, full ? "lokr_w1" : "lokr_w1_b", 1, in);
      NDArray w1 = full ? params.get("lokr_w1", l, m) : product(params, l, rank, m);
      boolean whole = params.has("lokr_w2");
      NDArray a = params.get(whole ? "lokr_w2" : "lokr_w2_b", whole ? out / l : rank, in / m);
      NDArray b = whole ? null : params.get("lokr_w2_a", out / l, rank);
      double s = alphas.of(module, alpha) / rank;
      return w1 == null || a == null || (b == null && !whole) ? null : new Lokr(w1, a, b, s);
    }

    /** The size of that axis where it divides the layer's, else 1, which the read then reports. */
    private static long divisor(Weights params, String name, int axis, long whole) {
      long[] shape = params.shape(name);
      long size = shape == null || shape.length != 2 ? 1 : shape[axis];
      return size > 0 && whole % size == 0 ? size : 1;
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
