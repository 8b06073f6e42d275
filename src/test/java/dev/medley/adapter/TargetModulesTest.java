package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.INTEGER;

import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** PEFT 0.21's rules, partly from the table in its tests/test_tuners_utils.py. */
class TargetModulesTest {
  private static boolean matches(String json, String name, Kind kind, boolean isHead) {
    JsonObject document = JsonObject.parse(json, "adapter_config.json");
    TargetModules targets = TargetModules.parse(document, List.of("classifier"));
    document.done();
    long[] shape = {2, 2};
    Module module = new Module(name, kind, Place.BASE, true, shape, shape, null, null);
    return targets.matches(name, module, isHead);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          {"target_modules": ["baz"]}                          | foo.bar.baz   | true
          {"target_modules": ["baz"]}                          | foo.barbaz    | false
          {"target_modules": ["baz"]}                          | baz           | true
          {"target_modules": ["bar.baz"]}                      | foo.bar.baz   | true
          {"target_modules": ["foo.bar"]}                      | foo.bar.baz   | false
          {"target_modules": ".*baz"}                          | foo.bar.baz   | true
          {"target_modules": "baz"}                            | foo.bar.baz   | false
          {"target_modules": ["baz"], "exclude_modules": ["bar.baz"]}     | foo.bar.baz | false
          {"target_modules": ["baz"], "exclude_modules": "foo\\\\..*"}    | foo.bar.baz | false
          {"target_modules": ["baz"], "layers_to_transform": [1]}         | foo.bar.1.baz | true
          {"target_modules": ["baz"], "layers_to_transform": 1}           | foo.bar.1.baz | true
          {"target_modules": ["baz"], "layers_to_transform": [0]}         | foo.bar.1.baz | false
          {"target_modules": ["baz"], "layers_to_transform": [1]}         | bar.1.baz   | false
          {"target_modules": ["baz"], "layers_to_transform": [1]}         | foo.1.bar.2.baz | false
          {"target_modules": ["foo.bar.1.baz"], "layers_to_transform": [9]} | foo.bar.1.baz | true
          {"target_modules": ["baz"], "layers_to_transform": [1], "layers_pattern": "bar"}   | bar.1.baz | true
          {"target_modules": ["baz"], "layers_to_transform": [1], "layers_pattern": ["qux"]} | foo.bar.1.baz | false
          {"target_modules": ["baz"], "layers_to_transform": [1], "layers_pattern": ["qux", "bar"]} | foo.bar.1.baz | true
          {"target_modules": ["classifier"]}                   | classifier    | false
          {"target_modules": ["dense"]}                        | classifier.dense | false
          {"target_modules": "All-Linear"}                     | foo.bar       | true
          """)
  void moduleIsTargetedAsInPeft(String json, String name, boolean expected) {
    assertThat(matches(json, name, Kind.LINEAR, false)).isEqualTo(expected);
  }

  @Test
  void allLinearLeavesOutEmbeddingsNormsAndHeads() {
    String json = "{\"target_modules\": \"all-linear\"}";
    assertThat(matches(json, "embeddings", Kind.EMBEDDING, false)).isFalse();
    assertThat(matches(json, "score", Kind.LINEAR, true)).isFalse();
    assertThat(matches(json, "h.0.c_attn", Kind.CONV1D, false)).isTrue();
    assertThat(matches(json, "norm", Kind.NORM, false)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"[0.5]", "[\"1\"]", "[true]", "[1,-2]", "0.5", "-2"})
  void layerIsAWholeNumberFromZeroOn(String layers) {
    String json = "{\"target_modules\": [\"baz\"], \"layers_to_transform\": " + layers + "}";
    assertThatThrownBy(() -> matches(json, "foo.bar.0.baz", Kind.LINEAR, false))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(
            "layers_to_transform: expected a layer's number or a list of them, found " + layers);
  }

  /**
   * PEFT puts neither parentheses round an expression nor a number in every side of a {@code |}.
   */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '~',
      textBlock =
          """
          "(bar)"                      ; true
          "(foo|bar)"                  ; true
          "foo|bar"                    ; false
          "bar|qux"                    ; false
          "bar(?#"                     ; false
          ["qux", "qux|bar", "bar"]    ; true
          ["qux", "foo|bar", "bar"]    ; false
          """)
  void layersPatternIsTextOfALongerExpression(String pattern, boolean expected) {
    String json =
        "{\"target_modules\": [\"baz\"], \"layers_to_transform\": [1], \"layers_pattern\": ";
    assertThat(matches(json + pattern + "}", "foo.bar.1.baz", Kind.LINEAR, false))
        .isEqualTo(expected);
  }

  /** On all but null or a number in exclude_modules and layers_pattern PEFT fails. */
  @ParameterizedTest
  @ValueSource(strings = {"target_modules", "exclude_modules", "layers_pattern"})
  void listIsOfStrings(String key) {
    for (String entry : List.of("null", "1", "true", "[\"baz\"]", "{}")) {
      JsonObject document =
          JsonObject.parse("{\"" + key + "\": [\"baz\", " + entry + "]}", "adapter_config.json");
      TargetModules.parse(document, List.of());
      assertThatThrownBy(document::done)
          .isInstanceOf(LoadException.class)
          .hasMessageContaining(key + "[1]: expected a string, found " + entry);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"target_modules", "exclude_modules", "layers_pattern"})
  void valueOfAnotherKindIsShownInShort(String key) {
    String value = "{\"a\": \"" + "b".repeat(200_000) + "\"}";
    JsonObject document =
        JsonObject.parse("{\"" + key + "\": " + value + "}", "adapter_config.json");
    TargetModules.parse(document, List.of());
    assertThatThrownBy(document::done)
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(key + ": expected a ")
        .hasMessageContaining("bbb…")
        .extracting(e -> e.getMessage().length(), INTEGER)
        .isLessThan(600);
  }

  /** In PEFT's exclusion alone: a module is saved for its name's end. */
  @ParameterizedTest
  @CsvSource({
    "self.quer., bert.layer.1.self.query, true",
    "self.quer., bert.layer.1.self.key, false",
    "self.query, bert.layer.1.self.query.lora, true",
    "quer., bert.layer.1.self.query, true",
    "uery, bert.layer.1.self.query, false",
    "key|query, bert.layer.1.self.query, false",
    "query|key, bert.layer.1.self.query, true",
    "key|bert, bert.layer.1.self.query, true",
    "bert|key, bert.layer.1.self.query, true",
    "(key|query), bert.layer.1.self.query, true",
    "layer, bert.layer.1.self.query, true"
  })
  void nothingIsTargetedThatAnExpressionForSavedModulesMatches(
      String saved, String name, boolean isExcluded) {
    JsonObject document = JsonObject.parse("{\"target_modules\": \".*\"}", "c");
    TargetModules targets = TargetModules.parse(document, List.of("score", saved));
    document.done();
    assertThat(targets.names(name)).isEqualTo(!isExcluded);
  }

  @Test
  void savedModuleThatIsNoExpressionIsRefusedAsInPeft() {
    JsonObject document = JsonObject.parse("{\"target_modules\": [\"a\"]}", "c");
    TargetModules.parse(document, List.of("lin("));
    assertThatThrownBy(document::done)
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("modules_to_save: \"lin(\" is no regular expression");
  }

  /** On which PEFT fails: torch takes no 3.0 for a size. */
  @ParameterizedTest
  @ValueSource(strings = {"3.0", "3.5", "true", "null", "\"3\""})
  void rankIsWrittenAsAWholeNumber(String rank) {
    JsonObject document = JsonObject.parse("{\"rank_pattern\": {\"lin\": " + rank + "}}", "c");
    ModulePatterns.ranks(document);
    assertThatThrownBy(document::done)
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("rank_pattern.lin: expected a ");
  }

  @Test
  void everythingThatIsWrongIsSaidAtOnce() {
    JsonObject document =
        JsonObject.parse(
            """
            {"exclude_modules": "(", "layers_to_transform": ["one"], "layers_pattern": ["["]}
            """,
            "adapter_config.json");
    TargetModules.parse(document, List.of());
    assertThatThrownBy(document::done)
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("target_modules: expected a list or a regular expression")
        .hasMessageContaining("exclude_modules: \"(\" is no regular expression")
        .hasMessageContaining("layers_to_transform: expected a layer's number")
        .hasMessageContaining("layers_pattern: \"[\" is no regular expression");
  }
}
