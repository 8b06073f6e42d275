package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class BoundedTextTest {
  private static final String MODULE = "bert.encoder.layer.11.attention.output.dense";

  /** For ever, on any machine: some 2^40 steps. */
  private static final String HOSTILE = "(.*.*.*.*)*(.*.*.*.*)*(\\w|.)*!";

  @Test
  void matcherFindsWhatItFindsInTheText() {
    Pattern pattern = Pattern.compile(".*\\.layer\\.(\\d+)\\.(.*)");
    Matcher matcher = BoundedText.matcher(pattern, MODULE);
    assertThat(matcher.matches()).isTrue();
    assertThat(matcher.group(1)).isEqualTo("11");
    assertThat(matcher.group(2)).isEqualTo("attention.output.dense");
    assertThat(BoundedText.matcher(Pattern.compile("dense"), MODULE).matches()).isFalse();
  }

  @Test
  void expressionThatTakesForEverIsRefused() {
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatThrownBy(
                    () -> BoundedText.matcher(Pattern.compile(HOSTILE), MODULE).matches())
                .isInstanceOf(LoadException.class)
                .hasMessage(
                    "adapter_config.json: expected a regular expression of less than 1000000 steps"
                        + " on "
                        + MODULE
                        + ", found "
                        + HOSTILE
                        + "; name the modules in a list"));
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
