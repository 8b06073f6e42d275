package dev.medley.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import java.io.IOException;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** torch's generator against torch. */
class TorchRandomTest {
  static Stream<JsonNode> seeds() throws IOException {
    JsonNode all = new ObjectMapper().readTree(Fixtures.path("verbs/random.json").toFile());
    return StreamSupport.stream(all.spliterator(), false);
  }

  /** What is left out moves what comes after it as far as in torch, and no further. */
  @ParameterizedTest
  @MethodSource("seeds")
  void numbersAfterOtherDrawsAreTorchs(JsonNode seed) {
    TorchRandom random = new TorchRandom(seed.get("seed").asLong());
    int drawn = 0;
    for (JsonNode step : seed.get("draws")) {
      random.skipUniform(step.path("uniform").asLong());
      if (step.has("normal")) {
        random.skipNormal(step.get("normal").asLong());
      }
      String expected = step.path("bernoulli").asText();
      StringBuilder actual = new StringBuilder();
      for (float number : random.bernoulli(0.5, expected.length())) {
        actual.append((int) number);
      }
      assertThat(actual).hasToString(expected);
      drawn += expected.length();
    }
    assertThat(drawn).isPositive();
  }
}
