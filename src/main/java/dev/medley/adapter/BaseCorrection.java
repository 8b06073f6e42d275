package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Weights;
import java.util.Locale;
import java.util.Set;

/**
 * What some kinds of LoRA take from the base's weight before they are trained, and PEFT again from
 * every base that they are loaded on: W ← W − c, c of rank r. Here it is a change of the adapter's
 * own, innermost, so that no other row's base feels it.
 */
enum BaseCorrection {
  NONE,
  /** The r largest singular components (arXiv 2404.02948). */
  PISSA,
  /** s·Q·R of the first r columns of Q and rows of R, W = Q·R (arXiv 2406.01775). */
  OLORA,
  /** The r smallest singular components (arXiv 2412.06071). */
  KASA;

  /** Of a column against the whole: float32 keeps seven digits. */
  private static final float LEAST = 1e-5f;

  private static final float LEAST_OF_HALF = 5e-3f;

  /** From {@code init_lora_weights}, most values of which leave no trace, and kasa_config. */
  static BaseCorrection parse(JsonObject json) {
    boolean kasa = json.node("kasa_config") != null;
    JsonNode init = json.node("init_lora_weights");
    if (init != null && !init.isBoolean() && !init.isTextual()) {
      json.problem("init_lora_weights: expected true, false or a name, found " + init);
    }
    String name = init == null || init.isBoolean() ? "" : nameOf(init.asText());
    if (kasa && !name.isEmpty() && !name.equals("gaussian")) {
      json.problem("init_lora_weights: PEFT has no " + init + " with kasa_config");
    }
    return switch (name) {
      case "", "gaussian", "eva", "orthogonal", "mica" -> kasa ? KASA : NONE;
      case "pissa" -> PISSA;
      case "olora" -> OLORA;
      default -> {
        json.problem(
            "init_lora_weights: "
                + init
                + " is not supported: PEFT changes the base's weights by it, at random or from"
                + " data that is not in the file; save the adapter with"
                + " path_initial_model_for_weight_conversion to get plain LoRA");
        yield NONE;
      }
    };
  }

  /** PEFT reads three of the names in any case, and the others as they are. */
  private static String nameOf(String init) {
    String lower = init.toLowerCase(Locale.ROOT);
    return Set.of("gaussian", "olora", "mica").contains(lower) ? lower : init;
  }

  /** Notes a problem where a weight has too few components. */
  void check(String module, Weights params, long r, long out, long in) {
    long all = Math.min(out, in);
    if (this == KASA ? r >= all : this != NONE && r > all) {
      params.problem(module + ": expected a rank below " + all + ", found " + r + ", for " + this);
    }
  }

  /** −c as a change of rank r. weight [out, in]; {@code owner} of its arrays */
  private Lora of(NDArray weight, long r, double s, NDManager owner) {
    NDArray a;
    NDArray b;
    double scale = -1;
    if (this == OLORA) {
      b = Kernels.leadingColumns(weight, r); // [out, r], orthonormal
      try (NDArray bt = Kernels.transpose(b)) {
        a = Kernels.product(bt, weight); // [r, in]
      }
      checkDirections(a, r);
      scale = -s;
    } else {
      a = this == PISSA ? Kernels.largest(weight, r) : Kernels.smallest(weight, r); // [r, in]
      b = Kernels.linear(weight, a, null); // [out, r]
    }
    a.attach(owner);
    b.attach(owner);
    return new Lora(a, b, scale, null);
  }

  /**
   * QR's directions are those of the first r columns. Where an OLoRA of scale 1 has taken these
   * before, rounding alone is left of them, another on every processor.
   *
   * @param a bᵀ·W [r, in], which begins with R
   */
  private static void checkDirections(NDArray a, long r) {
    float[] values;
    try (NDArray wide = Kernels.to(a, Precision.FLOAT32)) {
      values = wide.toFloatArray();
    }
    float least = a.getDataType() == DataType.FLOAT32 ? LEAST : LEAST_OF_HALF;
    int in = values.length / (int) r;
    float largest = 0;
    for (float value : values) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < r; i++) {
      if (Math.abs(values[i * in + i]) < least * largest) {
        throw new ArithmeticException(
            "OLoRA would take its part along the first columns of what is left of this weight, and"
                + " column "
                + i
                + " of them is next to nothing, so that rounding would choose; another OLoRA of"
                + " the set, of scale 1, may have taken it");
      }
    }
  }

  /**
   * A change that comes with such a correction. The first base weight is that of the base itself,
   * when the adapter is loaded; what is taken from it is kept, since it costs a decomposition.
   */
  static final class Corrected implements LinearAdapter {
    private final LinearAdapter change;
    private final BaseCorrection kind;
    private final long r;
    private final double s;
    private NDArray weight;
    private Lora taken;

    Corrected(LinearAdapter change, BaseCorrection kind, long r, double s) {
      this.change = change;
      this.kind = kind;
      this.r = r;
      this.s = s;
    }

    @Override
    public LinearAdapter correction(NDArray base, NDManager owner) {
      if (base == weight) {
        return taken;
      }
      Lora made = kind.of(base, r, s, owner);
      if (weight == null) {
        weight = base;
        taken = made;
      }
      return made;
    }

    @Override
    public LinearAdapter over(NDArray base, NDManager owner) {
      return change.over(base, owner);
    }

    @Override
    public NDArray merge(NDArray base) {
      throw new IllegalStateException("not bound to a base");
    }
  }
}
