package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.PatternSyntaxException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BoundedTextTest {
  private static final String MODULE = "bert.encoder.layer.11.attention.output.dense";

  /** For ever, on any machine: some 2^40 steps. */
  private static final String HOSTILE = "(.+.+.+.+)+(.+.+.+.+)+(\\w|.)+!";

  @Test
  void expressionFindsWhatItFindsInTheText() {
    PythonPattern pattern = PythonPattern.of(".*\\.layer\\.(?P<idx>\\d+)\\.(?P<rest>.*)");
    assertThat(pattern.fullmatch(MODULE)).isTrue();
    assertThat(pattern.match(MODULE))
        .contains(Map.of("idx", "11", "rest", "attention.output.dense"));
    assertThat(PythonPattern.of("dense").fullmatch(MODULE)).isFalse();
    assertThat(PythonPattern.of("dense").match(MODULE)).isEmpty();
  }

  @Test
  void expressionThatTakesForEverIsRefused() {
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatThrownBy(() -> PythonPattern.of(HOSTILE).fullmatch(MODULE))
                .isInstanceOf(LoadException.class)
                .hasMessage(
                    "adapter_config.json: expected a regular expression of less than 1000000 steps"
                        + " on "
                        + MODULE
                        + ", found \""
                        + HOSTILE.replace("\\", "\\\\")
                        + "\"; name the modules in a list"));
  }

  /** At the end of the text Java asks for no character, so there no step is counted. */
  @ParameterizedTest
  @ValueSource(strings = {"(?:a?|b?)", "(?:a?)?", "(?:^|\\b|a)", "(?:(?:a?){40}){40}", "(a*)+"})
  void waysToMatchNothingAreBounded(String nothing) {
    for (String expression : List.of(nothing.repeat(40) + "x", MODULE + nothing.repeat(40) + "x")) {
      assertThatThrownBy(() -> PythonPattern.of(expression))
          .isInstanceOf(PatternSyntaxException.class)
          .hasMessageContaining("nothing");
    }
  }

  /** 64 ways, on all of what the text is tried with. */
  @Test
  void mostWaysToMatchNothingTakeNoTime() {
    PythonPattern pattern = PythonPattern.of("(.+.+.+.+)+" + "(?:a?|b?)".repeat(6) + "x");
    assertRefused(() -> pattern.fullmatch(MODULE));
  }

  @Test
  void expressionThatIsTooDeepForTheStackIsRefused() {
    PythonPattern pattern = PythonPattern.of("(?:" + "a?".repeat(2_000) + ".)+!");
    assertThatThrownBy(() -> pattern.fullmatch(MODULE.repeat(20)))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected a regular expression that Java's stack has room for on");
    assertThatThrownBy(() -> PythonPattern.of("[ab]".repeat(50_000)))
        .isInstanceOf(PatternSyntaxException.class);
  }

  /** Each key of a config that is an expression. */
  @Test
  void noKeyOfAConfigTakesForEver() {
    String escaped = HOSTILE.replace("\\", "\\\\");
    for (String json :
        List.of(
            "{\"target_modules\": \"" + escaped + "\"}",
            "{\"target_modules\": [\"dense\"], \"exclude_modules\": \"" + escaped + "\"}")) {
      TargetModules targets = TargetModules.parse(JsonObject.parse(json, "c"), List.of());
      assertRefused(() -> targets.names(MODULE));
    }
    TargetModules layers =
        TargetModules.parse(
            JsonObject.parse(
                "{\"target_modules\": [\"dense\"], \"layers_to_transform\": [1],"
                    + " \"layers_pattern\": \""
                    + escaped
                    + "\"}",
                "c"),
            List.of());
    assertRefused(() -> layers.names(MODULE));
    ModulePatterns ranks =
        ModulePatterns.parse(
            JsonObject.parse("{\"rank_pattern\": {\"" + escaped + "\": 4}}", "c"), "rank_pattern");
    assertRefused(() -> ranks.of(MODULE, 8));
    TargetModules saved =
        TargetModules.parse(
            JsonObject.parse("{\"target_modules\": [\"dense\"]}", "c"), List.of(HOSTILE));
    assertRefused(() -> saved.names(MODULE));
  }

  private static void assertRefused(Runnable matching) {
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatThrownBy(matching::run)
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("expected a regular expression of less than"));
  }
}
