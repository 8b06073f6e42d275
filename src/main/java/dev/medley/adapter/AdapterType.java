package dev.medley.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Nearest;
import java.util.ArrayList;
import java.util.List;
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
  public String prefix() {
    return prefix;
  }

  AdapterMethod parse(JsonObject config) {
    return parser.apply(config);
  }

  /**
   * By PEFT's name.
   *
   * @throws LoadException for a {@link RefusedType}, saying why, and for any other name
   */
  static AdapterType of(JsonObject config) {
    JsonNode value = config.node("peft_type");
    String name = value == null ? "none" : value.asText();
    List<String> known = new ArrayList<>();
    for (AdapterType type : values()) {
      if (type.name().equals(name)) {
        return type;
      }
      known.add(type.name());
    }
    String expected = "peft_type: expected one of " + known + ", found " + name;
    if (value == null) {
      throw new LoadException(config.where(), expected + "; is this a PEFT adapter?");
    }
    for (RefusedType type : RefusedType.values()) {
      if (type.name().equals(name)) {
        String problem = "peft_type: " + name + " is not supported: " + type.reason();
        throw new LoadException(config.where(), problem);
      }
      known.add(type.name());
    }
    String nearest = Nearest.name(name, known).map(near -> "; the nearest is " + near).orElse("");
    throw new LoadException(config.where(), expected + nearest);
  }
}
