package dev.medley.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LabelsTest {
  @ParameterizedTest
  @ValueSource(longs = {-1, 1_000_001, Long.MAX_VALUE})
  void numberOfLabelsThatNobodyMeansIsRefused(long number) {
    JsonObject json = JsonObject.parse("{\"num_labels\": " + number + "}", "config.json");
    assertThatThrownBy(() -> Labels.parseBeside(json))
        .isInstanceOf(LoadException.class)
        .hasMessage("config.json: num_labels: expected 0 to 1000000, found " + number);
  }

  @Test
  void labelsWithoutNamesAreNumbered() {
    JsonObject json = JsonObject.parse("{\"num_labels\": 2, \"vocab_size\": 9}", "config.json");
    assertThat(Labels.parseBeside(json).names()).containsExactly("LABEL_0", "LABEL_1");
  }
}
