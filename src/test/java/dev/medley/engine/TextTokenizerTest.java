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
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against Python's tokenizers, on strings of many scripts and none. */
class TextTokenizerTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @ParameterizedTest
  @ValueSource(strings = {"bert", "distilbert", "roberta", "xlm-roberta-token", "camembert"})
  void idsAndOffsetsArePythons(String name) throws IOException {
    JsonNode strings = JSON.readTree(Fixtures.path("tokenizers/strings.json").toFile());
    JsonNode fixture = JSON.readTree(Fixtures.path("tokenizers/" + name + ".json").toFile());
    assertThat(strings.size()).isGreaterThanOrEqualTo(200).isEqualTo(fixture.get("cases").size());
    Location folder = Fixtures.location(fixture.get("tokenizer").asText());
    try (TextTokenizer tokenizer = TextTokenizer.load(Storage.standard(), folder, 100_000, false)) {
      for (int i = 0; i < strings.size(); i++) {
        String text = strings.get(i).asText();
        JsonNode expected = fixture.get("cases").get(i);
        Tokens tokens = tokenizer.encode(text);
        assertThat(tokens.ids()).as(text).containsExactly(longs(expected.get("ids")));
        assertThat(tokens.total()).as(text).isEqualTo(tokens.ids().length);
        for (int t = 0; t < tokens.ids().length; t++) {
          JsonNode span = expected.get("offsets").get(t);
          assertThat(new int[] {tokens.starts()[t], tokens.ends()[t]})
              .as("token %d of %s", t, text)
              .containsExactly(span.get(0).asInt(), span.get(1).asInt());
        }
      }
    }
  }

  private static long[] longs(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToLong(JsonNode::asLong).toArray();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "sampling/llama",
        "models/roberta",
        "models/xlm-roberta-token",
        "models/bert",
        "models/camembert"
      })
  void decodedTextIsTransformers(String name) throws IOException {
    JsonNode cases = JSON.readTree(Fixtures.path("sampling/decoded.json").toFile()).get(name);
    assertThat(cases).hasSizeGreaterThan(40);
    try (TextTokenizer tokenizer =
        TextTokenizer.load(Storage.standard(), Fixtures.location(name), 100, false)) {
      for (JsonNode each : cases) {
        assertThat(tokenizer.decode(longs(each.get("ids"))))
            .as("%s", each)
            .isEqualTo(each.get("text").asText());
      }
    }
  }

  @Test
  void cutTextKeepsItsSpecialTokensAndKnowsItsLength() {
    try (TextTokenizer whole = load(1000);
        TextTokenizer cut = load(7)) {
      String text = "the quick brown fox jumps over the lazy dog again and again";
      Tokens all = whole.encode(text);
      Tokens some = cut.encode(text);
      assertThat(some.ids()).hasSize(7).startsWith(Stream.of(all.ids()).findFirst().get()[0]);
      assertThat(some.ids()[6]).isEqualTo(all.ids()[all.ids().length - 1]);
      assertThat(some.isTruncated()).isTrue();
      assertThat(some.total()).isEqualTo(all.ids().length);
      assertThat(all.isTruncated()).isFalse();
    }
  }

  private static TextTokenizer load(int maxTokens) {
    return TextTokenizer.load(
        Storage.standard(), Fixtures.location("models/bert"), maxTokens, false);
  }

  /** As all-MiniLM-L6-v2's file does; transformers replaces both when it is called. */
  @Test
  void truncationAndPaddingOfTheFileAreReplaced(@TempDir Path folder) throws IOException {
    String json = Files.readString(Fixtures.path("models/bert/tokenizer.json"));
    String padded =
        json.replace(
                "\"truncation\": null",
                "\"truncation\": {\"direction\": \"Right\", \"max_length\": 5, \"strategy\":"
                    + " \"LongestFirst\", \"stride\": 0}")
            .replace(
                "\"padding\": null",
                "\"padding\": {\"strategy\": {\"Fixed\": 40}, \"direction\": \"Right\","
                    + " \"pad_to_multiple_of\": null, \"pad_id\": 0, \"pad_type_id\": 0,"
                    + " \"pad_token\": \"[PAD]\"}");
    assertThat(padded).isNotEqualTo(json);
    Files.writeString(folder.resolve("tokenizer.json"), padded);
    String text = "the quick brown fox";
    try (TextTokenizer plain = load(30);
        TextTokenizer changed =
            TextTokenizer.load(Storage.standard(), Location.of(folder.toString()), 30, false)) {
      assertThat(changed.encode(text).ids()).isEqualTo(plain.encode(text).ids());
    }
  }

  @Test
  void folderWithoutTokenizerSaysHowToMakeOne(@TempDir Path folder) {
    assertThatThrownBy(
            () -> TextTokenizer.load(Storage.standard(), Location.of(folder.toString()), 30, false))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder
                + ": expected tokenizer.json, found none; in Python,"
                + " AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes it");
  }

  /** What transformers 5.18 makes of these: it follows tokenizer_config.json. */
  @ParameterizedTest
  @CsvSource({
    "bert, BertTokenizer, do_lower_case, false, lowercase, true",
    "bert, BertTokenizerFast, do_lower_case, false, lowercase, true",
    "bert, , strip_accents, false, strip_accents, null",
    "bert, BertTokenizer, tokenize_chinese_chars, false, handle_chinese_chars, true",
    "distilbert, DistilBertTokenizer, do_lower_case, true, lowercase, false",
    "distilbert, DistilBertTokenizer, strip_accents, true, strip_accents, null"
  })
  void tokenizersFilesThatDisagreeAreRefused(
      String model,
      String tokenizerClass,
      String key,
      boolean said,
      String name,
      String found,
      @TempDir Path folder)
      throws IOException {
    copyTokenizer(model, folder, config -> config.put("tokenizer_class", tokenizerClass));
    load(folder).close();
    copyTokenizer(
        model, folder, config -> config.put("tokenizer_class", tokenizerClass).put(key, said));
    assertThatThrownBy(() -> load(folder))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "%s/tokenizer_config.json: %s: %s, and %s as the normalizer's %s in"
                + " %1$s/tokenizer.json; transformers follows the former; in Python,"
                + " AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes both"
                + " alike",
            folder, key, said, found, name);
  }

  @Test
  void keysWithTheSameEffectOrNoneAreNotRefused(@TempDir Path folder) throws IOException {
    copyTokenizer("bert", folder, config -> config.put("strip_accents", true));
    load(folder).close(); // null in tokenizer.json is what lowercase is
    for (String generic : List.of("PreTrainedTokenizerFast", "TokenizersBackend")) {
      copyTokenizer(
          "bert",
          folder,
          config -> config.put("tokenizer_class", generic).put("do_lower_case", false));
      load(folder).close();
    }
  }

  private static void copyTokenizer(String model, Path folder, Consumer<ObjectNode> change)
      throws IOException {
    Path from = Fixtures.path("models/" + model);
    ObjectNode config = (ObjectNode) JSON.readTree(from.resolve("tokenizer_config.json").toFile());
    change.accept(config);
    Files.writeString(folder.resolve("tokenizer_config.json"), config.toString());
    Files.copy(
        from.resolve("tokenizer.json"),
        folder.resolve("tokenizer.json"),
        StandardCopyOption.REPLACE_EXISTING);
  }

  private static TextTokenizer load(Path folder) {
    return TextTokenizer.load(Storage.standard(), Location.of(folder.toString()), 30, false);
  }

  /** Each İ becomes two characters, so that offsets pass the end of the text as it was given. */
  @Test
  void unknownWordsOfLoweredTextAreThoseOfTheLoweredText() {
    Location folder = Fixtures.location("models/bert");
    try (TextTokenizer tokenizer = TextTokenizer.load(Storage.standard(), folder, 30, true)) {
      Tokens tokens = tokenizer.encode("İİİİ 龘龘");
      assertThat(tokens.words()).contains("龘").doesNotContain("[UNK]");
    }
  }

  @Test
  void limitThatLeavesNoRoomForTheTextIsRefused(@TempDir Path folder) throws IOException {
    Location bert = Fixtures.location("models/bert");
    for (int limit : new int[] {1, 2}) {
      assertThatThrownBy(() -> of(bert, limit))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "max-length: expected at least 3 tokens, 2 special ones and one of the text, got %d",
              limit);
    }
    try (TextTokenizer least = of(bert, 3)) {
      assertThat(least.encode("a b c").ids()).hasSize(3);
    }
    copyTokenizer("bert", folder, config -> config.put("model_max_length", 2));
    Location own = Location.of(folder.toString());
    assertThatThrownBy(() -> of(own, 0))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(
            folder
                + ": expected at least 3 tokens, 2 special ones and one of the text, found 2,"
                + " the least of");
    of(own, 3).close();
    assertThatThrownBy(() -> of(bert, 49))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("max-length: expected at most 48, the positions of this model, got 49");
  }

  private static TextTokenizer of(Location folder, int maxLength) {
    Task task = TextClassification.AUTO;
    SentenceFiles none = SentenceFiles.of(Storage.standard(), folder, task.head());
    return TextTokenizer.of(Storage.standard(), folder, task, 48, maxLength, none);
  }
}
