package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;
import java.util.List;
import java.util.function.Predicate;

/**
 * (IA)³: y = (x·Wᵀ + b) ⊙ l, and on feed-forward modules y = (x ⊙ l)·Wᵀ + b (arXiv 2205.05638).
 *
 * @param l ia3_l [out]
 */
record Ia3(NDArray l) implements LinearAdapter {
  @Override
  public NDArray output(NDArray x, NDArray y) {
    Kernels.scaleInto(y, l);
    return y;
  }

  @Override
  public NDArray merge(NDArray weight) {
    return Kernels.scaleRows(weight, l);
  }

  @Override
  public boolean isNothing() {
    return Kernels.isNear(l, 1, 0);
  }

  @Override
  public NDArray bias(NDArray base, NDArray bias) {
    return bias == null ? null : Kernels.multiply(bias, l);
  }

  /**
   * On a feed-forward module.
   *
   * @param l ia3_l [in]
   */
  record FeedForward(NDArray l) implements LinearAdapter {
    @Override
    public NDArray input(NDArray x) {
      return Kernels.multiply(x, l);
    }

    @Override
    public boolean turnsInput() {
      return true;
    }

    @Override
    public NDArray merge(NDArray weight) {
      return Kernels.multiply(weight, l);
    }

    @Override
    public boolean isNothing() {
      return Kernels.isNear(l, 1, 0);
    }
  }

  /**
   * {@code IA3Config}.
   *
   * @param feedForward which modules, by name, have their input scaled
   */
  record Config(Predicate<String> feedForward) implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("init_ia3_weights");
      json.refuseIfSet("PEFT's IA3 has no such thing", "layers_to_transform", "layers_pattern");
      json.ignore("fan_in_fan_out"); // of the stored weight, which here is always [out, in]
      return new Config(feedForward(json));
    }

    @Override
    public boolean fitsConv1d() {
      return true;
    }

    /** A list entry is the end of a name, and unlike in target_modules no dot need precede it. */
    private static Predicate<String> feedForward(JsonObject json) {
      JsonNode modules = json.node("feedforward_modules");
      if (modules == null) {
        json.problem(
            "feedforward_modules: expected a list or a regular expression, found none; PEFT writes"
                + " the resolved names when it saves an adapter");
        return name -> false;
      }
      if (modules.isArray()) {
        List<String> ends = json.strings("feedforward_modules");
        return name -> ends.stream().anyMatch(name::endsWith);
      }
      return TargetModules.regex(json, "feedforward_modules");
    }

    @Override
    public Work work(String module, long out, long in) {
      return Work.elementwise(Math.max(out, in), out, in);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      boolean input = feedForward.test(module);
      NDArray stored = input ? params.get("ia3_l", 1, in) : params.get("ia3_l", out, 1);
      if (stored == null) {
        return null;
      }
      try (stored) {
        NDArray l = Kernels.flat(stored);
        return input ? new FeedForward(l) : new Ia3(l);
      }
    }
  }
}
