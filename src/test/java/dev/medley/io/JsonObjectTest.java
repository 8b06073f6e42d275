package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonObjectTest {
  private static final String WHERE = "math/adapter_config.json";

  @TempDir Path folder;

  private static JsonObject json(String text) {
    return JsonObject.parse(text.replace('\'', '"'), WHERE);
  }

  @Test
  void everyTypeIsRead() {
    JsonObject json =
        json(
            "{'s':'x','i':9007199254740993,'n':0.5,'b':true,'l':['a','b'],'z':null,"
                + "'m':{'q':1,'a':2.5},'t':{'y':'1','x':'2'},'o':{'k':3},'any':[1]}");
    assertThat(json.where()).isEqualTo(WHERE);
    assertThat(json.string("s")).isEqualTo("x");
    assertThat(json.integer("i")).isEqualTo(9007199254740993L);
    assertThat(json.positiveInteger("i", 1)).isEqualTo(9007199254740993L);
    assertThat(json.number("n")).isEqualTo(0.5);
    assertThat(json.number("i", 0)).isEqualTo(9.007199254740992e15);
    assertThat(json.positiveNumber("n", 2)).isEqualTo(0.5);
    assertThat(json.bool("b", false)).isTrue();
    assertThat(json.strings("l")).containsExactly("a", "b");
    assertThat(json.numbers("m"))
        .containsExactly(Map.entry("q", 1.0), Map.entry("a", 2.5)); // document order
    assertThat(json.stringMap("t")).containsExactly(Map.entry("y", "1"), Map.entry("x", "2"));
    assertThat(json.object("o").integer("k")).isEqualTo(3);
    assertThat(json.node("any").isArray()).isTrue();
    assertThat(json.has("s")).isTrue();
    assertThat(json.has("z")).isFalse();
    assertThat(json.has("nowhere")).isFalse();
    json.done();
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{'s':null,'i':null,'n':null,'b':null,'l':null,'m':null,'o':null}"})
  void absentAndNullGiveTheDefault(String text) {
    JsonObject json = json(text);
    assertThat(json.string("s", "x")).isEqualTo("x");
    assertThat(json.string("s", null)).isNull();
    assertThat(json.integer("i", -7)).isEqualTo(-7);
    assertThat(json.positiveInteger("i", 7)).isEqualTo(7);
    assertThat(json.number("n", 0.25)).isEqualTo(0.25);
    assertThat(json.positiveNumber("n", 0.25)).isEqualTo(0.25);
    assertThat(json.bool("b", true)).isTrue();
    assertThat(json.strings("l")).isEmpty();
    assertThat(json.numbers("m")).isEmpty();
    assertThat(json.stringMap("m")).isEmpty();
    assertThat(json.object("o")).isNull();
    assertThat(json.node("o")).isNull();
    json.done();
  }

  @Test
  void allProblemsComeAtOnce() {
    JsonObject json =
        json(
            "{'peft_type':7,'r':0,'lora_alpha':'big','rank':8.0,'bias':'none','flag':1,"
                + "'modules':['a',2],'alphas':{'q':NaN},'inner':{'x':'y','theta':-1},"
                + "'use_dora':true,'lora_alpah':16,'nothing':null,'off':false,'empty':{}}");
    assertThat(json.string("peft_type")).isEmpty();
    assertThat(json.positiveInteger("r")).isEqualTo(1);
    assertThat(json.positiveNumber("lora_alpha")).isEqualTo(1);
    assertThat(json.integer("rank")).isZero();
    assertThat(json.string("base")).isEmpty();
    assertThat(json.number("nothing")).isZero();
    assertThat(json.bool("flag", true)).isTrue();
    assertThat(json.strings("modules")).containsExactly("a");
    assertThat(json.numbers("alphas")).isEmpty();
    JsonObject inner = json.object("inner");
    assertThat(inner.positiveNumber("theta", 3)).isEqualTo(3);
    inner.done(); // an inner object leaves the reporting to the outermost
    json.ignore("bias");
    json.refuseIfSet("it changes the result", "use_dora", "lora_bias", "empty", "off");
    json.problem("rank and r: expected the same");
    assertThatThrownBy(json::done)
        .isInstanceOf(LoadException.class)
        .hasMessage(
            """
            math/adapter_config.json: 14 problems:
              peft_type: expected a string, found 7
              r: expected a positive integer, found 0
              lora_alpha: expected a positive number, found "big"
              rank: expected an integer, found 8.0
              base: expected a string, found nothing
              nothing: expected a number, found null
              flag: expected true or false, found 1
              modules[1]: expected a string, found 2
              alphas.q: expected a number, found NaN
              inner.theta: expected a positive number, found -1
              use_dora: true is not supported: it changes the result
              rank and r: expected the same
              lora_alpah: unknown key with the value 16; the nearest known key is lora_alpha; correct or remove it in math/adapter_config.json
              inner.x: unknown key with the value "y"; correct or remove it in math/adapter_config.json\
            """);
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "false", "''", "[]", "{}"})
  void unknownKeyThatIsNotSetIsNoError(String value) {
    JsonObject json = json("{'x':" + value + "}");
    json.refuseIfSet("we lack it", "x");
    json.done();
    json("{'x':" + value + "}").done();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "true", "'none'", "[null]", "{'a':null}", "0.0"})
  void unknownKeyThatIsSetIsAnError(String value) {
    assertThatThrownBy(() -> json("{'x':" + value + "}").done())
        .isInstanceOf(LoadException.class)
        .hasMessage(
            WHERE
                + ": x: unknown key with the value "
                + value.replace('\'', '"')
                + "; correct or remove it in "
                + WHERE);
  }

  @Test
  void askingWhetherAKeyIsThereIsNotReadingIt() {
    JsonObject json = json("{'x':1}");
    assertThat(json.has("x")).isTrue();
    assertThatThrownBy(json::done).hasMessageContaining("x: unknown key");
  }

  @Test
  void keysAreIgnoredByPattern() {
    JsonObject json = json("{'_name_or_path':'x','_commit_hash':'y'}");
    json.ignoreMatching(key -> key.startsWith("_"));
    json.done();
  }

  @Test
  void objectOfAnotherTypeIsAProblem() {
    JsonObject json = json("{'o':[1],'m':3,'l':'x'}");
    assertThat(json.object("o")).isNull();
    assertThat(json.numbers("m")).isEmpty();
    assertThat(json.strings("l")).isEmpty();
    assertThatThrownBy(json::done)
        .hasMessage(
            WHERE
                + ": 3 problems:\n"
                + "  o: expected an object, found [1]\n"
                + "  m: expected an object, found 3\n"
                + "  l: expected a list of strings, found \"x\"");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"a\":1,\"a\":2}|expected JSON, found Duplicate field 'a' (line 1, column 11)",
        "{\"o\":{\"a\":1,\"a\":2}}|expected JSON, found Duplicate field 'a' (line 1, column 16)",
        "[1]|expected a JSON object, found [1]",
        "''|expected a JSON object, found nothing",
        "null|expected a JSON object, found null",
        "{} {}|expected JSON, found more behind the document (line 1, column 5)",
      })
  void whatIsNotOneObjectIsRefused(String text, String problem) {
    assertThatThrownBy(() -> JsonObject.parse(text, WHERE))
        .isInstanceOf(LoadException.class)
        .hasMessage(WHERE + ": " + problem);
  }

  @Test
  void numbersBeyondTheirTypeAreProblems() {
    JsonObject json = json("{'i':9223372036854775808,'n':1e999,'p':Infinity}");
    assertThat(json.integer("i")).isZero();
    assertThat(json.number("n")).isZero();
    assertThat(json.positiveNumber("p")).isEqualTo(1);
    assertThatThrownBy(json::done).hasMessageStartingWith(WHERE + ": 3 problems:\n");
  }

  @Test
  void hostileKeysAndValuesStayOnOneShortLine() {
    String key = "k\\n" + "x".repeat(5000);
    assertThatThrownBy(() -> json("{'" + key + "':'" + "v".repeat(5000) + "'}").done())
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(400).doesNotContain("\n", "\r"));
  }

  @Test
  void filesAreReadAsStrictUtf8() throws Exception {
    Path file = folder.resolve("config.json");
    Files.writeString(file, "{\"name\":\"é\"}");
    assertThat(JsonObject.read(file).string("name")).isEqualTo("é");
    Files.write(file, "{\"name\":\"é\"}".getBytes(StandardCharsets.ISO_8859_1));
    assertThatThrownBy(() -> JsonObject.read(file))
        .isInstanceOf(LoadException.class)
        .hasMessage(file + ": expected text in UTF-8, found bytes that are not UTF-8");
  }

  /** A file without an end, and one of a byte too many, of which no more than that is read. */
  @Test
  void documentThatIsTooLongIsRefused() throws Exception {
    assertThatThrownBy(() -> JsonObject.read(Path.of("/dev/zero")))
        .isInstanceOf(LoadException.class)
        .hasMessage("/dev/zero: expected a text of at most 100000000 bytes, found more");
    Path file = folder.resolve("c.json");
    Files.writeString(file, "{\"a\": 1}");
    Storage storage = Storage.standard();
    assertThat(storage.text(Location.of(file.toString()), 8)).isEqualTo("{\"a\": 1}");
    assertThatThrownBy(() -> storage.text(Location.of(file.toString()), 7))
        .isInstanceOf(LoadException.class)
        .hasMessage(file + ": expected a text of at most 7 bytes, found more");
  }

  @Test
  void missingFileIsNamed() {
    assertThatThrownBy(() -> JsonObject.read(folder.resolve("none.json"), "s3a://b/none.json"))
        .isInstanceOf(LoadException.class)
        .hasMessage("s3a://b/none.json: expected a file, found none");
  }

  @Test
  void documentNestedTooDeepIsRefused() {
    String deep = "[".repeat(100_000);
    assertThatThrownBy(() -> JsonObject.parse("{\"a\":" + deep, WHERE))
        .isInstanceOf(LoadException.class);
  }
}
