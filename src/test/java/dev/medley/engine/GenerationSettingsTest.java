package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against what transformers' generate takes from the same files. */
class GenerationSettingsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  @Test
  void whatTheFilesSayIsWhatGenerateTakes() throws IOException {
    JsonNode cases = JSON.readTree(Fixtures.path("sampling/settings.json").toFile());
    assertThat(cases).hasSizeGreaterThanOrEqualTo(15);
    for (JsonNode each : cases) {
      Files.writeString(folder.resolve("config.json"), each.get("config").toString());
      Files.deleteIfExists(folder.resolve("generation_config.json"));
      if (!each.get("generation_config").isNull()) {
        write(each.get("generation_config").toString());
      }
      JsonNode expected = each.get("expected");
      GenerationSettings found = settings(TextGeneration.AUTO);
      assertThat(found.doSample()).as("%s", each).isEqualTo(expected.get("do_sample").asBoolean());
      assertThat(found.repetitionPenalty())
          .as("%s", each)
          .isEqualTo(expected.get("repetition_penalty").asDouble());
      Set<Long> eos = new HashSet<>();
      JsonNode ids = expected.get("eos_token_id");
      if (ids.isInt()) {
        eos.add(ids.asLong());
      }
      ids.forEach(id -> eos.add(id.asLong()));
      assertThat(found.eosTokenIds()).as("%s", each).isEqualTo(eos);
      if (found.doSample()) {
        assertThat(found.temperature()).isEqualTo(expected.get("temperature").asDouble());
        assertThat(found.topK()).as("%s", each).isEqualTo(expected.get("top_k").asInt());
        assertThat(found.topP()).isEqualTo(expected.get("top_p").asDouble());
        assertThat(found.minP()).isEqualTo(expected.get("min_p").asDouble(0));
      }
      JsonNode maxNewTokens = expected.get("max_new_tokens");
      JsonNode maxLength = expected.get("max_length");
      int limit =
          !maxNewTokens.isNull()
              ? maxNewTokens.asInt()
              : maxLength.isNull() ? 64 : maxLength.asInt() - 7;
      assertThat(found.limit(7)).as("%s", each).isEqualTo(limit);
    }
  }

  private void write(String json) throws IOException {
    Files.writeString(folder.resolve("generation_config.json"), json);
  }

  private GenerationSettings settings(TextGeneration asked) {
    return GenerationSettings.of(Storage.standard(), Location.of(folder.toString()), asked);
  }

  @Test
  void whatTheJobSaysComesFirst() throws IOException {
    write(
        """
        {"do_sample": false, "temperature": -1, "top_k": -1, "top_p": 3, "min_p": 3,
         "repetition_penalty": 0, "max_new_tokens": 0, "eos_token_id": "x", "stop_strings": 3}
        """);
    TextGeneration asked =
        new TextGeneration(9, true, 0.5, 3, 0.9, 0.1, 1.2, List.of("#"), List.of(4L, 5L), 6);
    assertThat(settings(asked))
        .isEqualTo(
            new GenerationSettings(
                9,
                Integer.MAX_VALUE,
                0,
                true,
                0.5,
                3,
                0.9,
                0.1,
                1.2,
                List.of("#"),
                Set.of(4L, 5L),
                6));
  }

  @Test
  void maxLengthCountsThePromptAndOnlyWhereNobodySaysMaxNewTokens() throws IOException {
    write("{\"max_length\": 10}");
    GenerationSettings settings = settings(TextGeneration.AUTO);
    assertThat(settings.limit(3)).isEqualTo(7);
    assertThat(settings.limit(10)).isZero();
    assertThat(settings.limit(12)).isNegative();
    assertThat(settings(TextGeneration.AUTO.withMaxNewTokens(20)).limit(12)).isEqualTo(20);
  }

  @Test
  void stopStringsAreOneOrMany() throws IOException {
    write("{\"stop_strings\": \"###\"}");
    assertThat(settings(TextGeneration.AUTO).stop()).containsExactly("###");
    assertThat(settings(TextGeneration.AUTO.withStop(List.of())).stop()).isEmpty();
    write("{\"stop_strings\": [\"###\", \"User:\"]}");
    assertThat(settings(TextGeneration.AUTO).stop()).containsExactly("###", "User:");
  }

  /** Whatever stands in a key, it is not unknown; and at its default it changes nothing. */
  @Test
  void everyKeyOfTransformersHasAFate() throws IOException {
    JsonNode keys = JSON.readTree(Fixtures.path("sampling/keys.json").toFile());
    assertThat(keys).hasSizeGreaterThan(60);
    for (boolean doSample : new boolean[] {true, false}) {
      write(((ObjectNode) keys.deepCopy()).put("do_sample", doSample).toString());
      assertThat(settings(TextGeneration.AUTO).topP()).isEqualTo(1);
      for (Map.Entry<String, JsonNode> key : keys.properties()) {
        write(JSON.createObjectNode().put("do_sample", doSample).put(key.getKey(), 3).toString());
        try {
          settings(TextGeneration.AUTO);
        } catch (LoadException e) {
          assertThat(e).hasMessageContaining(key.getKey() + ": ");
          assertThat(e.getMessage()).doesNotContain("unknown key");
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'num_beams': 4}|num_beams: 4 is not supported: it would change the continuations; only 1"
            + " is",
        "{'no_repeat_ngram_size': 3}|no_repeat_ngram_size: 3 is not supported: it would change the"
            + " continuations; only 0 is",
        "{'guidance_scale': 1.5}|guidance_scale: 1.5 is not supported: it would change the"
            + " continuations; only 1 is",
        "{'suppress_tokens': [5]}|suppress_tokens: [5] is not supported: it would change the"
            + " continuations",
        "{'do_sample': true, 'typical_p': 0.9}|typical_p: 0.9 is not supported: it would change the"
            + " continuations; only 1 is",
        "{'do_sample': true, 'top_h': 0.4}|top_h: 0.4 is not supported: it would change the"
            + " continuations",
        "{'do_sample': true, 'temperature': 0.0}|temperature: expected a positive number, found 0",
        "{'do_sample': true, 'top_p': 0.0}|top_p: expected a number above 0 and at most 1, found 0",
        "{'do_sample': true, 'top_k': -1}|top_k: expected 0 or a positive integer, found -1",
        "{'max_new_tokens': 0}|max_new_tokens: expected a positive integer, found 0",
        "{'eos_token_id': 'x'}|eos_token_id: expected a number or a list of numbers, found \"x\"",
        "{'stop_strings': ['']}|stop_strings: expected texts of at least one character, found \"\"",
        "{'repetition_penalti': 2}|repetition_penalti: unknown key with the value 2; the nearest"
            + " known key is repetition_penalty; correct or remove it in FILE"
      })
  void whatWouldChangeTheTextIsRefused(String json, String message) throws IOException {
    write(json.replace('\'', '"'));
    String file = folder.resolve("generation_config.json").toString();
    assertThatThrownBy(() -> settings(TextGeneration.AUTO))
        .isInstanceOf(LoadException.class)
        .hasMessage(file + ": " + message.replace("FILE", file));
  }

  @Test
  void keysOfDrawsDoNotMatterToGreedyModels() throws IOException {
    write("{\"typical_p\": 0.9, \"temperature\": 0.0, \"top_p\": 0.0, \"top_h\": 0.3}");
    assertThat(settings(TextGeneration.AUTO).doSample()).isFalse();
    assertThatThrownBy(() -> settings(TextGeneration.AUTO.withDoSample(true)))
        .hasMessageContaining("typical_p: 0.9 is not supported")
        .hasMessageContaining("temperature: expected a positive number, found 0");
  }

  @Test
  void configsKeysAreTheArchitecturesButWhatChangesTheTextIsRefused() throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        "{\"hidden_size\": 8, \"eos_token_id\": 3, \"num_beams\": 5}");
    assertThatThrownBy(() -> settings(TextGeneration.AUTO))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder.resolve("config.json")
                + ": num_beams: 5 is not supported: it would change the continuations; only 1 is");
  }
}
