package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * Rotary positions (arXiv 2104.09864) and the ways to stretch them over longer texts: HF's {@code
 * rope_type}s default, linear, dynamic, yarn (arXiv 2309.00071), llama3 and longrope (arXiv
 * 2402.13753). Pairs of elements of each query and key turn by position · frequency.
 */
public final class Rope {
  private final Spec spec;
  private final IntFunction<float[]> frequencies;
  private final double scale;
  private final int shortest;
  private final int restartAt;
  private final double stretch;

  /** What every kind needs. */
  private record Spec(double theta, int width, int maxPositions) {}

  private Rope(
      Spec spec,
      IntFunction<float[]> frequencies,
      double scale,
      int shortest,
      int restartAt,
      double stretch) {
    this.spec = spec;
    this.frequencies = frequencies;
    this.scale = scale;
    this.shortest = shortest;
    this.restartAt = restartAt;
    this.stretch = stretch;
  }

  /**
   * Reads {@code rope_parameters}, or {@code rope_scaling} and {@code rope_theta} as transformers 4
   * wrote them.
   *
   * @param headDim width of a head
   * @param maxPositions {@code max_position_embeddings}
   */
  public static Rope parse(JsonObject config, int headDim, int maxPositions) {
    return parse(config, headDim, maxPositions, 0);
  }

  /**
   * The same for a class whose {@code original_max_position_embeddings} stands outside and has a
   * default; 0 for none.
   */
  public static Rope parse(JsonObject config, int headDim, int maxPositions, int original) {
    double theta = config.positiveNumber("rope_theta", 10_000);
    double share = config.positiveNumber("partial_rotary_factor", 1);
    JsonObject scaling = config.object("rope_scaling");
    JsonObject parameters = config.object("rope_parameters");
    JsonObject rope = scaling == null ? parameters : scaling;
    boolean outside = original > 0 || config.has("original_max_position_embeddings");
    long orElse = Math.max(1, original);
    long first = config.positiveInteger("original_max_position_embeddings", orElse);
    return parse(rope, config, theta, share, headDim, maxPositions, outside ? first : 0);
  }

  /** One of several in a model, such as Gemma 3's for layers of each kind; null for the default. */
  public static Rope parse(
      JsonObject rope, JsonObject config, double theta, int headDim, int maxPositions) {
    return parse(rope, config, theta, 1, headDim, maxPositions, 0);
  }

  private static Rope parse(
      JsonObject rope,
      JsonObject config,
      double orElseTheta,
      double orElseShare,
      int headDim,
      int maxPositions,
      long outside) {
    String kind = rope == null ? "default" : rope.string("type", "default");
    double theta = orElseTheta;
    double share = orElseShare;
    if (rope != null) {
      kind = rope.string("rope_type", kind);
      theta = rope.positiveNumber("rope_theta", orElseTheta);
      share = rope.positiveNumber("partial_rotary_factor", orElseShare);
    }
    int width = (int) (headDim * share);
    if (width < 2 || width % 2 != 0 || width > headDim) {
      config.problem(
          "partial_rotary_factor: expected an even number of a head's "
              + headDim
              + " elements to turn, found "
              + width);
      width = 2;
    }
    Spec spec = new Spec(theta, width, maxPositions);
    return switch (kind) {
      case "default" -> plain(spec, rope);
      case "linear" -> linear(spec, rope);
      case "dynamic" -> dynamic(spec, rope);
      case "llama3" -> llama3(spec, rope, original(rope, spec, outside));
      case "yarn" -> yarn(spec, rope, original(rope, spec, outside));
      case "longrope", "su" -> longrope(spec, rope, original(rope, spec, outside));
      default -> unknown(config, kind, spec);
    };
  }

  private static Rope unknown(JsonObject config, String kind, Spec spec) {
    config.problem(
        "rope_type: expected default, linear, dynamic, yarn, llama3 or longrope, found " + kind);
    return plain(spec, null);
  }

  private static double original(JsonObject rope, Spec spec, long outside) {
    double inside = rope.positiveNumber("original_max_position_embeddings", spec.maxPositions);
    return outside > 0 ? outside : inside; // HF's Phi-3 keeps it outside, and that one counts
  }

  private static Rope plain(Spec spec, JsonObject rope) {
    if (rope != null) {
      rope.ignore("factor", "original_max_position_embeddings");
    }
    return new Rope(spec, length -> base(spec, spec.theta), 1, 0, Integer.MAX_VALUE, 1);
  }

  private static Rope linear(Spec spec, JsonObject rope) {
    float factor = (float) rope.positiveNumber("factor");
    rope.ignore("original_max_position_embeddings");
    float[] frequencies = base(spec, spec.theta);
    return new Rope(
        spec, length -> each(frequencies, f -> f / factor), 1, 0, Integer.MAX_VALUE, factor);
  }

  /** NTK scaling by the length of the row so far: keys keep the angles that they once got. */
  private static Rope dynamic(Spec spec, JsonObject rope) {
    double factor = rope.positiveNumber("factor");
    rope.ignore("original_max_position_embeddings");
    double power = spec.width / (spec.width - 2.0);
    return new Rope(
        spec,
        length -> {
          double over = factor * length / spec.maxPositions - (factor - 1);
          return base(spec, spec.theta * Math.pow(over, power));
        },
        1,
        spec.maxPositions,
        Integer.MAX_VALUE,
        factor);
  }

  private static Rope llama3(Spec spec, JsonObject rope, double original) {
    float factor = (float) rope.positiveNumber("factor");
    double low = rope.positiveNumber("low_freq_factor");
    double high = rope.positiveNumber("high_freq_factor");
    float[] frequencies =
        each(
            base(spec, spec.theta),
            f -> {
              float wave = (float) (2 * Math.PI / f);
              if (wave < original / high) {
                return f;
              }
              if (wave > original / low) {
                return f / factor;
              }
              float smooth = (float) ((original / wave - low) / (high - low));
              return (1 - smooth) * f / factor + smooth * f;
            });
    return new Rope(spec, length -> frequencies, 1, 0, Integer.MAX_VALUE, 1);
  }

  private static Rope yarn(Spec spec, JsonObject rope, double original) {
    double factor = rope.positiveNumber("factor", spec.maxPositions / original);
    rope.ignore("finetuned"); // how the checkpoint was made
    double mscale = rope.number("mscale", 0);
    double mscaleAll = rope.number("mscale_all_dim", 0);
    double byLength =
        mscale != 0 && mscaleAll != 0
            ? mscale(factor, mscale) / mscale(factor, mscaleAll)
            : mscale(factor, 1);
    double scale = rope.positiveNumber("attention_factor", byLength);
    double low = turnsAt(spec, original, rope.positiveNumber("beta_fast", 32));
    double high = turnsAt(spec, original, rope.positiveNumber("beta_slow", 1));
    if (rope.bool("truncate", true)) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    double from = Math.max(low, 0);
    double to = Math.min(high, spec.width - 1);
    double end = from == to ? to + 0.001 : to;
    float[] frequencies = base(spec, spec.theta);
    for (int i = 0; i < frequencies.length; i++) {
      float ramp = (float) Math.min(1, Math.max(0, (i - from) / (end - from)));
      float stretched = (float) (frequencies[i] / factor);
      float kept = 1 - ramp;
      frequencies[i] = stretched * (1 - kept) + frequencies[i] * kept;
    }
    double stretch = Math.max(1, original * factor / spec.maxPositions);
    return new Rope(spec, length -> frequencies, scale, 0, Integer.MAX_VALUE, stretch);
  }

  private static double mscale(double factor, double by) {
    return factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1;
  }

  /** The element whose pair turns that often over the original length. */
  private static double turnsAt(Spec spec, double original, double turns) {
    return spec.width * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(spec.theta));
  }

  /** One factor an element, of two lists: rows that outgrow the original length get the other. */
  private static Rope longrope(Spec spec, JsonObject rope, double original) {
    double factor = rope.positiveNumber("factor", spec.maxPositions / original);
    double byLength = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    double scale = rope.positiveNumber("attention_factor", byLength);
    rope.ignore("short_mscale", "long_mscale"); // not read by transformers
    float[] shortFactor = factors(rope, "short_factor", spec.width / 2);
    float[] longFactor = factors(rope, "long_factor", spec.width / 2);
    return new Rope(
        spec,
        length -> {
          float[] by = length > original ? longFactor : shortFactor;
          float[] frequencies = base(spec, spec.theta);
          for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] /= by[i];
          }
          return frequencies;
        },
        scale,
        0,
        (int) original + 1,
        1);
  }

  private static float[] factors(JsonObject rope, String key, int count) {
    JsonNode list = rope.node(key);
    float[] factors = new float[count];
    if (list == null || !list.isArray() || list.size() != count) {
      rope.problem(key + ": expected " + count + " numbers, one for each pair, found " + list);
      return factors;
    }
    for (int i = 0; i < count; i++) {
      if (!list.get(i).isNumber() || !(list.get(i).doubleValue() > 0)) {
        rope.problem(key + "[" + i + "]: expected a positive number, found " + list.get(i));
      }
      factors[i] = list.get(i).floatValue();
    }
    return factors;
  }

  private static float[] base(Spec spec, double theta) {
    float[] frequencies = new float[spec.width / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = 1 / (float) Math.pow(theta, (float) (2 * i) / spec.width);
    }
    return frequencies;
  }

  private interface Change {
    float of(float frequency);
  }

  private static float[] each(float[] frequencies, Change change) {
    float[] changed = new float[frequencies.length];
    for (int i = 0; i < changed.length; i++) {
      changed[i] = change.of(frequencies[i]);
    }
    return changed;
  }

  /**
   * From how many tokens on a row's earlier keys have to be computed anew, since their angles
   * change; {@code Integer.MAX_VALUE} for never.
   */
  public int restartAt() {
    return restartAt;
  }

  /** Most positions: the config's, times what they are stretched by. */
  public int maxTokens() {
    return (int) Math.min(Integer.MAX_VALUE, (long) (spec.maxPositions * stretch));
  }

  /**
   * Cosines and sines [2, n, width/2].
   *
   * @param positions of tokens
   * @param lengths of the rows that they are in, so far
   */
  NDArray angles(NDManager owner, long[] positions, int[] lengths) {
    Map<Integer, Integer> known = new LinkedHashMap<>(); // a row of the table for each length
    List<float[]> table = new ArrayList<>();
    long[] rows = new long[positions.length];
    boolean sameForAll = shortest == 0 && restartAt == Integer.MAX_VALUE;
    for (int i = 0; i < rows.length; i++) {
      int length = sameForAll ? 0 : Math.max(lengths[i], shortest);
      rows[i] =
          known.computeIfAbsent(
              length,
              l -> {
                table.add(frequencies.apply(l));
                return table.size() - 1;
              });
    }
    int width = spec.width / 2;
    float[] flat = new float[table.size() * width];
    for (int i = 0; i < table.size(); i++) {
      System.arraycopy(table.get(i), 0, flat, i * width, width);
    }
    try (NDManager scratch = owner.newSubManager()) {
      NDArray all = scratch.create(flat, new Shape(table.size(), width));
      NDArray each = table.size() == 1 ? all : Kernels.embedding(scratch.create(rows), all);
      NDArray angles = Kernels.angles(each, scratch.create(positions), scale);
      angles.attach(owner);
      return angles;
    }
  }

  /** Turns every head of x. x [n, heads·d] → [n, heads·d] */
  public NDArray turn(NDArray x, CausalBatch batch, int heads) {
    return Kernels.rotary(x, batch.angles(this), heads);
  }
}
