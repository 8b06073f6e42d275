package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import java.io.IOException;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubPathTest {
  static Stream<Arguments> uris() throws IOException {
    JsonNode uris = new ObjectMapper().readTree(Fixtures.path("hub/uris.json").toFile());
    return uris.properties().stream()
        .map(Map.Entry::copyOf)
        .map(e -> Arguments.of(e.getKey(), e.getValue()));
  }

  @ParameterizedTest
  @MethodSource("uris")
  void uriIsReadAsHuggingfaceHubReadsIt(String uri, JsonNode expected) {
    if (expected.isNull()) {
      assertThatThrownBy(() -> HubPath.parse(uri)).isInstanceOf(IllegalArgumentException.class);
      return;
    }
    HubPath path = HubPath.parse(uri);
    assertThat(path.repo()).isEqualTo(expected.get("repo").asText());
    assertThat(path.revision()).isEqualTo(expected.get("revision").textValue());
    assertThat(path.path()).isEqualTo(expected.get("path").asText());
    assertThat(HubPath.parse(path.uri())).isEqualTo(path);
    assertThat(Location.of(uri).uri()).isEqualTo(path.uri());
  }

  @ParameterizedTest
  @CsvSource({
    "hf://org/name/,                     hf://org/name",
    "HF://org/name,                      hf://org/name",
    "hf://models/org/name@main/a,        hf://org/name@main/a",
    "hf://org/name@refs%2Fpr%2F1/a,      hf://org/name@refs/pr/1/a",
    "hf://org/name@a%2Fb%25,             hf://org/name@a%2Fb%25",
  })
  void samePathIsWrittenInOneWay(String given, String uri) {
    assertThat(Location.of(given).uri()).isEqualTo(uri);
    assertThat(Location.of(uri).uri()).isEqualTo(uri);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "hf://gpt2 | hf://gpt2: expected hf://org/name[@revision][/folder], found no organisation;"
            + " gpt2, for one, is openai-community/gpt2 by now",
        "hf://datasets/org/name | hf://datasets/org/name: expected a model, found a dataset",
        "hf://spaces/org/name@main | hf://spaces/org/name@main: expected a model, found a space",
        "hf://space/org/name | hf://space/org/name: expected a model, found a space",
        "hf://org/-name | hf://org/-name: expected hf://org/name[@revision][/folder], found"
            + " \"-name\"; a name has letters, digits, - _ and . that neither begin nor end it nor"
            + " come twice",
        "hf://org/name@..%2Fx/a | hf://org/name@..%2Fx/a: expected"
            + " hf://org/name[@revision][/folder], found the revision \"../x\"; give a branch, tag"
            + " or commit, and %2F for a slash in it",
        "hf://org/name/../x | hf://org/name/../x: expected hf://org/name[@revision][/folder], found"
            + " a path with empty, . or .. parts, \"../x\"",
      })
  void whatIsNoModelIsRefused(String uri, String message) {
    assertThatThrownBy(() -> Location.of(uri))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"hf://org/name@%zz", "hf://org/name@a%2F%2Fb", "hf://org/name@%5C..%5Cx"})
  void revisionThatIsNoneIsRefused(String uri) {
    assertThatThrownBy(() -> Location.of(uri))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("found the revision ");
  }

  @Test
  void childrenAndRevisions() {
    Location model = Location.of("hf://org/name@refs/pr/1");
    assertThat(model.resolve("a/b.json")).hasToString("hf://org/name@refs/pr/1/a/b.json");
    assertThat(model.resolve("a/b.json").parent().parent()).isEqualTo(model);
    assertThat(model.resolve("a").atRevision("x/y")).hasToString("hf://org/name@x%2Fy/a");
    assertThat(model.revision()).contains("refs/pr/1");
    assertThat(Location.of("hf://org/name/a@b").revision()).isEmpty();
    assertThat(Location.of("/local@main").revision()).isEmpty();
    assertThat(Location.of("/local").isOnHub()).isFalse();
    assertThatThrownBy(() -> Location.of("/local").atRevision("main"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("/local is not on the Hugging Face Hub");
  }
}
