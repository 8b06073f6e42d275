package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.Prediction.Generation;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Running batches: places, neighbours, memory, and what is left. */
class GeneratorTest {
  @TempDir Path folder;

  private EngineSpec spec(String name, TextGeneration task, Batching batching) {
    return EngineSpec.of(folder.toString(), task, DecoderFolder.adapters(name)).with(batching);
  }

  /** Sets that need nothing of a head: rows of all of them run together. */
  private static final List<String> SETS =
      List.of("", "lora", "loha", "oft+lora", "lora+loha", "ia3", "lokr", "shira+lora+oft");

  private static List<Request> requests(int rows) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      long[] ids = new long[1 + 7 * i % 23];
      for (int t = 0; t < ids.length; t++) {
        ids[t] = 5 + (31L * i + 17L * t + 3) % 110;
      }
      requests.add(Request.of(DecoderFolder.text(ids), SETS.get(i % SETS.size())));
    }
    return requests;
  }

  @Test
  void aRowAloneGetsTheTokensThatItGetsInABatch() {
    DecoderFolder.of("llama", folder);
    List<Request> requests = requests(40);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(9);
    try (Engine engine = Engine.load(spec("llama", task, Batching.DEFAULT))) {
      List<Result> together = engine.run(requests);
      for (int i = 0; i < requests.size(); i++) {
        assertSame(engine.run(List.of(requests.get(i))).get(0), together.get(i));
      }
      assertThat(together.stream().map(GeneratorTest::tokens).distinct()).hasSizeGreaterThan(30);
    }
  }

  @Test
  void drawsDependOnTheRowAloneNeitherOnItsPlaceNorOnItsNeighbours() {
    DecoderFolder.of("llama", folder);
    List<Request> requests = new ArrayList<>(requests(40));
    TextGeneration task =
        TextGeneration.AUTO.withMaxNewTokens(9).withDoSample(true).withSeed(5).withTopP(0.9);
    List<Result> first;
    try (Engine engine = Engine.load(spec("llama", task, Batching.DEFAULT))) {
      first = engine.run(requests);
      assertThat(tokens(engine.run(List.of(requests.get(0).withSeed(1L))).get(0)))
          .isNotEqualTo(tokens(first.get(0)));
    }
    Collections.reverse(requests);
    Batching narrow = new Batching(3, 11, 10, 0, true);
    try (Engine engine = Engine.load(spec("llama", task, narrow))) {
      List<Result> second = engine.run(requests);
      for (int i = 0; i < first.size(); i++) {
        assertSame(second.get(first.size() - 1 - i), first.get(i));
      }
    }
    try (Engine engine = Engine.load(spec("llama", task.withSeed(6), Batching.DEFAULT))) {
      Collections.reverse(requests);
      assertThat(engine.run(requests).stream().map(GeneratorTest::tokens).toList())
          .isNotEqualTo(first.stream().map(GeneratorTest::tokens).toList());
    }
  }

  /** 200 rows, and memory for the tokens of few: 2 layers · 2 · 8 numbers · 4 bytes a token. */
  @Test
  void rowsQueueWhereMemoryIsShortAndNoneFailsAndNothingIsLeft() {
    DecoderFolder.of("llama", folder);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(6);
    List<Request> requests = requests(200);
    List<Result> roomy;
    try (Engine engine = Engine.load(spec("llama", task, Batching.DEFAULT))) {
      roomy = engine.run(requests);
    }
    Batching tight = new Batching(32, 4096, 2048, 0, true, 70L * 2 * 2 * 8 * 4);
    try (Engine engine = Engine.load(spec("llama", task, tight))) {
      engine.run(requests.subList(0, 20));
      int arrays = engine.base().owner().getManagedArrays().size();
      int adapters = engine.store().arrays();

      List<Result> results = engine.run(requests);

      for (int i = 0; i < results.size(); i++) {
        assertSame(results.get(i), roomy.get(i));
      }
      assertThat(engine.base().owner().getManagedArrays()).hasSize(arrays);
      assertThat(engine.store().arrays()).isEqualTo(adapters);
    }
  }

  @Test
  void aRowThatMemoryNeverHasRoomForSaysSoAndTheOthersGoOn() {
    DecoderFolder.of("llama", folder);
    Batching tight = new Batching(32, 4096, 2048, 0, true, 20L * 2 * 2 * 8 * 4);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(6);
    try (Engine engine = Engine.load(spec("llama", task, tight))) {
      List<Result> results =
          engine.run(
              List.of(Request.of("t9 t8 t7"), Request.of("t5 ".repeat(20)), Request.of("t9")));

      assertThat(results.get(1).error())
          .isEqualTo(
              new RowError(
                  RowError.Code.TEXT_TOO_LONG,
                  "text: expected fewer tokens, prompt and continuation together, than the memory"
                      + " for keys and values has places for, 16, found 20; raise cache-memory, or"
                      + " ask for fewer new tokens"));
      assertThat(results.get(0).prediction()).isNotNull();
      assertThat(results.get(2).prediction()).isNotNull();
    }
  }

  /** A prompt of 50 tokens takes 17 steps of 3; the short rows behind it are done long before. */
  @Test
  void aLongPromptKeepsNoShortRowWaiting() {
    DecoderFolder.of("llama", folder);
    Batching pieces = new Batching(4, 6, 100, 0, true);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(2);
    AtomicInteger steps = new AtomicInteger();
    List<Integer> doneAt = new ArrayList<>();
    try (Engine engine = Engine.load(spec("llama", task, pieces));
        Results results =
            engine.run(
                List.of(
                        Request.of("t5 t6"),
                        Request.of("t7 t8"),
                        Request.of("t7 t9"),
                        Request.of("t6 ".repeat(50)))
                    .iterator(),
                steps::incrementAndGet)) {
      while (results.hasNext()) {
        results.next();
        doneAt.add(steps.get());
      }
    }
    assertThat(doneAt.subList(0, 3)).allMatch(step -> step <= 4);
    assertThat(doneAt.get(3)).isBetween(10, 14);
  }

  @Test
  void closingAnUnfinishedStreamGivesEverythingBack() {
    DecoderFolder.of("llama", folder);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(6);
    try (Engine engine = Engine.load(spec("llama", task, new Batching(4, 64, 100, 0, true)))) {
      int arrays = engine.base().owner().getManagedArrays().size();
      Results results = engine.run(requests(30).subList(1, 30).iterator());
      results.next();
      results.close();

      assertThat(results.hasNext()).isFalse();
      assertThat(engine.store().arrays()).isPositive(); // kept for other streams
      assertThat(engine.base().owner().getManagedArrays().size())
          .isEqualTo(arrays + engine.store().arrays());
    }
  }

  @Test
  void aPromptIsNeverCut() {
    DecoderFolder.of("llama", folder);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(6);
    try (Engine engine = Engine.load(spec("llama", task, Batching.DEFAULT))) {
      List<Result> results =
          engine.run(List.of(Request.of("t6 ".repeat(65)), Request.of("t6 ".repeat(62))));

      assertThat(results.get(0).error())
          .isEqualTo(
              new RowError(
                  RowError.Code.TEXT_TOO_LONG, "text: expected at most 64 tokens, found 65"));
      Generation generation = (Generation) results.get(1).prediction();
      assertThat(generation.generatedTokens()).isEqualTo(2); // the model has positions for 64
      assertThat(generation.finishReason()).isEqualTo(FinishReason.LENGTH);
    }
  }

  /** Rows start with room for 64 tokens, take more, and make room for those that came before. */
  @Test
  void rowsThatOutgrowTheirRoomGetMoreOrWaitAgain() {
    DecoderFolder.of("llama", folder);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(60).withEosTokenIds(List.of());
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      requests.add(Request.of("t" + (9 + i), SETS.get(i % SETS.size())));
    }
    String longRope = "\"max_position_embeddings\": 64";
    replaceInConfig(longRope, "\"max_position_embeddings\": 640");
    TextGeneration longer = task.withMaxNewTokens(200);
    List<Result> roomy;
    try (Engine engine = Engine.load(spec("llama", longer, Batching.DEFAULT))) {
      roomy = engine.run(requests);
    }
    Batching tight = new Batching(8, 4096, 2048, 0, true, 420L * 2 * 2 * 8 * 4);
    try (Engine engine = Engine.load(spec("llama", longer, tight))) {
      List<Result> results = engine.run(requests);
      for (int i = 0; i < results.size(); i++) {
        assertSame(results.get(i), roomy.get(i));
        assertThat(tokens(results.get(i))).hasSize(200);
      }
    }
  }

  private void replaceInConfig(String text, String by) {
    try {
      Path config = folder.resolve("config.json");
      String json = Files.readString(config);
      assertThat(json).contains(text);
      Files.writeString(config, json.replace(text, by));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** An adapter's file with numbers that a scale makes infinite. */
  private static byte[] large(Path adapter) throws IOException {
    byte[] file = Files.readAllBytes(adapter.resolve("adapter_model.safetensors"));
    ByteBuffer numbers = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    Location folder = Location.of(adapter.toString());
    for (TensorInfo tensor :
        Checkpoint.headers(Storage.standard(), folder, "adapter_model").values()) {
      for (long at = tensor.begin(); at < tensor.begin() + tensor.bytes(); at += Float.BYTES) {
        numbers.putFloat((int) at, numbers.getFloat((int) at) * 1e9f);
      }
    }
    return file;
  }

  /** A row whose numbers overflow leaves NaN where others' keys will be. */
  @Test
  void aRowThatOverflowsChangesNoOther() throws IOException {
    DecoderFolder.of("llama", folder);
    Path broken = Files.createDirectories(folder.resolve("broken"));
    Path lora = Fixtures.path("decoders/llama/adapters/lora");
    Files.write(broken.resolve("adapter_model.safetensors"), large(lora));
    String config = Files.readString(lora.resolve("adapter_config.json"));
    assertThat(config).contains("\"lora_alpha\": ");
    Files.writeString(
        broken.resolve("adapter_config.json"),
        config.replaceAll("\"lora_alpha\": \\d+", "\"lora_alpha\": 1e30"));
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(5);
    EngineSpec spec =
        EngineSpec.of(
                folder.toString(), task, Map.of("broken", AdapterSource.of(broken.toString())))
            .with(new Batching(2, 64, 100, 0, true, 512L * 2 * 2 * 8 * 4));
    try (Engine engine = Engine.load(spec)) {
      Request bad = Request.of("t9 ".repeat(10), "broken");
      Request good = Request.of("t9 t8");
      Request longer = Request.of("t8 ".repeat(9)); // beside good, whose masked places it shows
      Result alone = engine.run(List.of(good)).get(0);
      // slots of one size: the two good rows get what the two bad ones leave
      List<Result> results = engine.run(List.of(bad, bad, good, longer));

      assertThat(results.get(0).error())
          .isEqualTo(
              new RowError(
                  RowError.Code.LOGITS_NOT_FINITE,
                  "expected finite logits, found NaN or infinity at token 10"));
      assertSame(results.get(2), alone);
      assertThat(results.get(3).error()).isNull();
    }
  }

  @Test
  void aRowThatCannotBeAskedForKeepsItsPlaceAndGetsItsError() {
    DecoderFolder.of("llama", folder);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(2);
    RowError error = new RowError(RowError.Code.TEXT_NULL, "messages: expected an array");
    try (Engine engine = Engine.load(spec("llama", task, Batching.DEFAULT))) {
      List<Result> results =
          engine.run(List.of(Request.of("t5"), Request.failed(error), Request.of("t5")));
      assertThat(results.get(1)).isEqualTo(new Result(null, error));
      assertThat(results.get(0).prediction()).isNotNull();
      assertThat(results.get(2).prediction()).isNotNull();
    }
  }

  private static List<Integer> tokens(Result result) {
    return Arrays.stream(((Generation) result.prediction()).tokens()).boxed().toList();
  }

  private static void assertSame(Result actual, Result expected) {
    assertThat(actual.error()).isNull();
    assertThat(tokens(actual)).isEqualTo(tokens(expected));
    Generation one = (Generation) actual.prediction();
    Generation other = (Generation) expected.prediction();
    assertThat(one.text()).isEqualTo(other.text());
    assertThat(one.finishReason()).isEqualTo(other.finishReason());
  }
}
