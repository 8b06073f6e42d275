package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.model.Pooling;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SentenceFilesTest {
  private static final FeatureExtraction OWN = new FeatureExtraction(Pooling.MEAN, true);

  @TempDir Path folder;

  private void write(String file, String json) throws IOException {
    Path path = folder.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, json.replace('\'', '"'));
  }

  private static String module(String type, String more) {
    return "{'idx': 0, 'name': '0', 'path': '', 'type': '" + type + "'" + more + "}";
  }

  private SentenceFiles read() {
    return SentenceFiles.of(Storage.standard(), Location.of(folder.toString()), Head.NONE);
  }

  private void check() {
    read().check(FeatureExtraction.AUTO);
  }

  @Test
  void poolingAndLengthAreThoseOfTheFiles() throws IOException {
    write(
        "modules.json",
        "["
            + module("sentence_transformers.models.Transformer", ", 'kwargs': []")
            + ",{'type': 'sentence_transformers.models.Pooling', 'path': '1_Pooling'},"
            + module("sentence_transformers.models.Normalize", "")
            + "]");
    write("1_Pooling/config.json", "{'pooling_mode_cls_token': true}");
    write("sentence_bert_config.json", "{'max_seq_length': 99, 'do_lower_case': true}");
    write(
        "config_sentence_transformers.json",
        "{'__version__': {'pytorch': '2'}, 'prompts': {'query': 'query: '},"
            + " 'default_prompt_name': null, 'similarity_fn_name': 'cosine'}");
    SentenceFiles files = read();
    files.check(FeatureExtraction.AUTO);
    assertThat(files.pooling()).isEqualTo(Pooling.CLS);
    assertThat(files.normalize()).isTrue();
    assertThat(files.maxSeqLength()).isEqualTo(99);
    assertThat(files.lowerCase()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[{'type': 'sentence_transformers.models.Dense', 'path': '2_Dense'}] | type: expected"
            + " Transformer, Pooling or Normalize of sentence_transformers, found"
            + " sentence_transformers.models.Dense; to go without it, set pooling and normalize",
        "[{'type': 'someone.Normalize'}] | found someone.Normalize",
        "[{'type': 'a', 'type': 'b'}] | Duplicate field 'type'",
        "[{'type': 'sentence_transformers.models.Normalize', 'scale': 2}] | scale: unknown key",
        "[{'type': 'sentence_transformers.models.Normalize', 'kwargs': ['a']}] | kwargs: unknown",
        "[{'type': 'sentence_transformers.models.Pooling', 'path': '../x'}] | path: expected",
        "[7] | expected a JSON object, found 7",
        "{} | expected a list of modules, found {}",
        "[], 'more': 1 | more: unknown key",
        "[ | expected JSON, found",
      })
  void whatIsNotUnderstoodStopsOnlyThoseWhoAskForIt(String modules, String problem)
      throws IOException {
    write("modules.json", modules);
    assertThatThrownBy(this::check)
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(folder + "/modules.json: ")
        .hasMessageContaining(problem);
    read().check(OWN);
    Location place = Location.of(folder.toString());
    SentenceFiles.of(Storage.standard(), place, Head.SEQUENCE).check(FeatureExtraction.AUTO);
  }

  @Test
  void listThatIsNotUtf8IsRefused() throws IOException {
    Files.write(folder.resolve("modules.json"), "[{\"type\": \"é\"}]".getBytes(ISO));
    assertThatThrownBy(this::check)
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(folder + "/modules.json: expected text in UTF-8");
  }

  private static final java.nio.charset.Charset ISO = StandardCharsets.ISO_8859_1;

  @Test
  void promptThatPythonWouldPutBeforeEveryTextIsRefused() throws IOException {
    write("config_sentence_transformers.json", "{'default_prompt_name': 'query'}");
    assertThatThrownBy(this::check)
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder
                + "/config_sentence_transformers.json: default_prompt_name: \"query\" is not"
                + " supported: sentence-transformers would put that prompt before every text; put"
                + " it into the texts and set the key to null");
  }

  /** The base of a classifier may have been a sentence-transformers model with a Dense layer. */
  @Test
  void classificationHasNothingToDoWithThem() throws IOException {
    for (String file :
        List.of("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")) {
      Files.copy(Fixtures.path("models/bert-sequence").resolve(file), folder.resolve(file));
    }
    write("modules.json", "[" + module("sentence_transformers.models.Dense", "") + "]");
    write("config_sentence_transformers.json", "{'default_prompt_name': 'query'}");
    EngineSpec spec = EngineSpec.of(folder.toString(), TextClassification.AUTO, Map.of());
    try (Engine engine = Engine.load(spec)) {
      assertThat(engine.run(List.of(Request.of("a dog"))).get(0).prediction()).isNotNull();
    }
    Files.delete(folder.resolve("config_sentence_transformers.json"));
    EngineSpec own = EngineSpec.of(folder.toString(), OWN, Map.of());
    try (Engine engine = Engine.load(own)) {
      assertThat(engine.run(List.of(Request.of("a dog"))).get(0).prediction()).isNotNull();
    }
    EngineSpec auto = EngineSpec.of(folder.toString(), FeatureExtraction.AUTO, Map.of());
    assertThat(Validation.of(auto, Storage.standard()).problems())
        .singleElement()
        .asString()
        .contains("modules.json", "Dense");
  }
}
