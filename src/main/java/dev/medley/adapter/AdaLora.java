package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;
import java.util.HashMap;
import java.util.Map;

/**
 * AdaLoRA: ΔW = s·b·(a ⊙ e), a [r, in], e [r, 1], b [out, r] (arXiv 2303.10512). s = alpha/(init_r
 * + 1e-5): PEFT keeps the starting rank, however few of the r are left, which may be none. Where
 * alpha is not positive it is r, of those left.
 */
final class AdaLora {
  private AdaLora() {}

  /**
   * {@code AdaLoraConfig}.
   *
   * @param kept ranks left by the name of the module's e, init_r where absent
   */
  record Config(long initR, double alpha, Map<String, Long> kept, boolean ensuresWeightTying)
      implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("target_r", "tinit", "tfinal", "deltaT", "beta1", "beta2", "orth_reg_weight");
      json.ignore("total_step", "init_lora_weights", "lora_dropout", "fan_in_fan_out");
      // Inherited from LoRA's config and read by none of AdaLoRA's layers.
      json.ignore("r", "use_rslora", "lora_bias", "eva_config", "corda_config");
      ModulePatterns.parse(json, "alpha_pattern");
      json.ignore("lora_ga_config", "megatron_config", "megatron_core", "runtime_config");
      json.ignore("qalora_group_size");
      Lora.Config.refuseVariants(json);
      json.refuseIfSet(
          "it replaces rows of an embedding beside AdaLoRA; train the tokens with a"
              + " TRAINABLE_TOKENS adapter, and use both as a set",
          "trainable_token_indices");
      json.refuseIfSet("AdaLoRA has no such thing", "use_dora", "kasa_config");
      json.refuseIfSet("AdaLoRA has no such thing", "loftq_config");
      long initR = json.positiveInteger("init_r", 12);
      return new Config(
          initR,
          json.number("lora_alpha", 8),
          kept(json, initR),
          json.bool("ensure_weight_tying", false));
    }

    private static boolean isMask(JsonNode list, long length) {
      boolean isMask = list.isArray() && list.size() == length;
      for (JsonNode rank : list) {
        isMask &= rank.isBoolean();
      }
      return isMask;
    }

    /** {@code rank_pattern}: a list of booleans for each rank that training began with. */
    private static Map<String, Long> kept(JsonObject json, long initR) {
      Map<String, Long> kept = new HashMap<>();
      JsonNode pattern = json.node("rank_pattern");
      if (pattern != null && !pattern.isObject()) {
        json.problem(
            "rank_pattern: expected lists by the name of a module's lora_E, found " + pattern);
        return Map.of();
      }
      if (pattern != null) {
        for (var entry : pattern.properties()) {
          long count = 0;
          for (JsonNode rank : entry.getValue()) {
            count += rank.asBoolean() ? 1 : 0;
          }
          if (!isMask(entry.getValue(), initR) || !entry.getKey().endsWith(".lora_E")) {
            json.problem(
                "rank_pattern."
                    + entry.getKey()
                    + ": expected a list of "
                    + initR
                    + " booleans, one for each rank of init_r, found "
                    + entry.getValue());
          }
          kept.put(entry.getKey(), count);
        }
      }
      return Map.copyOf(kept);
    }

    @Override
    public boolean isScalable() {
      return true;
    }

    @Override
    public boolean fitsConv1d() {
      return true;
    }

    @Override
    public String rank() {
      var ranks = kept.values().stream().mapToLong(n -> n).summaryStatistics();
      return kept.isEmpty() || ranks.getMin() == ranks.getMax()
          ? Long.toString(kept.isEmpty() ? initR : ranks.getMin())
          : ranks.getMin() + "-" + ranks.getMax();
    }

    @Override
    public Work work(String module, long out, long in) {
      return Work.lowRank(kept.getOrDefault(module + ".lora_E", initR), out, in);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      long r = kept.getOrDefault(module + ".lora_E", initR);
      NDArray a = params.get("lora_A", r, in);
      NDArray e = params.get("lora_E", r, 1);
      NDArray b = params.get("lora_B", out, r);
      double s = AdapterMethod.scale((alpha > 0 ? alpha : r) / (initR + 1e-5), params);
      if (a == null || e == null || b == null) {
        return null;
      }
      try (a;
          e) {
        return new Lora(Kernels.multiply(a, e), b, s, null);
      }
    }
  }
}
