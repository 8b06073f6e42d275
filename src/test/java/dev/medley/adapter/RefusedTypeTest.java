package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Each type of PEFT's is run, or refused with a reason. */
class RefusedTypeTest {
  private static String config(String peftType) {
    return "{\"target_modules\": [\"query\"], \"prompt_length\": 7" + peftType + "}";
  }

  @Test
  void everyTypeOfPeftIsRunOrRefused() throws IOException {
    JsonNode peft = new ObjectMapper().readTree(Fixtures.path("peft_types.json").toFile());
    List<String> expected = new ArrayList<>();
    peft.forEach(name -> expected.add(name.textValue()));
    List<String> known = new ArrayList<>(); // a list: a name that is in both is there twice
    Arrays.stream(AdapterType.values()).forEach(type -> known.add(type.name()));
    Arrays.stream(RefusedType.values()).forEach(type -> known.add(type.name()));
    assertThat(known).containsExactlyInAnyOrderElementsOf(expected);
  }

  @ParameterizedTest
  @EnumSource
  void refusalSaysWhy(RefusedType type) {
    assertThatThrownBy(() -> AdapterConfig.parse(config(", \"peft_type\": \"" + type + "\""), "c"))
        .isInstanceOf(LoadException.class)
        .hasMessage("c: peft_type: " + type + " is not supported: " + type.reason());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          , "peft_type": "LORAA"       | found LORAA; the nearest is LORA
          , "peft_type": "ln-tuning"   | found ln-tuning; the nearest is LN_TUNING
          , "peft_type": "P_TUNNING"   | found P_TUNNING; the nearest is P_TUNING
          , "peft_type": "SPARKLE"     | found SPARKLE
          , "peft_type": null          | found none; is this a PEFT adapter?
          ~~                           | found none; is this a PEFT adapter?
          , "peft_type": 7             | found 7
          """)
  void otherNamesAreAnsweredWithThoseThatRun(String peftType, String end) {
    String json = config(peftType == null ? "" : peftType);
    assertThatThrownBy(() -> AdapterConfig.parse(json, "c"))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith("c: peft_type: expected one of [LORA, LOHA, ")
        .hasMessageContaining("TRAINABLE_TOKENS], ")
        .hasMessageEndingWith(end);
  }
}
