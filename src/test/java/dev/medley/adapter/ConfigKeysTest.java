package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every field of PEFT's config classes, and every key that PEFT writes, has a fate. */
class ConfigKeysTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static JsonNode peft(AdapterType type) throws IOException {
    return JSON.readTree(Fixtures.path("adapter_config_keys.json").toFile()).get(type.name());
  }

  static Stream<Arguments> keys() {
    return Arrays.stream(AdapterType.values())
        .flatMap(
            type -> {
              try {
                Set<String> keys = new TreeSet<>();
                peft(type).get("fields").fieldNames().forEachRemaining(keys::add);
                peft(type).get("written").forEach(key -> keys.add(key.textValue()));
                assertThat(keys).contains("peft_type", "target_modules");
                return keys.stream()
                    .filter(key -> !key.equals("peft_type"))
                    .map(key -> Arguments.of(type, key));
              } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
              }
            });
  }

  /** What its type must have, as far as it has no default. */
  private static ObjectNode config(AdapterType type) {
    ObjectNode config = JSON.createObjectNode().put("peft_type", type.name());
    config.putArray("target_modules").add("query");
    switch (type) {
      case OFT -> config.put("oft_block_size", 4);
      case IA3 -> config.putArray("feedforward_modules");
      case TRAINABLE_TOKENS -> config.putArray("token_indices").add(3);
      default -> {}
    }
    return config;
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("keys")
  void keyIsReadIgnoredOrRefused(AdapterType type, String key) {
    ObjectNode config = config(type);
    config.putObject(key).put("sparkle", true); // set, and of no type that a reader wants
    Throwable thrown = catchThrowable(() -> AdapterConfig.parse(config.toString(), "config"));
    if (thrown != null) {
      assertThat(thrown).isInstanceOf(LoadException.class);
      assertThat(thrown.getMessage()).contains(key).doesNotContain("unknown key");
    }
  }

  @ParameterizedTest
  @EnumSource
  void anyOtherKeyIsUnknown(AdapterType type) {
    ObjectNode config = config(type).put("use_sparkle", true);
    assertThatThrownBy(() -> AdapterConfig.parse(config.toString(), "config"))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith("config: use_sparkle: unknown key with the value true");
  }

  @ParameterizedTest
  @EnumSource
  void defaultsAreRead(AdapterType type) throws IOException {
    ObjectNode config = (ObjectNode) peft(type).get("fields");
    config.setAll(config(type));
    assertThat(AdapterConfig.parse(config.toString(), "config").type()).isEqualTo(type);
  }
}
