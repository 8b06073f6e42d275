package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Prediction.Entities;
import dev.medley.engine.Prediction.Entity;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.engine.RowError.Code;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class EngineTest {
  private static final List<String> ADAPTERS =
      List.of("qv", "all-linear", "head-2-labels", "head-7-labels", "bias-all", "embeddings");

  private static EngineSpec spec(String base, Task task, List<String> adapters) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (String adapter : adapters) {
      String folder = "models/" + base + "/adapters/" + adapter;
      sources.put(adapter, AdapterSource.of(Fixtures.path(folder).toString()));
    }
    return EngineSpec.of(Fixtures.path("models/" + base).toString(), task, sources);
  }

  private static final EngineSpec CLASSIFY =
      spec("bert-sequence", TextClassification.AUTO, ADAPTERS);

  private static List<Request> rows(int count, long seed) {
    return rows(count, seed, 30, ADAPTERS);
  }

  private static List<Request> rows(int count, long seed, int mostWords, List<String> adapters) {
    Random random = new Random(seed);
    List<String> words =
        List.of("the", "red", "fox", "jumps", "over", "a", "lazy", "dog", "9", "!");
    List<Request> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String text =
          random
              .ints(1 + random.nextInt(mostWords), 0, words.size())
              .mapToObj(words::get)
              .collect(Collectors.joining(" "));
      int adapter = random.nextInt(adapters.size() + 1);
      rows.add(
          adapter == adapters.size() ? Request.of(text) : Request.of(text, adapters.get(adapter)));
    }
    return rows;
  }

  static Stream<Arguments> tasks() {
    Task tokens = new TokenClassification(List.of());
    return Stream.of(
            Arguments.of("bert-sequence", TextClassification.AUTO, ADAPTERS),
            Arguments.of(
                "roberta-sequence", TextClassification.AUTO, List.of("qv-head", "bias-all")),
            Arguments.of("distilbert-sequence", TextClassification.AUTO, List.of()),
            Arguments.of("bert-token", tokens, List.of("token-head")),
            Arguments.of("xlm-roberta-token", tokens, List.of("head")),
            Arguments.of("bert", FeatureExtraction.AUTO, List.of("qv", "feature")))
        .flatMap(
            task ->
                LongStream.of(1, 2, 3)
                    .mapToObj(
                        seed -> Arguments.of(task.get()[0], task.get()[1], task.get()[2], seed)));
  }

  @ParameterizedTest(name = "{0} {3}")
  @MethodSource("tasks")
  void rowsResultDoesNotDependOnItsNeighbours(
      String base, Task task, List<String> adapters, long seed) {
    Random random = new Random(seed);
    EngineSpec spec = spec(base, task, adapters);
    List<Request> rows = rows(60, seed, base.startsWith("bert") ? 30 : 6, adapters);
    Batching batching =
        new Batching(
            1 + random.nextInt(40), 50 + random.nextInt(2000), 7 + random.nextInt(90), 0, true);
    try (Engine engine = Engine.load(spec.with(batching));
        Engine alone = Engine.load(spec)) {
      Collections.shuffle(rows, random);
      List<Result> together = engine.run(rows);
      for (int i = 0; i < rows.size(); i++) {
        Result one = alone.run(List.of(rows.get(i))).get(0);
        assertClose(scores(together.get(i)), scores(one), 1e-5);
        assertThat(words(together.get(i))).isEqualTo(words(one));
      }
    }
  }

  /** Runs of several batches, one set after the other in the same memory, and runs that share. */
  @ParameterizedTest
  @CsvSource({"AUTO, 536870912", "RUN, 536870912", "RUN, 20000", "RUN, 0", "LAYER, 0"})
  void rowsResultDoesNotDependOnHowSetsAreApplied(Merging.Mode mode, long memory) {
    EngineSpec spec = CLASSIFY.with(new Batching(3, 200, 99, 0, true));
    List<Request> rows = rows(80, 9);
    try (Engine added = Engine.load(spec.with(Merging.AUTO.with(Merging.Mode.NEVER)));
        Engine engine = Engine.load(spec.with(new Merging(mode, memory)))) {
      List<Result> expected = added.run(rows);
      List<Result> results = engine.run(rows);
      for (int i = 0; i < rows.size(); i++) {
        assertClose(scores(results.get(i)), scores(expected.get(i)), 1e-5);
      }
    }
  }

  private static float[] scores(Result result) {
    if (result.prediction() instanceof Embedding embedding) {
      return embedding.values();
    }
    List<Float> scores =
        result.prediction() instanceof Entities entities
            ? entities.entities().stream().map(Entity::score).toList()
            : ((Classification) result.prediction())
                .scores().stream().map(LabelScore::score).toList();
    float[] values = new float[scores.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = scores.get(i);
    }
    return values;
  }

  /** Everything of a result but numbers. */
  private static List<String> words(Result result) {
    if (result.prediction() instanceof Entities entities) {
      return entities.entities().stream()
          .map(e -> e.word() + " " + e.label() + " " + e.start() + "-" + e.end())
          .toList();
    }
    return result.prediction() instanceof Classification classification
        ? List.of(classification.label())
        : List.of();
  }

  @Test
  void differentNumbersOfLabelsShareABatch() {
    try (Engine engine = Engine.load(CLASSIFY)) {
      List<Result> results =
          engine.run(
              List.of(
                  Request.of("a dog", "head-7-labels"),
                  Request.of("a dog"),
                  Request.of("a dog", "head-2-labels")));
      assertThat(results).extracting(r -> scores(r).length).containsExactly(7, 3, 2);
    }
  }

  @Test
  void badRowsGetErrorsAndLeaveTheOthersBitEqual() {
    List<Request> good = rows(40, 7);
    List<Request> bad =
        List.of(
            new Request(null, List.of()),
            Request.of("", "qv"),
            Request.of("a dog", "qw"),
            Request.of("a dog", "qv+all-linear"),
            Request.of("a dog", "0*qv"),
            Request.of("a dog", "qv++"),
            new Request("a dog", List.of("qv", "")));
    List<Code> codes =
        List.of(
            Code.TEXT_NULL,
            Code.TEXT_EMPTY,
            Code.ADAPTER_UNKNOWN,
            Code.ADAPTER_UNFIT,
            Code.ADAPTER_SYNTAX,
            Code.ADAPTER_SYNTAX,
            Code.ADAPTER_SYNTAX);
    List<Request> mixed = new ArrayList<>();
    for (int i = 0; i < good.size(); i++) {
      mixed.add(good.get(i));
      if (i % 5 == 0 && i / 5 < bad.size()) {
        mixed.add(bad.get(i / 5));
      }
    }
    Batching small = new Batching(8, 300, 60, 0, true);
    try (Engine engine = Engine.load(CLASSIFY.with(small))) {
      List<Result> without = engine.run(good);
      List<Result> with = engine.run(mixed);

      List<Result> kept = new ArrayList<>(with);
      kept.removeIf(result -> result.prediction() == null);
      assertThat(kept).isEqualTo(without);
      assertThat(with.stream().filter(result -> result.prediction() == null))
          .extracting(result -> result.error().code())
          .containsExactlyElementsOf(codes);
      assertThat(engine.run(List.of(bad.get(2))).get(0).error().message())
          .isEqualTo("adapter: no adapter is named qw; did you mean qv?");
    }
  }

  @Test
  void failingPolicyNamesTheRow() {
    try (Engine engine = Engine.load(CLASSIFY.with(Batching.DEFAULT).with(OnError.FAIL))) {
      List<Request> rows = List.of(Request.of("a"), Request.of("b", "qv"), Request.of("", "qv"));
      assertThatThrownBy(() -> engine.run(rows))
          .isInstanceOf(RowException.class)
          .hasMessage("row 2: TEXT_EMPTY: text: expected a character, found none");
    }
  }

  @Test
  void overLongTextIsCutAndSaysSoOrFails() {
    String text = "dog ".repeat(100);
    try (Engine cutting = Engine.load(CLASSIFY);
        Engine strict = Engine.load(CLASSIFY.with(new Batching(8, 999, 99, 0, false)))) {
      Result cut = cutting.run(List.of(Request.of(text, "qv"))).get(0);
      assertThat(cut.prediction()).isNotNull();
      assertThat(cut.error())
          .isEqualTo(
              new RowError(Code.TEXT_TRUNCATED, "text: the first 48 of 302 tokens were scored"));
      Result failed = strict.run(List.of(Request.of(text, "qv"))).get(0);
      assertThat(failed.prediction()).isNull();
      assertThat(failed.error())
          .isEqualTo(
              new RowError(Code.TEXT_TOO_LONG, "text: expected at most 48 tokens, found 302"));
    }
  }

  @Test
  void rowWithoutAnyHeadIsAnErrorAndNeverARandomHead() {
    EngineSpec spec = spec("bert", TextClassification.AUTO, List.of("qv", "headed-on-bare"));
    try (Engine engine = Engine.load(spec)) {
      List<Result> results =
          engine.run(
              List.of(
                  Request.of("a dog"),
                  Request.of("a dog", "qv"),
                  Request.of("a dog", "headed-on-bare")));
      assertThat(results.get(0).error())
          .isEqualTo(
              new RowError(
                  Code.HEAD_MISSING,
                  "text-classification: the base has no classifier.weight, classifier.bias"));
      assertThat(results.get(1).error().message()).endsWith("nor has adapter qv");
      assertThat(results.get(2).prediction()).isNotNull();
    }
  }

  @Test
  void embeddingsHaveTheWidthOfTheModel() {
    EngineSpec spec = spec("bert", FeatureExtraction.AUTO, List.of("feature"));
    try (Engine engine = Engine.load(spec)) {
      List<Result> results =
          engine.run(List.of(Request.of("a dog"), Request.of("a dog", "feature")));
      float[] base = ((Embedding) results.get(0).prediction()).values();
      float[] adapted = ((Embedding) results.get(1).prediction()).values();
      assertThat(base).hasSize(30).isNotEqualTo(adapted);
      assertThat(adapted).hasSize(30);
    }
  }

  /** The tiny model with a tokenizer that somebody changed. */
  private static EngineSpec withTokenizer(Path folder, UnaryOperator<String> change)
      throws IOException {
    Path bert = Fixtures.path("models/bert");
    for (String file : List.of("config.json", "model.safetensors", "tokenizer_config.json")) {
      Files.copy(bert.resolve(file), folder.resolve(file));
    }
    String json = Files.readString(bert.resolve("tokenizer.json"));
    String changed = change.apply(json);
    assertThat(changed).isNotEqualTo(json);
    Files.writeString(folder.resolve("tokenizer.json"), changed);
    return EngineSpec.of(folder.toString(), FeatureExtraction.AUTO, Map.of());
  }

  @Test
  void tokenThatTheModelLacksIsTheRowsError(@TempDir Path folder) throws IOException {
    EngineSpec spec =
        withTokenizer(
            folder,
            json ->
                json.replaceFirst(
                    "\"added_tokens\": \\[",
                    "\"added_tokens\": [{\"id\": 9999, \"content\": \"<new>\", \"single_word\":"
                        + " false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false,"
                        + " \"special\": false},"));
    try (Engine engine = Engine.load(spec)) {
      List<Result> results = engine.run(List.of(Request.of("a <new> dog"), Request.of("a dog")));
      assertThat(results.get(0).error().code()).isEqualTo(Code.TOKEN_UNKNOWN);
      assertThat(results.get(0).error().message()).contains("<new>");
      assertThat(results.get(1).error()).isNull();
    }
  }

  @Test
  void textWithoutATokenIsEmpty(@TempDir Path folder) throws IOException {
    EngineSpec spec =
        withTokenizer(
            folder,
            json -> {
              try {
                ObjectNode tokenizer = (ObjectNode) new ObjectMapper().readTree(json);
                return tokenizer.putNull("post_processor").toString();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    try (Engine engine = Engine.load(spec)) {
      List<Result> results = engine.run(List.of(Request.of("   "), Request.of("a dog")));
      assertThat(results.get(0).error())
          .isEqualTo(new RowError(Code.TEXT_EMPTY, "text: expected a token, found none"));
      assertThat(results.get(1).error()).isNull();
    }
  }

  @Test
  void everNewNamesInTheColumnAreAllErrorsAndNotKept() {
    try (Engine engine = Engine.load(CLASSIFY.with(new Batching(8, 999, 64, 0, true)))) {
      List<Request> rows = new ArrayList<>();
      for (int i = 0; i < 12_000; i++) {
        rows.add(Request.of("a dog", "nobody" + i));
      }
      rows.add(Request.of("a dog", "qv"));
      List<Result> results = engine.run(rows);
      assertThat(results.subList(0, 12_000))
          .allMatch(result -> result.error().code() == Code.ADAPTER_UNKNOWN);
      assertThat(results.get(12_000).prediction()).isNotNull();
    }
  }

  /** A copy of two adapters, one of which can be broken while rows are scored. */
  private static EngineSpec copied(Path folder, String... adapters) throws IOException {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (String adapter : adapters) {
      Path copy = Files.createDirectory(folder.resolve(adapter));
      for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
        Path from = Fixtures.path("models/bert-sequence/adapters/" + adapter);
        Files.copy(from.resolve(file), copy.resolve(file));
      }
      sources.put(adapter, AdapterSource.of(copy.toString()));
    }
    return CLASSIFY.with(CLASSIFY.base(), sources);
  }

  @Test
  void adapterThatBreaksAfterItsFirstRowsIsTheErrorOfItsOtherRowsAlone(@TempDir Path folder)
      throws IOException {
    EngineSpec spec = copied(folder, "qv", "rslora").with(new Batching(4, 999, 8, 0, true));
    List<Request> rows = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      rows.add(Request.of("a dog " + i, i % 2 == 0 ? "qv" : "rslora"));
    }
    try (BaseModel base = base();
        Engine engine = Engine.on(base, Storage.standard(), spec.withAdapterMemory(1))) {
      List<Result> whole = engine.run(rows);
      List<Result> broken = new ArrayList<>();
      var results = engine.run(rows.iterator());
      while (results.hasNext()) {
        broken.add(results.next());
        if (broken.size() == 8) {
          Files.delete(folder.resolve("rslora").resolve("adapter_model.safetensors"));
        }
      }
      for (int i = 0; i < rows.size(); i++) {
        if (i >= 8 && i % 2 == 1) {
          assertThat(broken.get(i).prediction()).isNull();
          assertThat(broken.get(i).error().code()).isEqualTo(Code.ADAPTER_UNFIT);
        } else {
          assertThat(broken.get(i)).isEqualTo(whole.get(i));
        }
      }
    }
  }

  @Test
  void brokenAdapterLeavesTheOthersBitEqual(@TempDir Path folder) throws IOException {
    EngineSpec spec = copied(folder, "qv", "rslora", "dropout");
    Files.write(
        folder.resolve("dropout").resolve("adapter_config.json"), new byte[] {'{', (byte) 0xff});
    List<Request> good = new ArrayList<>();
    List<Request> mixed = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      Request row = Request.of("a dog " + i, i % 2 == 0 ? "qv" : "rslora");
      good.add(row);
      mixed.add(row);
      if (i % 3 == 0) {
        mixed.add(Request.of("a cat " + i, "dropout"));
      }
    }
    try (Engine engine = Engine.load(spec)) {
      List<Result> all = engine.run(mixed);
      assertThat(all.stream().filter(result -> result.prediction() == null))
          .hasSize(14)
          .allMatch(result -> result.error().code() == Code.ADAPTER_UNFIT);
      List<Result> kept = all.stream().filter(result -> result.prediction() != null).toList();
      assertThat(kept).isEqualTo(engine.run(good));
    }
  }

  /** The file is sound and its scale is not: what is computed under it is no number. */
  @ParameterizedTest
  @CsvSource({"bert-sequence, qv", "bert-token, token-head", "bert, feature"})
  void rowOfWhichNoNumbersComeIsAnErrorAndLeavesTheOthersAsTheyAre(
      String base, String adapter, @TempDir Path folder) throws IOException {
    Task task =
        switch (base) {
          case "bert-sequence" -> TextClassification.AUTO;
          case "bert-token" -> TokenClassification.AUTO;
          default -> FeatureExtraction.AUTO;
        };
    EngineSpec sound = spec(base, task, List.of(adapter));
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Path from = Fixtures.path("models/" + base + "/adapters/" + adapter);
      Files.copy(from.resolve(file), folder.resolve(file));
    }
    scale(folder.resolve("adapter_config.json"), "1e30");
    Map<String, AdapterSource> adapters = new LinkedHashMap<>(sound.adapters());
    adapters.put("broken", AdapterSource.of(folder.toString()));
    List<Request> rows = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      rows.add(Request.of("a dog " + i, i % 3 == 0 ? "broken" : i % 3 == 1 ? adapter : null));
    }
    try (Engine engine = Engine.load(sound.with(sound.base(), adapters))) {
      List<Result> all = engine.run(rows);
      for (int i = 0; i < 12; i++) {
        if (i % 3 == 0) {
          assertThat(all.get(i).prediction()).isNull();
          assertThat(all.get(i).error().code()).isEqualTo(Code.LOGITS_NOT_FINITE);
        } else {
          Result alone = engine.run(List.of(rows.get(i))).get(0);
          assertClose(scores(all.get(i)), scores(alone), 1e-5);
        }
      }
    }
  }

  @Test
  void scaleThatNoFloatHoldsIsRefused(@TempDir Path folder) throws IOException {
    EngineSpec spec = copied(folder, "qv", "rslora");
    scale(folder.resolve("qv/adapter_config.json"), "1e40");
    try (Engine engine = Engine.load(spec)) {
      List<Result> results =
          engine.run(List.of(Request.of("a dog", "qv"), Request.of("a dog", "rslora")));
      assertThat(results.get(0).error().code()).isEqualTo(Code.ADAPTER_UNFIT);
      assertThat(results.get(0).error().message())
          .contains("query: expected alpha over the rank to be at most 1.0E30, found");
      assertThat(results.get(1).error()).isNull();
    }
  }

  private static void scale(Path config, String alpha) throws IOException {
    String json = Files.readString(config);
    Files.writeString(config, json.replaceFirst("(\"lora_alpha\": )[0-9.]+", "$1" + alpha));
  }

  /** Found when one batch of the set before it has run: the others stay as they were planned. */
  @ParameterizedTest
  @EnumSource(Merging.Mode.class)
  void brokenAdapterLeavesWhatIsLeftOfARunAsItWas(Merging.Mode mode, @TempDir Path folder)
      throws IOException {
    EngineSpec spec =
        copied(folder, "qv", "rslora", "dropout")
            .with(new Batching(16, 999, 999, 0, true))
            .with(Merging.AUTO.with(mode));
    Files.write(folder.resolve("dropout/adapter_model.safetensors"), new byte[9]);
    List<Request> good = new ArrayList<>();
    List<Request> mixed = new ArrayList<>();
    for (int i = 0; i < 17; i++) { // two batches of its own, the second of eight rows
      good.add(Request.of("the red fox jumps over a lazy dog ".repeat(1 + i % 3), "qv"));
    }
    mixed.addAll(good);
    mixed.addAll(Collections.nCopies(9, Request.of("a lazy dog", "dropout")));
    List<Request> short4 = Collections.nCopies(4, Request.of("9 !", "rslora"));
    good.addAll(short4);
    mixed.addAll(short4);
    try (Engine engine = Engine.load(spec)) {
      List<Result> kept =
          engine.run(mixed).stream().filter(result -> result.prediction() != null).toList();
      assertThat(kept).isEqualTo(engine.run(good));
    }
  }

  private static BaseModel base() {
    return BaseModel.load(
        Storage.standard(),
        Fixtures.location("models/bert-sequence"),
        Head.SEQUENCE,
        Device.cpu(),
        Precision.FLOAT32);
  }

  @Test
  void streamIsAtItsEndAfterAnException() {
    try (Engine engine = Engine.load(CLASSIFY.with(OnError.FAIL))) {
      List<Request> rows = List.of(Request.of("a"), Request.of("", "qv"), Request.of("b"));
      var results = engine.run(rows.iterator());
      assertThatThrownBy(results::next).isInstanceOf(RowException.class);
      assertThat(results.hasNext()).isFalse();
      assertThatThrownBy(results::next).isInstanceOf(NoSuchElementException.class);
    }
  }

  /** What looks ahead ends with the stream: at its end, closed before it, or after an exception. */
  @ParameterizedTest
  @EnumSource(Merging.Mode.class)
  void nothingIsLeftOfAStream(Merging.Mode mode) {
    Batching small = new Batching(4, 200, 8, 0, true);
    List<Request> rows = rows(60, 5);
    try (Engine engine = Engine.load(CLASSIFY.with(small).with(Merging.AUTO.with(mode)))) {
      engine.run(rows); // all adapters are in memory
      List<NDArray> before = arrays(engine);

      Results toItsEnd = engine.run(rows.iterator());
      toItsEnd.forEachRemaining(result -> {});
      assertThat(lookingAhead()).isEmpty();

      Results closed = engine.run(rows.iterator());
      closed.next();
      assertThat(lookingAhead()).isNotEmpty();
      closed.close();
      assertThat(lookingAhead()).isEmpty();

      AtomicInteger batches = new AtomicInteger();
      Results failed =
          engine.run(
              rows.iterator(),
              () -> {
                if (batches.incrementAndGet() == 4) {
                  throw new CancellationException("killed");
                }
              });
      assertThatThrownBy(() -> failed.forEachRemaining(result -> {}))
          .isInstanceOf(CancellationException.class);
      failed.close();
      assertThat(lookingAhead()).isEmpty();
      assertThat(arrays(engine)).hasSameSizeAs(before);
    }
  }

  /** All that belongs to the base's manager or to one below it. */
  private static List<NDArray> arrays(Engine engine) {
    return engine.base().owner().getManagedArrays();
  }

  private static List<String> lookingAhead() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("medley-ahead"))
        .toList();
  }

  @Test
  void closedEngineSaysSoAndWaitsForWhatIsInWork() throws Exception {
    Engine engine = Engine.load(CLASSIFY.with(new Batching(1, 99, 64, 0, true)));
    CountDownLatch inWork = new CountDownLatch(1);
    var pool = Executors.newSingleThreadExecutor();
    try {
      var results =
          engine.run(
              Collections.nCopies(64, Request.of("a dog", "qv")).iterator(), inWork::countDown);
      Future<Result> first = pool.submit(results::next);
      inWork.await();
      engine.close();
      assertThat(first.get().prediction()).isNotNull();
      assertThatThrownBy(() -> engine.run(List.of(Request.of("a dog"))))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the engine is closed");
    } finally {
      pool.shutdownNow();
    }
  }
}
