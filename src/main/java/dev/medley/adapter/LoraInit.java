package dev.medley.adapter;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.tensor.TorchRandom;
import java.util.Locale;

/**
 * {@code init_lora_weights}: what PEFT draws for a LoRA's first values. A loaded adapter has none
 * of them left; whoever draws after PEFT has made one gets other numbers.
 */
enum LoraInit {
  /** {@code true}: a anew by kaiming_uniform_. */
  KAIMING,
  /** a anew by normal_. */
  GAUSSIAN,
  /** {@code eva}: a from data, which a saved adapter lacks. */
  EVA,
  /** Both from normal numbers by a QR decomposition. */
  ORTHOGONAL,
  /** {@code false}, and {@code mica}, which takes b from the base's weight. */
  NONE;

  private static final ObjectMapper MAPPER = new ObjectMapper();

  /**
   * Of an {@code adapter_config.json} that was read before; those that change the base are none.
   */
  static LoraInit of(String json) {
    JsonNode init;
    try {
      init = MAPPER.readTree(json).path("init_lora_weights");
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the config was read before", e);
    }
    return switch (init.asText("true").toLowerCase(Locale.ROOT)) {
      case "", "true" -> KAIMING;
      case "gaussian" -> GAUSSIAN;
      case "eva" -> EVA;
      case "orthogonal" -> ORTHOGONAL;
      case "false", "mica" -> NONE;
      default -> throw new IllegalStateException("init_lora_weights " + init + " is refused");
    };
  }

  /** Leaves out what is drawn for a linear map: first {@code nn.Linear}'s own values. */
  void skipLinear(TorchRandom random, long r, long in, long out) {
    random.skipUniform(r * in);
    random.skipUniform(out * r);
    switch (this) {
      case KAIMING -> random.skipUniform(r * in);
      case GAUSSIAN -> random.skipNormal(r * in);
      case ORTHOGONAL -> {
        random.skipNormal(r * r);
        random.skipNormal(in * (r / 2));
        random.skipNormal(r / 2 * out);
      }
      default -> {}
    }
  }

  /** Leaves out what is drawn for a table [v, d]: {@code randn} of both, and mostly b anew. */
  void skipTable(TorchRandom random, long r, long v, long d) {
    random.skipNormal(r * v);
    random.skipNormal(d * r);
    if (this != NONE) {
      random.skipNormal(d * r);
    }
  }
}
