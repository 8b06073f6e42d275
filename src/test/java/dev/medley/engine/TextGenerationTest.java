package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TextGenerationTest {
  private static final TextGeneration AUTO = TextGeneration.AUTO;

  static Stream<Arguments> outOfRange() {
    return Stream.of(
        wrong(() -> AUTO.withMaxNewTokens(0), "max-new-tokens: expected a positive integer, got 0"),
        wrong(
            () -> AUTO.withMaxNewTokens(-3), "max-new-tokens: expected a positive integer, got -3"),
        wrong(() -> AUTO.withTemperature(0.0), "temperature: expected a positive number, got 0"),
        wrong(
            () -> AUTO.withTemperature(-0.5), "temperature: expected a positive number, got -0.5"),
        wrong(
            () -> AUTO.withTemperature(Double.NaN),
            "temperature: expected a positive number, got NaN"),
        wrong(
            () -> AUTO.withTemperature(Double.POSITIVE_INFINITY),
            "temperature: expected a positive number, got Infinity"),
        wrong(() -> AUTO.withTopK(-1), "top-k: expected 0 or a positive integer, got -1"),
        wrong(() -> AUTO.withTopP(0.0), "top-p: expected a number above 0 and at most 1, got 0"),
        wrong(() -> AUTO.withTopP(1.5), "top-p: expected a number above 0 and at most 1, got 1.5"),
        wrong(() -> AUTO.withMinP(-0.1), "min-p: expected a number from 0 to 1, got -0.1"),
        wrong(() -> AUTO.withMinP(2.0), "min-p: expected a number from 0 to 1, got 2"),
        wrong(
            () -> AUTO.withRepetitionPenalty(0.0),
            "repetition-penalty: expected a positive number, got 0"),
        wrong(
            () -> AUTO.withStop(List.of("a", "")),
            "stop: expected texts of at least one character, got \"\""));
  }

  private static Arguments wrong(Supplier<TextGeneration> asked, String message) {
    return Arguments.of(message, asked);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("outOfRange")
  void numbersOutOfRangeAreRefused(String message, Supplier<TextGeneration> asked) {
    assertThatThrownBy(asked::get).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }

  @Test
  void bordersAreInRange() {
    TextGeneration asked =
        AUTO.withMaxNewTokens(1)
            .withDoSample(true)
            .withTemperature(0.01)
            .withTopK(0)
            .withTopP(1.0)
            .withMinP(0.0)
            .withRepetitionPenalty(1.0)
            .withStop(List.of())
            .withEosTokenIds(List.of())
            .withSeed(-1);
    assertThat(asked)
        .isEqualTo(new TextGeneration(1, true, 0.01, 0, 1.0, 0.0, 1.0, List.of(), List.of(), -1));
    assertThat(asked.withMinP(1.0).minP()).isEqualTo(1);
  }

  @Test
  void listsAreItsOwnAndItTravels() throws IOException, ClassNotFoundException {
    List<String> stop = new ArrayList<>(List.of("###"));
    TextGeneration asked = AUTO.withStop(stop).withEosTokenIds(List.of(2L));
    stop.add("more");
    assertThat(asked.stop()).containsExactly("###");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(asked);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(asked);
    }
  }
}
