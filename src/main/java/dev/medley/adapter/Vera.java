package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * VeRA: ΔW = s·diag(e)·b·diag(d)·a, a and b random and the same for all modules (arXiv 2310.11454).
 * They are as large as the largest module asks for, and kept once; each module takes the first
 * columns of a and the first rows of b. PEFT has no scale: s is 1 but in a weighted set.
 *
 * @param a vera_A [r, in or more]
 * @param b vera_B [out or more, r]
 * @param d vera_lambda_d [r]
 * @param e vera_lambda_b [out]
 */
record Vera(NDArray a, NDArray b, NDArray d, NDArray e, double s) implements LinearAdapter {
  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.addScaledLowRankInto(y, x, a, d, b, e, s);
    return y;
  }

  @Override
  public boolean isAdditive() {
    return true;
  }

  @Override
  public NDArray merge(NDArray weight) {
    try (NDArray columns = Kernels.columns(a, 0, weight.getShape().get(1)); // [r, in]
        NDArray rows = Kernels.rows(b, 0, weight.getShape().get(0)); // [out, r]
        NDArray da = Kernels.scaleRows(columns, d);
        NDArray eb = Kernels.scaleRows(rows, e)) {
      return Kernels.addProduct(weight, eb, da, s);
    }
  }

  @Override
  public boolean isNothing() {
    return Kernels.isZero(e) || Kernels.isZero(d);
  }

  @Override
  public LinearAdapter scaled(double factor) {
    return new Vera(a, b, d, e, factor * s);
  }

  /**
   * {@code VeraConfig}.
   *
   * @param a vera_A [r, the most inputs of a targeted module]; null until bound to a file by {@link
   *     #with}, and in an outline
   * @param b vera_B [the most outputs, r]; null as above
   */
  record Config(long r, NDArray a, NDArray b) implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("vera_dropout", "d_initial", "init_weights", "projection_prng_key");
      json.ignore("fan_in_fan_out"); // of the stored weight, which here is always [out, in]
      json.refuseIfSet("PEFT's VeRA has no such thing", "exclude_modules");
      if (!json.bool("save_projection", true)) {
        json.problem(
            "save_projection: false is not supported: vera_A and vera_B are then not in the file,"
                + " but drawn by PyTorch's random numbers from projection_prng_key; load the"
                + " adapter in PEFT, add its base_model.vera_A[\"default\"] and vera_B to the"
                + " file as base_model.vera_A and base_model.vera_B, and set save_projection to"
                + " true");
      }
      return new Config(json.positiveInteger("r", 256), null, null);
    }

    @Override
    public AdapterMethod with(Weights shared, long out, long in) {
      return new Config(r, shared.get("vera_A", r, in), shared.get("vera_B", out, r));
    }

    @Override
    public boolean fitsConv1d() {
      return true;
    }

    @Override
    public boolean isScalable() {
      return true;
    }

    @Override
    public String rank() {
      return Long.toString(r);
    }

    @Override
    public Work work(String module, long out, long in) {
      return Work.lowRank(r, out, in);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      NDArray d = params.get("vera_lambda_d", r);
      NDArray e = params.get("vera_lambda_b", out);
      return a == null || b == null || d == null || e == null ? null : new Vera(a, b, d, e, 1);
    }
  }
}
