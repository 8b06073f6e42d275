package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ContinuationTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long EOS = 500;
  private static final RowRandom RANDOM = new RowRandom("key");

  @TempDir Path folder;

  /** Greedy with processors, against transformers' own loop. */
  @Test
  void tokensAreThoseOfGenerate() throws IOException {
    JsonNode fixture = JSON.readTree(Fixtures.path("sampling/generate.json").toFile());
    long[] prompt = longs(fixture.get("prompt"));
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected expected = Fixtures.expected("sampling", "generate", owner);
      for (int c = 0; c < fixture.get("cases").size(); c++) {
        JsonNode each = fixture.get("cases").get(c);
        Files.writeString(
            folder.resolve("generation_config.json"), each.get("generation_config").toString());
        GenerationSettings settings =
            GenerationSettings.of(
                Storage.standard(), Location.of(folder.toString()), TextGeneration.AUTO);
        NDArray logits = expected.get("logits." + c);
        Continuation row =
            new Continuation(prompt, 50, new Sampler(settings), RANDOM, Arrays::toString);
        long[] tokens = longs(each.get("tokens"));
        for (int step = 0; step < tokens.length; step++) {
          assertThat(row.isFinished()).as("%s", each).isFalse();
          float[] raw = logits.get(step).toFloatArray();
          if (row.isGreedy()) {
            assertThat(Sampler.likeliest(raw)).as("%s", each).isEqualTo((int) tokens[step]);
          }
          long chosen = row.choose(raw);
          assertThat(chosen).as("%s, step %s", each, step).isEqualTo(tokens[step]);
          row.accept(chosen);
        }
        boolean eos = settings.eosTokenIds().contains(tokens[tokens.length - 1]);
        assertThat(row.finishReason())
            .as("%s", each)
            .isEqualTo(eos ? FinishReason.EOS : FinishReason.LENGTH);
        assertThat(row.tokens()).containsExactly(tokens);
        assertThat(row.isGreedy())
            .as("%s", each)
            .isEqualTo(!each.get("generation_config").has("repetition_penalty"));
      }
    }
  }

  private static long[] longs(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToLong(JsonNode::asLong).toArray();
  }

  /** Pieces of text as tokens; one that is a number in brackets is a single byte. */
  private record Pieces(List<byte[]> pieces) implements Function<long[], String> {
    Pieces() {
      this(new ArrayList<>());
    }

    long[] ids(String... texts) {
      long[] ids = new long[texts.length];
      for (int i = 0; i < texts.length; i++) {
        if (texts[i].equals("<eos>")) {
          ids[i] = EOS;
        } else {
          ids[i] = pieces.size();
          pieces.add(
              texts[i].matches("<..>")
                  ? new byte[] {(byte) Integer.parseInt(texts[i].substring(1, 3), 16)}
                  : texts[i].getBytes(StandardCharsets.UTF_8));
        }
      }
      return ids;
    }

    @Override
    public String apply(long[] ids) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      for (long id : ids) {
        if (id != EOS) {
          bytes.writeBytes(pieces.get((int) id));
        }
      }
      return bytes.toString(StandardCharsets.UTF_8);
    }
  }

  static Stream<Arguments> endings() {
    return Stream.of(
        row("no stop string", stop(), "a b", 3, FinishReason.LENGTH, "a", " ", "b"),
        row("end of sequence", stop(), "ab", 3, FinishReason.EOS, "a", "b", "<eos>", "c"),
        row("end of sequence at once", stop("x"), "", 1, FinishReason.EOS, "<eos>"),
        row("a token", stop("#"), "ab", 3, FinishReason.STOP, "a", "b", "#", "c"),
        row("within a token", stop("#"), "abc", 2, FinishReason.STOP, "a", "bc#d", "e"),
        row("over tokens", stop("###"), "a", 4, FinishReason.STOP, "a", "#", "#", "#b", "c"),
        row(
            "from within one to within one",
            stop("User:"),
            "ok.\n",
            4,
            FinishReason.STOP,
            "ok",
            ".\nUs",
            "er",
            ": hi",
            "x"),
        row("at the beginning", stop("a"), "", 1, FinishReason.STOP, "ab", "c"),
        row("the last token there may be", stop("b"), "a", 2, FinishReason.STOP, "a", "b"),
        row("begun and not ended", stop("###"), "a##", 3, FinishReason.LENGTH, "a", "#", "#"),
        row("begun twice", stop("aab"), "a", 4, FinishReason.STOP, "a", "a", "a", "b", "c"),
        row("the first to begin", stop("b", "ab"), "x", 3, FinishReason.STOP, "x", "a", "b", "c"),
        row("of two in a token", stop("y", "x"), "a", 1, FinishReason.STOP, "axby", "c"),
        row("one in another", stop("bcd", "c"), "ab", 3, FinishReason.STOP, "a", "b", "c", "d"),
        row("of several bytes", stop("é"), "a", 3, FinishReason.STOP, "a", "<C3>", "<A9>", "b"),
        row(
            "of four bytes",
            stop("😀!"),
            "a",
            6,
            FinishReason.STOP,
            "a",
            "<F0>",
            "<9F>",
            "<98>",
            "<80>",
            "!",
            "b"),
        row(
            "beside an incomplete character",
            stop("#"),
            "a",
            2,
            FinishReason.STOP,
            "a",
            "#\u00e9".substring(0, 1),
            "<A9>"),
        row(
            "an incomplete character is no replacement",
            stop("\uFFFD"),
            "aéb",
            4,
            FinishReason.LENGTH,
            "a",
            "<C3>",
            "<A9>",
            "b"),
        row("incomplete at the end", stop("#"), "a\uFFFD", 2, FinishReason.LENGTH, "a", "<C3>"),
        row(
            "after tokens without text",
            stop("ab"),
            "",
            42,
            FinishReason.STOP,
            Stream.of(Stream.of("a"), Stream.generate(() -> "").limit(40), Stream.of("b", "c"))
                .flatMap(texts -> texts)
                .toArray(String[]::new)),
        row("only in the prompt", stop("prompt"), "x.", 2, FinishReason.LENGTH, "x", "."),
        row("begun in the prompt", stop("pt:x"), "xy", 2, FinishReason.LENGTH, "x", "y"));
  }

  private static List<String> stop(String... texts) {
    return List.of(texts);
  }

  private static Arguments row(
      String what, List<String> stop, String text, int n, FinishReason reason, String... pieces) {
    return Arguments.of(what, stop, text, n, reason, pieces);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("endings")
  void continuationEnds(
      String what,
      List<String> stop,
      String text,
      int tokens,
      FinishReason reason,
      String[] pieces) {
    Pieces vocabulary = new Pieces();
    long[] prompt = vocabulary.ids("pro", "mpt:");
    long[] ids = vocabulary.ids(pieces);
    Continuation row =
        row(prompt, greedy(64, stop), reason == FinishReason.LENGTH ? tokens : 60, vocabulary);
    for (int i = 0; i < tokens; i++) {
      assertThat(row.isFinished()).as("before token %d", i).isFalse();
      row.accept(ids[i]);
    }
    Prediction.Generation found = row.prediction();
    assertThat(found.text()).isEqualTo(text);
    assertThat(found.finishReason()).isEqualTo(reason);
    assertThat(found.tokens()).containsExactly(ints(ids, tokens));
    assertThat(found.promptTokens()).isEqualTo(2);
    assertThat(found.generatedTokens()).isEqualTo(tokens);
  }

  private static int[] ints(long[] ids, int n) {
    return Arrays.stream(ids, 0, n).mapToInt(id -> (int) id).toArray();
  }

  private static GenerationSettings greedy(int maxNewTokens, List<String> stop) {
    return new GenerationSettings(
        maxNewTokens, Integer.MAX_VALUE, 0, false, 1, 0, 1, 0, 1, stop, Set.of(EOS), 0);
  }

  private static Continuation row(
      long[] prompt, GenerationSettings settings, int room, Function<long[], String> decoder) {
    return new Continuation(prompt, room, new Sampler(settings), RANDOM, decoder);
  }

  @Test
  void characterThatThePromptBeginsIsTheContinuations() {
    Pieces vocabulary = new Pieces();
    long[] prompt = vocabulary.ids("a", "<F0>", "<9F>");
    Continuation row = row(prompt, greedy(3, List.of()), 9, vocabulary);
    Arrays.stream(vocabulary.ids("<98>", "<80>", "b")).forEach(row::accept);
    assertThat(row.prediction().text()).isEqualTo("😀b");
  }

  @Test
  void lengthIsTheLeastOfWhatIsAskedForAndWhatFits() {
    Pieces vocabulary = new Pieces();
    long[] ids = vocabulary.ids("a", "b", "c", "d");
    for (int[] each : new int[][] {{2, 9, 2}, {9, 3, 3}, {1, 1, 1}}) {
      Continuation row = row(ids, greedy(each[0], List.of()), each[1], vocabulary);
      for (int i = 0; i < each[2]; i++) {
        assertThat(row.isFinished()).isFalse();
        row.accept(ids[i]);
      }
      assertThat(row.finishReason()).isEqualTo(FinishReason.LENGTH).hasToString("length");
      assertThat(row.prediction().text()).isEqualTo("abcd".substring(0, each[2]));
    }
  }

  @Test
  void rowWithoutRoomIsFinishedAtOnce() {
    GenerationSettings byLength =
        new GenerationSettings(9, 3, 0, false, 1, 0, 1, 0, 1, List.of(), Set.of(), 0);
    Pieces vocabulary = new Pieces();
    long[] prompt = vocabulary.ids("a", "b", "c");
    for (Continuation row :
        List.of(
            row(prompt, greedy(4, List.of("x")), 0, vocabulary),
            row(prompt, byLength, 9, vocabulary))) {
      assertThat(row.isFinished()).isTrue();
      assertThat(row.prediction())
          .usingRecursiveComparison()
          .isEqualTo(new Prediction.Generation("", new int[0], FinishReason.LENGTH, 3, 0));
    }
  }

  @Test
  void callsOutOfTurnAreRefused() {
    Pieces vocabulary = new Pieces();
    long[] ids = vocabulary.ids("a", "b");
    Continuation row = row(ids, greedy(2, List.of()), 9, vocabulary);
    row.accept(ids[0]);
    assertThatThrownBy(row::prediction)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("expected a finished continuation, has 1 tokens");
    row.accept(ids[1]);
    assertThatThrownBy(() -> row.accept(1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("a finished continuation takes no token, got 1");
  }

  /** Each row alone, then all together with one sampler, in another order. */
  @Test
  void rowIsTheSameWhateverItsNeighbours() {
    int rows = 6;
    long[][] alone = new long[rows][];
    for (int i = 0; i < rows; i++) {
      Continuation row = drawn(i, new Sampler(drawing()));
      while (!row.isFinished()) {
        step(row, i);
      }
      alone[i] = row.tokens();
    }
    Sampler shared = new Sampler(drawing());
    Continuation[] together = new Continuation[rows];
    for (int i = rows - 1; i >= 0; i--) {
      together[i] = drawn(i, shared);
      if (i < 4) { // the others began before
        step(together[5], 5);
      }
    }
    boolean more = true;
    while (more) {
      more = false;
      for (int i = 0; i < rows; i++) {
        if (!together[i].isFinished()) {
          step(together[i], i);
          more = true;
        }
      }
    }
    for (int i = 0; i < rows; i++) {
      assertThat(together[i].tokens()).containsExactly(alone[i]);
    }
    assertThat(alone[0]).isNotEqualTo(alone[1]);
    assertThat(Arrays.stream(alone[0]).distinct().count()).isGreaterThan(5);
  }

  @Test
  void everyTokenHasADrawOfItsOwn() {
    GenerationSettings all =
        new GenerationSettings(
            9, Integer.MAX_VALUE, 0, true, 1, 0, 1, 0, 1, List.of(), Set.of(), 0);
    Continuation row = row(new long[] {1}, all, 9, ids -> "");
    while (!row.isFinished()) {
      row.accept(row.choose(new float[1000]));
    }
    long[] expected = new long[9];
    Arrays.setAll(expected, i -> (long) (RANDOM.draw(i) * 1000));
    assertThat(row.tokens()).containsExactly(expected);
  }

  private static GenerationSettings drawing() {
    return new GenerationSettings(
        30, Integer.MAX_VALUE, 0, true, 0.9, 50, 0.95, 0, 1.1, List.of(), Set.of(), 4);
  }

  private static Continuation drawn(int row, Sampler sampler) {
    long[] prompt = {1, 2, row};
    RowRandom random = RowRandom.of(4, null, prompt, "math");
    return new Continuation(prompt, 99, sampler, random, ids -> "");
  }

  /** A model whose logits are of the row's prompt and tokens alone. */
  private static void step(Continuation row, int prompt) {
    Random model = new Random(Arrays.hashCode(row.tokens()) * 31L + prompt);
    float[] logits = new float[200];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) model.nextGaussian();
    }
    float[] again = logits.clone();
    long chosen = row.choose(logits);
    assertThat(row.choose(again)).isEqualTo(chosen);
    row.accept(chosen);
  }

  /** Looking at the tail finds what looking at the whole text after every token would. */
  @ParameterizedTest
  @ValueSource(strings = {"sampling/llama", "models/roberta", "models/xlm-roberta-token"})
  void stopsAreFoundWhereTheWholeTextHasThem(String model) {
    Random random = new Random(8);
    int found = 0;
    try (TextTokenizer tokenizer =
        TextTokenizer.load(Storage.standard(), Fixtures.location(model), 100, false)) {
      long[] letters = tokenizer.encode("the fox User: ### é 中 eererr.\n").ids();
      for (int round = 0; round < 100; round++) {
        long[] prompt = tokenizer.encode(round % 2 == 0 ? "User: the fox" : "é").ids();
        List<String> stop =
            List.of(
                    List.of("e", "中"),
                    List.of(" the"),
                    List.of("er:", "###e"),
                    List.of("xé", ".\n"))
                .get(round % 4);
        Continuation row = row(prompt, greedy(80, stop), 80, tokenizer::decode);
        for (int n = 1; !row.isFinished(); n++) {
          boolean any = random.nextInt(4) == 0;
          row.accept(any ? random.nextInt(260) : letters[random.nextInt(letters.length)]);
          String text = whole(tokenizer, prompt, row.tokens());
          String complete = text.replaceAll("\uFFFD+\\z", "");
          boolean stopped = stop.stream().anyMatch(complete::contains);
          assertThat(row.finishReason() == FinishReason.STOP).as(text).isEqualTo(stopped);
          found += stopped ? 1 : 0;
          if (row.isFinished() && !stopped) {
            assertThat(row.prediction().text()).isEqualTo(text);
          }
        }
      }
    }
    assertThat(found).isGreaterThan(20);
  }

  private static String whole(TextTokenizer tokenizer, long[] prompt, long[] tokens) {
    long[] all = LongStream.concat(Arrays.stream(prompt), Arrays.stream(tokens)).toArray();
    return tokenizer.decode(all).substring(tokenizer.decode(prompt).length());
  }

  /** Under Llama 2's tokenizer, a text decoded alone loses its first blank. */
  @Test
  void textGoesOnWhereThePromptEnds() {
    try (TextTokenizer tokenizer =
        TextTokenizer.load(Storage.standard(), Fixtures.location("sampling/llama"), 100, false)) {
      long[] prompt = tokenizer.encode("the").ids();
      long[] fox = tokenizer.encode("fox").ids();
      Continuation row = row(prompt, greedy(fox.length, List.of()), 9, tokenizer::decode);
      Arrays.stream(fox).forEach(row::accept);
      assertThat(tokenizer.decode(prompt)).isEqualTo("the");
      assertThat(row.prediction().text()).isEqualTo(" fox");
      assertThat(tokenizer.decode(fox)).isEqualTo("fox");
    }
  }

  @Test
  void workOfATokenDoesNotGrowWithTheText() {
    Pieces vocabulary = new Pieces();
    long[] ids = vocabulary.ids("a", "b c", "<C3>", "");
    long[] decoded = {0};
    Function<long[], String> counting =
        tokens -> {
          decoded[0] += tokens.length;
          return vocabulary.apply(tokens);
        };
    Continuation row = row(ids, greedy(4000, List.of("never this")), 4000, counting);
    for (int i = 0; i < 4000; i++) {
      row.accept(ids[i % ids.length]);
    }
    assertThat(row.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(decoded[0] / 4000).isLessThan(80);
  }
}
