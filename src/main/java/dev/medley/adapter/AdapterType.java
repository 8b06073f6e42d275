package dev.medley.adapter;

import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.util.Arrays;
import java.util.function.Function;

/** PEFT's {@code peft_type}s that Medley runs: a constant names its file. */
public enum AdapterType {
  LORA("lora_", Lora.Config::parse),
  LOHA("hada_", Loha.Config::parse),
  LOKR("lokr_", Lokr.Config::parse),
  OFT("oft_", Oft.Config::parse),
  SHIRA("shira_", Shira.Config::parse),
  ADALORA("lora_", AdaLora.Config::parse),
  IA3("ia3_", Ia3.Config::parse),
  ROAD("road_", Road.Config::parse),
  VERA("vera_", Vera.Config::parse),
  LN_TUNING("ln_tuning_", LnTuning.Config::parse),
  TRAINABLE_TOKENS("trainable_tokens_", TrainableTokens.Config::parse);

  private final String prefix;
  private final Function<JsonObject, AdapterMethod> parser;

  AdapterType(String prefix, Function<JsonObject, AdapterMethod> parser) {
    this.prefix = prefix;
    this.parser = parser;
  }

  /** How the names of this type's tensors begin, after the module's path. */
  String prefix() {
    return prefix;
  }

  AdapterMethod parse(JsonObject config) {
    return parser.apply(config);
  }

  /** By PEFT's name. */
  static AdapterType of(JsonObject config) {
    String name = config.string("peft_type", null);
    return Arrays.stream(values())
        .filter(type -> type.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new LoadException(
                    config.where(),
                    "peft_type: expected one of " + Arrays.toString(values()) + ", got " + name));
  }
}
