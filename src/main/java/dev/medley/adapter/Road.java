package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * RoAd: y = R·(W·x + b), R a matrix of 2×2 blocks that turn and stretch (arXiv 2409.00119). The
 * output is cut into groups, and element i of a group's first half is paired with element i of its
 * second: y₁' = c₁·y₁ − s₁·y₂, y₂' = c₂·y₂ + s₂·y₁, c = alpha·cos theta, s = alpha·sin theta.
 *
 * @param turns c and s, [2, out]
 * @param group elements of a group, even
 */
record Road(NDArray turns, long group) implements LinearAdapter {
  @Override
  public NDArray output(NDArray x, NDArray y) {
    return Kernels.turn(y, turns, group);
  }

  @Override
  public NDArray merge(NDArray weight) {
    return Kernels.turnColumns(weight, turns, group);
  }

  @Override
  public boolean isNothing() {
    try (NDArray c = Kernels.rows(turns, 0, 1);
        NDArray s = Kernels.rows(turns, 1, 1)) {
      return Kernels.isNear(c, 1, 0) && Kernels.isZero(s);
    }
  }

  @Override
  public NDArray bias(NDArray base, NDArray bias) {
    return bias == null ? null : Kernels.turn(bias, turns, group);
  }

  /** How many numbers theta and alpha hold. */
  private enum Variant {
    /** One for each pair. */
    ROAD_1,
    /** One for each element. */
    ROAD_2,
    /** Two for each element: in each group those of c, then those of s. */
    ROAD_4;

    long numbers(long out) {
      return switch (this) {
        case ROAD_1 -> out / 2;
        case ROAD_2 -> out;
        case ROAD_4 -> 2 * out;
      };
    }
  }

  /** {@code RoadConfig}. */
  record Config(Variant variant, long group) implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("init_weights");
      json.refuseIfSet(
          "PEFT's RoAd has no such thing",
          "exclude_modules",
          "layers_to_transform",
          "layers_pattern");
      long group = json.positiveInteger("group_size", 64);
      if (group % 2 != 0) {
        json.problem("group_size: expected an even number, found " + group);
      }
      String name = json.string("variant", "road_1");
      Variant variant =
          switch (name) {
            case "road_1" -> Variant.ROAD_1;
            case "road_2" -> Variant.ROAD_2;
            case "road_4" -> Variant.ROAD_4;
            default -> {
              json.problem("variant: expected road_1, road_2 or road_4, found " + name);
              yield Variant.ROAD_1;
            }
          };
      return new Config(variant, group);
    }

    @Override
    public Work work(String module, long out, long in) {
      return Work.elementwise(3 * out, out, in);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      if (out % group != 0) {
        params.problem(
            params.path() + ": group_size: expected a divisor of " + out + ", found " + group);
      }
      NDArray theta = params.get("road_theta", variant.numbers(out));
      NDArray alpha = params.get("road_alpha", variant.numbers(out));
      if (theta == null || alpha == null || out % group != 0) {
        return null;
      }
      try (theta;
          alpha) {
        return new Road(Kernels.turns(theta, alpha, out / group, group), group);
      }
    }
  }
}
