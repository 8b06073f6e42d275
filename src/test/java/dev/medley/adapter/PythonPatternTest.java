package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.INTEGER;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** By what PEFT 0.21 and Python 3.11 make of several hundred expressions. */
class PythonPatternTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final JsonNode TABLE = table();

  /** What of a config an expression is, and what is then matched. */
  private enum Key {
    TARGET_MODULES {
      @Override
      Predicate<String> of(String json) {
        return targets("{\"target_modules\": " + json + "}");
      }
    },
    EXCLUDE_MODULES {
      @Override
      Predicate<String> of(String json) {
        return targets("{\"target_modules\": \".*\", \"exclude_modules\": " + json + "}").negate();
      }
    },
    FEEDFORWARD_MODULES {
      @Override
      Predicate<String> of(String json) {
        JsonObject document = parse("{\"feedforward_modules\": " + json + "}");
        Predicate<String> regex = TargetModules.regex(document, key());
        document.done();
        return regex;
      }
    },
    LAYERS_PATTERN {
      @Override
      Predicate<String> of(String json) {
        String lasts =
            names().map(name -> quoted(name.replaceFirst(".*\\.", ""))).toList().toString();
        return targets(
            "{\"target_modules\": "
                + lasts
                + ", \"layers_to_transform\": [1], \"layers_pattern\": ["
                + json
                + "]}");
      }
    },
    RANK_PATTERN {
      @Override
      Predicate<String> of(String json) {
        JsonObject document = parse("{\"rank_pattern\": {" + json + ": 3}}");
        ModulePatterns ranks = ModulePatterns.ranks(document);
        document.done();
        return name -> ranks.of(name, 8) == 3;
      }
    },
    MODULES_TO_SAVE {
      @Override
      Predicate<String> of(String json) {
        JsonObject document =
            parse("{\"target_modules\": \".*\", \"modules_to_save\": [" + json + "]}");
        TargetModules targets = TargetModules.parse(document, document.strings(key()));
        document.done();
        return name -> !targets.names(name);
      }
    };

    abstract Predicate<String> of(String json);

    String key() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** What PEFT makes of an expression. */
    JsonNode peft(JsonNode row) {
      for (int i = 0; i < row.size(); i++) {
        if (TABLE.get("keys").get(i).asText().equals(key())) {
          return row.get(i);
        }
      }
      throw new IllegalStateException("the fixture has no " + key());
    }

    private static Predicate<String> targets(String json) {
      JsonObject document = parse(json);
      TargetModules targets = TargetModules.parse(document, List.of());
      document.done();
      return targets::names;
    }

    private static JsonObject parse(String json) {
      return JsonObject.parse(json, "adapter_config.json");
    }
  }

  @ParameterizedTest
  @EnumSource(Key.class)
  void commonExpressionMatchesWhatItMatchesInPeft(Key key) {
    // Where the group that it refers to is PEFT's, and a repeated one.
    List<String> refused = key == Key.RANK_PATTERN ? List.of("(a)b\\1") : List.of();
    assertThat(compare("common", key)).isEqualTo(refused);
  }

  @ParameterizedTest
  @EnumSource(Key.class)
  void oddExpressionIsRefusedOrMatchesWhatItMatchesInPeft(Key key) {
    assertThat(compare("odd", key)).hasSizeLessThan(50);
  }

  @ParameterizedTest
  @EnumSource(Key.class)
  void randomExpressionIsRefusedOrMatchesWhatItMatchesInPeft(Key key) {
    assertThat(compare("random", key)).hasSizeLessThan(40);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '¦',
      quoteCharacter = '~',
      textBlock =
          """
          (a            ¦ a ( without its ), on which Python fails
          a)            ¦ a ) without its (, on which Python fails
          [a            ¦ a [ without its ], on which Python fails
          [b-a]         ¦ the range b-a, on which Python fails
          [a-\\d]     ¦ the range a-d, on which Python fails
          *a            ¦ * after nothing that could be repeated, on which Python fails
          ^*            ¦ * after an anchor, on which Python fails
          a**           ¦ * after a repeat, on which Python fails
          a{2,1}        ¦ a repeat of 2 to 1, on which Python fails
          a{65536}      ¦ a repeat of more than 65535
          a*+           ¦ a possessive repeat as in *+, which Python has since 3.11 only; drop the +
          (?>a)         ¦ the atomic group (?>…), which Python has since 3.11 only; write (?:…)
          (a)?(?(1)b)   ¦ the condition (?(…)…), which Java has not; write two alternatives
          (?<n>a)       ¦ (?<…>…), which Python has not; write (?P<…>…)
          (?P<n>a)(?P<n>b) ¦ two groups called n, on which Python fails
          (?P<é>a)      ¦ a group's name that is no ASCII identifier
          (?P=n)        ¦ (?P=n) without a group (?P<n>…) before it
          (?x) a        ¦ (?x)…, which is not read here; of flags (?i), (?m) and (?s) are, as is (?i:…)
          (?i-i:a)      ¦ a flag that is turned on and off at once, on which Python fails
          a(?i)b        ¦ flags as in (?i) after the beginning, on which Python fails
          (?<=a*)b      ¦ a look-behind of no fixed width, on which Python fails; write one for each width
          \\1(a)      ¦ a back reference to group 1, which has not ended before it
          (a)+\\1     ¦ a back reference to a group that is repeated or in a look-around
          (?<=(a)\\1) ¦ a back reference in a look-behind; write out what it stands for
          (a)\\10     ¦ a \\ before several digits; write a group's name, (?P=…)
          \\p{Alpha}  ¦ \\p, which Python has not or no name of a module needs
          \\Qa\\E   ¦ \\Q, which Python has not or no name of a module needs
          a\\z        ¦ \\z, which Python has not or no name of a module needs
          [\\b]       ¦ \\b, which Python has not or no name of a module needs
          a\\         ¦ a \\ at the end, on which Python fails
          (?#a          ¦ a (?# without its ), on which Python fails
          é             ¦ a sign that is not ASCII, which no name of a module has
          (a*)*         ¦ a repeat of what may be nothing, as in (a*)*; write a repeat of something
          """)
  void refusalSaysWhatToWrite(String expression, String problem) {
    assertThatThrownBy(() -> PythonPattern.of(expression))
        .isInstanceOfSatisfying(
            PatternSyntaxException.class, e -> assertThat(e.getDescription()).startsWith(problem));
  }

  @Test
  void groupsInGroupsAreBounded() {
    assertThat(PythonPattern.of("(".repeat(100) + "a" + ")".repeat(100)).fullmatch("a")).isTrue();
    assertThatThrownBy(() -> PythonPattern.of("(".repeat(100_000) + "a" + ")".repeat(100_000)))
        .isInstanceOf(PatternSyntaxException.class)
        .hasMessageContaining("groups in more than 100 groups");
  }

  @Test
  void longExpressionIsShownInShort() {
    assertThatThrownBy(() -> Key.RANK_PATTERN.of(quoted("layers|".repeat(30_000) + "(")))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith("adapter_config.json: rank_pattern: \"layers|layers|")
        .hasMessageContaining("…\" is no regular expression that is read here as in PEFT")
        .extracting(e -> e.getMessage().length(), INTEGER)
        .isLessThan(400);
  }

  /** Asserts that none is matched otherwise than in PEFT; those that only Medley refuses. */
  private static List<String> compare(String kind, Key key) {
    List<String> wrong = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    int[] agreed = {0, 0};
    TABLE
        .get(kind)
        .properties()
        .forEach(
            row -> {
              JsonNode peft = key.peft(row.getValue());
              String found = key.key() + " " + row.getKey() + ": PEFT has " + peft + ", Medley ";
              Predicate<String> regex;
              try {
                regex = key.of(quoted(row.getKey()));
              } catch (LoadException e) {
                if (!e.getMessage()
                    .matches(
                        "adapter_config.json: "
                            + key.key()
                            + ": \"(?s:.*)\" is no regular expression .*, found \\S.*")) {
                  wrong.add(found + e.getMessage());
                }
                agreed[1] += peft.isTextual() ? 1 : 0;
                if (!peft.isTextual()) {
                  refused.add(row.getKey());
                }
                return;
              }
              List<String> names = names().toList();
              int matched = 0;
              for (int i = 0; i < names.size(); i++) {
                matched |= regex.test(names.get(i)) ? 1 << i : 0;
              }
              if (!peft.isInt() || peft.intValue() != matched) {
                wrong.add(found + matched);
              }
              agreed[0]++;
            });
    assertThat(wrong).isEmpty();
    assertThat(agreed[0]).isGreaterThan(50);
    return refused;
  }

  private static Stream<String> names() {
    return StreamSupport.stream(TABLE.get("names").spliterator(), false).map(JsonNode::asText);
  }

  private static JsonNode table() {
    try {
      return JSON.readTree(Fixtures.path("acceptance/regular_expressions.json").toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String quoted(String text) {
    return JSON.getNodeFactory().textNode(text).toString();
  }
}
