package dev.medley.engine.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Small templates do what Jinja2 does with them as transformers sets it up, or are refused. */
class JinjaTemplateTest {
  private static final Clock NOW =
      Clock.fixed(LocalDateTime.of(2025, 1, 2, 3, 4, 5).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);

  private static final JsonNode LANGUAGE = language();

  static Stream<Arguments> cases() {
    JsonNode cases = LANGUAGE.get("cases");
    return IntStream.range(0, cases.size())
        .mapToObj(i -> Arguments.of(cases.get(i).get("template").asText(), cases.get(i)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void templateDoesWhatItDoesInPython(String template, JsonNode expected) {
    String text;
    try {
      text = render(template);
    } catch (JinjaException e) {
      if (expected.has("rendered")) {
        assertThat(e).hasMessageContaining("is not supported here");
      } else if (expected.get("error").asText().matches("(?s)(Undefined|Template)Error: .*")) {
        String error = expected.get("error").asText();
        assertThat(e).hasMessage(error.substring(error.indexOf(": ") + 2));
      }
      return;
    }
    assertThat(expected.has("rendered")).as("Python: %s, here: %s", expected, text).isTrue();
    assertThat(text).isEqualTo(expected.get("rendered").asText());
  }

  @Test
  void fewOfThemAreRefused() {
    List<String> refused = new ArrayList<>();
    for (JsonNode example : LANGUAGE.get("cases")) {
      if (example.has("rendered")) {
        try {
          render(example.get("template").asText());
        } catch (JinjaException e) {
          refused.add(e.getMessage().replaceAll("line \\d+: | is not supported here", ""));
        }
      }
    }
    assertThat(refused)
        .containsExactlyInAnyOrder(
            "a whole number beyond 64 bits",
            ".zfill of a str",
            ".index of a str",
            ".center of a str",
            "the filter wordcount",
            "the filter dictsort",
            "the filter truncate",
            "the filter batch",
            "a recursive loop",
            "the filter attr",
            "the test sameas",
            "the filter e",
            "to print a function",
            "the tag block",
            "the tag autoescape",
            "this index of a range");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ ''.getClass() }}",
        "{{ messages.getClass().forName('java.lang.Runtime') }}",
        "{{ messages[0].class.classLoader }}",
        "{{ ''['class'] }}{{ ''['getClass']() }}",
        "{{ range.getClass() }}",
        "{{ namespace(a=1).getClass() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ raise_exception.__globals__ }}{{ raise_exception.__globals__.os }}",
        "{{ loop.getClass() }}",
        "{{ messages|map('getClass')|list }}",
        "{{ messages|map(attribute='class.name')|list }}",
        "{{ messages|attr('getClass') }}"
      })
  void templateCannotReachJava(String template) {
    assertThatThrownBy(() -> render(template)).isInstanceOf(JinjaException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ 'x' }}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 'x' * 1000000000000 }}",
        "{{ [0] * 1000000000000 }}",
        "{{ [[0] * 1000] * 1000 * 1000 }}",
        "{% set n = namespace(s='x') %}{% for a in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
        "{% set n = namespace(s=[]) %}{% for a in range(99999) %}{% set n.s = [n.s] %}{% endfor %}"
            + "{{ n.s }}",
        "{% set n = namespace() %}{% set n.n = [n] %}{{ n.n|tojson }}",
        "{% set n = namespace(s=[1]) %}{% for a in range(50) %}{% set n.s = [n.s, n.s] %}"
            + "{% endfor %}{{ n.s }}",
        "{% set n = namespace(s=[1]) %}{% for a in range(50) %}{% set n.s = [n.s, n.s] %}"
            + "{% endfor %}{{ n.s == n.s + [] }}",
        "{{ 'a'|indent(1000000000000) }}",
        "{{ {'a': 1}|tojson(indent=1000000000000) }}",
        "{{ range(1000000000000) }}",
        "{{ ('x' * 1000000).replace('x', 'y' * 1000000) }}",
        "{{ 7 ** 7 ** 7 ** 7 }}"
      })
  void templateCannotGoOnForEver(String template) {
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () -> assertThatThrownBy(() -> render(template)).isInstanceOf(JinjaException.class));
  }

  @Test
  void templateThatNestsDeeplyIsRefused() {
    String deep = "{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}";
    assertThatThrownBy(() -> render(deep)).isInstanceOf(JinjaException.class);
  }

  @Test
  void longChatIsWritten() {
    JinjaTemplate template =
        JinjaTemplate.parse("{% for m in messages %}{{ m.content.strip() + '\\n' }}{% endfor %}");
    String words = "word ".repeat(200_000);
    List<Map<String, String>> messages =
        IntStream.range(0, 20).mapToObj(i -> Map.of("content", words)).toList();
    assertThat(template.render(Map.of("messages", messages), NOW)).hasSize(20 * 1_000_000);
  }

  private static String render(String template) {
    Map<String, Object> values = new HashMap<>(Map.of("bos_token", "<s>", "eos_token", "</s>"));
    values.put("unk_token", "<unk>");
    values.put("messages", new ObjectMapper().convertValue(LANGUAGE.get("messages"), List.class));
    values.put("tools", null);
    values.put("documents", null);
    values.put("add_generation_prompt", true);
    return JinjaTemplate.parse(template).render(values, NOW);
  }

  private static JsonNode language() {
    try {
      return new ObjectMapper().readTree(Fixtures.path("chat/language.json").toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
