package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * SHiRA: ΔW is zero but for r·(in + out) places, which the file names, whatever the mask was chosen
 * by (arXiv 2406.13175). No scaling but a set's.
 *
 * <p>Merging adds at the places alone. For the dynamic way ΔW is built anew in each call, which
 * costs about what the products of five tokens do: kept, it would take many times what the file
 * does.
 *
 * @param values at the places [n]
 * @param places row·in + column, integers [n]
 * @param out rows of ΔW
 * @param in columns of ΔW
 * @param s scaling
 */
record Shira(NDArray values, NDArray places, long out, long in, double s) implements LinearAdapter {
  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.addSparseLinearInto(y, x, values, places, s);
    return y;
  }

  @Override
  public boolean isAdditive() {
    return true;
  }

  /** Values of one place may sum up to zero. */
  @Override
  public boolean isNothing() {
    try (NDArray delta = Kernels.scatter(values, places, out, in)) {
      return Kernels.isZero(delta);
    }
  }

  @Override
  public LinearAdapter scaled(double factor) {
    return new Shira(values, places, out, in, factor * s);
  }

  @Override
  public NDArray merge(NDArray weight) {
    NDArray merged = Kernels.emptyLike(weight, weight.getManager(), out, in);
    Kernels.addAtInto(merged, weight, values, places, s);
    return merged;
  }

  @Override
  public void mergeInto(NDArray weight, NDArray into) {
    Kernels.addAtInto(into, weight, values, places, s);
  }

  /** {@code ShiraConfig}. */
  record Config(long r) implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("mask_type", "random_seed", "init_weights");
      json.ignore("fan_in_fan_out"); // PEFT sets it to false: it adapts torch.nn.Linear only
      json.refuseIfSet(
          "PEFT has no such thing for SHiRA and drops it",
          "exclude_modules",
          "layers_to_transform",
          "layers_pattern");
      return new Config(json.positiveInteger("r", 32));
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
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      if (r > in * out / (in + out)) {
        params.problem(
            params.path()
                + ": r: expected at most "
                + in * out / (in + out)
                + ", since no weight has more than its own places, found "
                + r);
        return null;
      }
      long n = r * (in + out);
      NDArray values = params.get("shira_weight", n);
      NDArray places = params.integers("shira_indices", 2, n); // row, column
      if (values == null || places == null) {
        return null;
      }
      try (places) {
        if (!Kernels.areWithin(places, out, in)) {
          params.problem(
              params.path() + ".shira_indices: expected places in (" + out + ", " + in + ")");
          return null;
        }
        return new Shira(values, Kernels.flatPlaces(places, out, in), out, in, 1);
      }
    }
  }
}
