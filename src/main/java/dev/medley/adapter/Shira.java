package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * SHiRA: ΔW is zero but for r·(in + out) places, which the file names, whatever the mask was chosen
 * by (arXiv 2406.13175). No scaling. ΔW is kept dense, which is simple, runs in every precision,
 * and costs the memory and the product of one more W.
 */
final class Shira {
  private Shira() {}

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
      long n = r * (in + out);
      NDArray values = params.get("shira_weight", n);
      NDArray places = params.integers("shira_indices", 2, n); // row, column
      if (values == null || places == null) {
        return null;
      }
      try (values;
          places) {
        if (!Kernels.areWithin(places, out, in)) {
          params.problem(
              params.path() + ".shira_indices: expected places in (" + out + ", " + in + ")");
          return null;
        }
        return new Dense(Kernels.scatter(values, places, out, in), 1);
      }
    }
  }
}
