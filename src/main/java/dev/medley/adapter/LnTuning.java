package dev.medley.adapter;

import dev.medley.io.JsonObject;

/**
 * LN tuning: the targeted modules, mostly layer norms, are trained as a whole and stand in place of
 * the base's (arXiv 2312.11420). Any module can be.
 */
final class LnTuning {
  private LnTuning() {}

  /** {@code LNTuningConfig}, which has nothing of its own. */
  record Config() implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.refuseIfSet(
          "PEFT's LN tuning has no such thing", "layers_to_transform", "layers_pattern");
      AdapterConfig.refuseBias(json);
      return new Config();
    }

    @Override
    public boolean fitsConv1d() {
      return true;
    }

    @Override
    public String replacement() {
      return "ln_tuning_layers";
    }
  }
}
