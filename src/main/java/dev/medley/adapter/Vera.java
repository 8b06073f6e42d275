package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * VeRA: ΔW = s·diag(e)·b·diag(d)·a, a and b random and the same for all modules (arXiv 2310.11454).
 * They are as large as the largest module asks for; each takes the first columns of a and the first
 * rows of b, which are kept once, as views. PEFT has no scale: s is 1 but in a weighted set.
 *
 * @param a of vera_A, [r, in]
 * @param b of vera_B, [out, r]
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
    try (NDArray da = Kernels.scaleRows(a, d);
        NDArray eb = Kernels.scaleRows(b, e)) {
      return Kernels.addProduct(weight, eb, da, s);
    }
  }

  @Override
  public LinearAdapter scaled(double factor) {
    return new Vera(a, b, d, e, factor * s);
  }

  /**
   * {@code VeraConfig}.
   *
   * @param a the whole of vera_A [r, inputs]; null until bound to a file by {@link #with}, and in
   *     an outline
   * @param b the whole of vera_B [outputs, r]; null as above
   */
  record Config(long r, NDArray a, NDArray b, long inputs, long outputs) implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("vera_dropout", "d_initial", "init_weights", "projection_prng_key");
      json.ignore("fan_in_fan_out"); // of the stored weight, which here is always [out, in]
      if (!json.bool("save_projection", true)) {
        json.problem(
            "save_projection: false is not supported: vera_A and vera_B are then not in the file,"
                + " but drawn by PyTorch's random numbers from projection_prng_key; load the"
                + " adapter in PEFT, add its base_model.vera_A[\"default\"] and vera_B to the"
                + " file as base_model.vera_A and base_model.vera_B, and set save_projection to"
                + " true");
      }
      return new Config(json.positiveInteger("r", 256), null, null, 0, 0);
    }

    @Override
    public AdapterMethod with(Weights shared) {
      NDArray wholeA = shared.get("vera_A", r, Weights.ANY);
      NDArray wholeB = shared.get("vera_B", Weights.ANY, r);
      return new Config(r, wholeA, wholeB, size(shared, "vera_A", 1), size(shared, "vera_B", 0));
    }

    /** Of that axis; where there is none the read has reported it. */
    private static long size(Weights shared, String name, int axis) {
      long[] shape = shared.shape(name);
      return shape == null || shape.length != 2 ? Long.MAX_VALUE : shape[axis];
    }

    @Override
    public String rank() {
      return Long.toString(r);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      NDArray d = params.get("vera_lambda_d", r);
      NDArray e = params.get("vera_lambda_b", out);
      if (in > inputs || out > outputs) {
        params.problem(
            params.path()
                + ": expected base_model.vera_A of "
                + in
                + " columns and base_model.vera_B of "
                + out
                + " rows or more, found "
                + inputs
                + " and "
                + outputs);
        return null;
      }
      return a == null || b == null || d == null || e == null
          ? null
          : new Vera(Kernels.columns(a, 0, in), Kernels.rows(b, 0, out), d, e, 1);
    }
  }
}
