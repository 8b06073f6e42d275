package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.engine.RowError.Code;
import dev.medley.io.ChildJvm;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.tensor.Calls;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A device without memory for what it is asked: libtorch is asked for more than there is. */
@SuppressWarnings("try") // calls are seen until the end of a block
class DeviceMemoryTest {
  private static final List<String> ADAPTERS = List.of("qv", "all-linear", "head-7-labels");

  private static final EngineSpec CLASSIFY = classify();

  @TempDir Path folder;

  private static EngineSpec classify() {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (String adapter : ADAPTERS) {
      String path = "models/bert-sequence/adapters/" + adapter;
      sources.put(adapter, AdapterSource.of(Fixtures.path(path).toString()));
    }
    return EngineSpec.of(
        Fixtures.path("models/bert-sequence").toString(), TextClassification.AUTO, sources);
  }

  private static List<Request> texts(int rows) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      String text = "the lazy fox jumps over a red dog ".repeat(1 + i % 4) + "9 !".repeat(i % 3);
      String adapter = i % 4 == 3 ? "" : ADAPTERS.get(i % 4);
      requests.add(Request.of(text, adapter));
    }
    return requests;
  }

  private static float[] scores(Result result) {
    List<LabelScore> scores = ((Classification) result.prediction()).scores();
    float[] values = new float[scores.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = scores.get(i).score();
    }
    return values;
  }

  /** To what {@code EngineTest} holds rows alone and in batches to. */
  private static void assertSame(List<Result> results, List<Result> expected) {
    assertThat(results).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      assertThat(results.get(i).error()).isEqualTo(expected.get(i).error());
      if (expected.get(i).prediction() instanceof Generation) {
        assertThat(results.get(i)).usingRecursiveComparison().isEqualTo(expected.get(i));
      } else {
        assertClose(scores(results.get(i)), scores(expected.get(i)), 1e-5);
      }
    }
  }

  /** The tokens of each pass before it begins; where they are too much there is no memory. */
  private static final class Passes implements BiConsumer<String, NDArray> {
    final List<Integer> fit = new ArrayList<>();
    final List<Integer> failed = new ArrayList<>();
    private final Predicate<long[]> isTooMuch;
    private NDManager scope;

    Passes(Predicate<long[]> isTooMuch) {
      this.isTooMuch = isTooMuch;
    }

    @Override
    public void accept(String method, NDArray first) {
      if (!method.equals("embedding") || first.getManager() == scope) {
        return; // a pass has a scope of its own
      }
      scope = first.getManager();
      long[] ids = first.toLongArray();
      boolean isFailing = isTooMuch.test(ids);
      (isFailing ? failed : fit).add(ids.length);
      if (isFailing) {
        Calls.runOutOfMemory(scope);
      }
    }

    List<Result> run(Engine engine, List<Request> requests) throws Exception {
      try (AutoCloseable seen = Calls.seen(this)) {
        return engine.run(requests);
      }
    }
  }

  private static boolean has(long[] ids, long id) {
    return Arrays.stream(ids).anyMatch(each -> each == id);
  }

  @Test
  void batchWithoutMemoryIsHalvedUntilItFitsAndNothingIsLeft() throws Exception {
    try (Engine engine = Engine.load(CLASSIFY)) {
      List<Request> rows = texts(150);
      List<Result> undisturbed = engine.run(rows);
      int held = HeldArrays.of(engine);
      Passes passes = new Passes(ids -> ids.length > 200);

      assertSame(passes.run(engine, rows), undisturbed);

      assertThat(passes.failed).isNotEmpty().allMatch(tokens -> tokens > 200);
      assertThat(passes.fit).isNotEmpty().allMatch(tokens -> tokens <= 200);
      assertThat(passes.failed.size()).as("attempts in vain").isLessThan(passes.fit.size() / 3);
      assertThat(HeldArrays.of(engine)).isEqualTo(held);
      assertSame(engine.run(rows), undisturbed);
    }
  }

  @Test
  void rowThatNeverFitsIsTheOnlyOneInError() throws Exception {
    try (Engine engine = Engine.load(CLASSIFY)) {
      List<Request> rows = new ArrayList<>(texts(40));
      List<Result> undisturbed = new ArrayList<>(engine.run(rows));
      rows.add(17, Request.of("letters 9 dog", "qv")); // no other row has letters
      long letters = engine.tokenizer().encode("letters").ids()[1];
      Passes passes = new Passes(ids -> has(ids, letters));

      List<Result> results = new ArrayList<>(passes.run(engine, rows));

      assertThat(results.remove(17))
          .isEqualTo(
              Result.failed(
                  Code.DEVICE_OUT_OF_MEMORY,
                  "the device cpu has no memory for this row, while no other pass was running on it;"
                      + " make room on the device, or use one with more memory"));
      assertSame(results, undisturbed);
      try (Engine failing = Engine.load(CLASSIFY.with(OnError.FAIL))) {
        assertThatThrownBy(() -> new Passes(ids -> has(ids, letters)).run(failing, rows))
            .isInstanceOf(RowException.class)
            .hasMessageStartingWith("row 17: DEVICE_OUT_OF_MEMORY: the device cpu has no memory");
      }
    }
  }

  /** Another task's pass may have the memory: a row is an error only where it is alone. */
  @Test
  void lastAttemptAtARowIsMadeWhileNoOtherPassRuns() throws Exception {
    DevicePermits permits = new DevicePermits(3);
    try (BaseModel base = base();
        Engine engine = Engine.on(base, Storage.standard(), CLASSIFY, permits)) {
      List<Result> undisturbed = engine.run(texts(1));
      List<Integer> taken = new ArrayList<>();
      Passes passes =
          new Passes(
              ids -> {
                taken.add(permits.taken());
                return taken.size() == 1;
              });

      assertSame(passes.run(engine, texts(1)), undisturbed);

      assertThat(taken).containsExactly(1, 3);
      assertThat(permits.taken()).isZero();
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
  void whatElseGoesWrongInAPassIsNoMatterOfMemory() throws Exception {
    try (Engine engine = Engine.load(CLASSIFY);
        AutoCloseable seen =
            Calls.seen(
                (method, first) -> {
                  if (method.equals("embedding")) {
                    throw new EngineException("the GPU has fallen off the bus");
                  }
                })) {
      assertThatThrownBy(() -> engine.run(texts(1)))
          .isInstanceOf(EngineException.class)
          .hasMessage("the GPU has fallen off the bus");
      assertThat(engine.permits().taken()).isZero();
    }
  }

  /** Calls all over a pass find no memory, and all that ask for some that stays longer. */
  @ParameterizedTest
  @EnumSource(
      value = Merging.Mode.class,
      names = {"NEVER", "RUN", "LAYER"})
  void whereverInAPassMemoryEndsRowsAreTheSame(Merging.Mode mode) throws Exception {
    EngineSpec spec =
        CLASSIFY.with(Merging.AUTO.with(mode)).with(new Batching(4, 4096, 99, 0, true));
    try (Engine engine = Engine.load(spec)) {
      List<Request> rows = texts(9);
      assertThat(failingCalls(engine, rows, ".*", 11)).isGreaterThan(100);
      int stays = mode == Merging.Mode.NEVER ? 0 : 2;
      assertThat(failingCalls(engine, rows, "empty_like", 1)).isGreaterThanOrEqualTo(stays);
    }
  }

  /**
   * Has every so many-th of some calls in passes find no memory, one in each run.
   *
   * @return how many such calls there are, about
   */
  private static int failingCalls(Engine engine, List<Request> rows, String methods, int every)
      throws Exception {
    List<Result> undisturbed = engine.run(rows);
    int held = HeldArrays.of(engine);
    for (int failing = 0; ; failing += every) {
      int call = failing;
      AtomicInteger calls = new AtomicInteger();
      try (AutoCloseable seen =
          Calls.seen(
              (method, first) -> {
                boolean isInPass = engine.permits().taken() > 0 && method.matches(methods);
                if (isInPass && calls.getAndIncrement() == call) {
                  Calls.runOutOfMemory(first.getManager());
                }
              })) {
        assertSame(engine.run(rows), undisturbed);
      }
      assertThat(HeldArrays.of(engine)).as("after call %d", call).isEqualTo(held);
      if (calls.get() <= call) {
        return call;
      }
    }
  }

  @Test
  void adapterWithoutMemoryIsLoadedWhenTheIdleOnesAreGone() throws Exception {
    try (Engine engine = Engine.load(CLASSIFY)) {
      Request other = Request.of("a dog", "all-linear");
      Request row = Request.of("a dog", "qv");
      engine.run(List.of(other));
      AtomicInteger loads = new AtomicInteger();
      try (AutoCloseable seen =
          Calls.seen(
              (method, first) -> {
                if (engine.permits().taken() == 0 && loads.getAndIncrement() == 0) {
                  Calls.runOutOfMemory(first.getManager());
                }
              })) {
        assertThat(engine.run(List.of(row)).get(0).error()).isNull();
      }
      assertThat(engine.store().holds(AdapterRef.of("all-linear"))).isFalse();
      try (AutoCloseable seen =
          Calls.seen(
              (method, first) -> {
                if (engine.permits().taken() == 0) {
                  Calls.runOutOfMemory(first.getManager());
                }
              })) {
        List<Result> results = engine.run(List.of(other, row));
        assertThat(results.get(0).error())
            .isEqualTo(
                new RowError(
                    Code.DEVICE_OUT_OF_MEMORY,
                    "all-linear: the device cpu has no memory for it, with no other adapter on it"
                        + " but those in use; make room on the device, or have fewer tasks at a time"
                        + " on it"));
        assertThat(results.get(1).error()).isNull();
      }
      assertThat(engine.run(List.of(other)).get(0).error()).isNull();
    }
  }

  @Test
  void baseWithoutMemorySaysWhichDeviceHasNone() throws Exception {
    try (AutoCloseable seen =
        Calls.seen((method, first) -> Calls.runOutOfMemory(first.getManager()))) {
      assertThatThrownBy(() -> Engine.load(CLASSIFY))
          .isInstanceOf(LoadException.class)
          .hasMessage(
              CLASSIFY.base()
                  + ": the device cpu has no memory for its weights; make room on the device, or"
                  + " load it in a dtype of fewer bytes");
    }
  }

  private Engine decoder(Batching batching) {
    if (Files.notExists(folder.resolve("config.json"))) {
      DecoderFolder.of("llama", folder);
    }
    return Engine.load(
        EngineSpec.of(
                folder.toString(),
                TextGeneration.AUTO.withMaxNewTokens(6),
                DecoderFolder.adapters("llama"))
            .with(batching));
  }

  private static final List<String> SETS = List.of("", "lora", "loha", "oft+lora", "ia3");

  private static List<Request> prompts(int rows) {
    return prompts(rows, SETS);
  }

  private static List<Request> prompts(int rows, List<String> sets) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      long[] ids = new long[1 + 7 * i % 23];
      for (int t = 0; t < ids.length; t++) {
        ids[t] = 5 + (31L * i + 17L * t + 3) % 110;
      }
      requests.add(Request.of(DecoderFolder.text(ids), sets.get(i % sets.size())));
    }
    return requests;
  }

  @Test
  void stepWithoutMemoryIsTakenWithFewerTokensDownToOne() throws Exception {
    try (Engine engine = decoder(Batching.DEFAULT)) {
      List<Request> rows = prompts(40);
      List<Result> undisturbed = engine.run(rows);
      int held = HeldArrays.of(engine);
      for (int most : new int[] {50, 7, 1}) {
        Passes passes = new Passes(ids -> ids.length > most);

        assertSame(passes.run(engine, rows), undisturbed);

        assertThat(passes.failed).isNotEmpty();
        assertThat(passes.fit).allMatch(tokens -> tokens <= most);
        assertThat(passes.failed.size()).isLessThan(passes.fit.size() / 2);
        assertThat(HeldArrays.of(engine)).isEqualTo(held);
      }
    }
  }

  @Test
  void promptThatNeverFitsIsTheOnlyOneInError() throws Exception {
    try (Engine engine = decoder(Batching.DEFAULT)) {
      List<Request> rows = new ArrayList<>(prompts(30));
      List<Result> undisturbed = engine.run(rows);
      rows.add(11, Request.of("t9 t120 t9", "lora")); // no other prompt has t120

      List<Result> results = new ArrayList<>(new Passes(ids -> has(ids, 120)).run(engine, rows));

      assertThat(results.remove(11).error().code()).isEqualTo(Code.DEVICE_OUT_OF_MEMORY);
      assertSame(results, undisturbed);
    }
  }

  /** Also where a step's rows have their keys and some have their tokens. */
  @Test
  @Timeout(300) // a row that waits for itself waits for ever
  void whereverInAStepMemoryEndsTextsAreTheSame() throws Exception {
    try (Engine engine = decoder(new Batching(4, 16, 99, 0, true))) {
      List<Request> rows = prompts(7);
      assertThat(failingCalls(engine, rows, ".*", 97)).isGreaterThan(500);
      List<Request> loras = prompts(4, List.of("lora", "rslora", "all-linear", "olora"));
      assertThat(failingCalls(engine, loras, "empty_like", 5)).isGreaterThan(3);
      assertThat(failingCalls(engine, rows, "likeliest", 3)).isGreaterThan(5);
    }
    try (Engine engine = sampler()) { // rows are chosen for one by one
      assertThat(failingCalls(engine, prompts(5), "narrow", 13)).isGreaterThan(50);
    }
  }

  private Engine sampler() {
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(6).withDoSample(true).withSeed(3);
    return Engine.load(
        EngineSpec.of(folder.toString(), task, DecoderFolder.adapters("llama"))
            .with(new Batching(4, 16, 99, 0, true)));
  }

  /** Keys and values of 64 tokens are asked for, and there is memory for those of 32. */
  @Test
  void memoryForKeysAndValuesIsHalvedAndRowsThatNeedMoreSaySo() throws Exception {
    try (Engine engine = decoder(new Batching(4, 4096, 99, 0, true, 64L * 2 * 2 * 8 * 4))) {
      List<Request> rows = new ArrayList<>(prompts(12));
      List<Result> undisturbed = engine.run(rows);
      rows.add(3, Request.of("t9 ".repeat(40)));
      AtomicInteger attempts = new AtomicInteger();
      List<Result> results;
      try (AutoCloseable seen =
          Calls.seen(
              (method, first) -> {
                boolean isCache = method.equals("empty") && engine.permits().taken() == 0;
                if (isCache && attempts.incrementAndGet() == 1) {
                  Calls.runOutOfMemory(first.getManager());
                }
              })) {
        results = new ArrayList<>(engine.run(rows));
      }
      assertThat(results.remove(3).error())
          .isEqualTo(
              new RowError(
                  Code.DEVICE_OUT_OF_MEMORY,
                  "text: expected fewer tokens, prompt and continuation together, than the memory for"
                      + " keys and values has places for, 32, found 40; make room on the device"));
      assertSame(results, undisturbed);
    }
  }

  /** No injected fault: the system itself has no more memory for this process. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void whereTheSystemHasNoMoreMemoryBatchesAreHalved() throws Exception {
    assertThat(ChildJvm.run(LittleMemory.class)).contains("all rows are the same");
  }

  /** Scores some hundred thousand tokens at once, then again in little more than it has. */
  static final class LittleMemory {
    private static final int ROWS = 12_000;
    private static final long MORE = 200L << 20;

    private LittleMemory() {}

    /** Prints a line when all is well. */
    public static void main(String[] args) throws Exception {
      Batching whole = new Batching(ROWS, Integer.MAX_VALUE, ROWS, 0, true);
      Merging added = Merging.AUTO.with(Merging.Mode.NEVER);
      try (Engine engine = Engine.load(CLASSIFY.with(whole).with(added))) {
        List<Request> rows = texts(ROWS);
        Passes undisturbed = new Passes(ids -> false);
        List<Result> expected = undisturbed.run(engine, rows);
        limitAddressSpace(size() + MORE);

        Passes passes = new Passes(ids -> false);
        List<Result> results = passes.run(engine, rows);

        assertSame(results, expected);
        System.out.println(undisturbed.fit + " tokens, then " + passes.fit);
        assertThat(passes.fit).hasSizeGreaterThan(undisturbed.fit.size() + 1);
        System.out.println("all rows are the same");
      }
    }

    /** Bytes of addresses that this process has in use or kept. */
    private static long size() throws IOException {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmSize:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
        }
      }
      throw new IllegalStateException("/proc/self/status has no VmSize");
    }

    private static void limitAddressSpace(long bytes) throws Exception {
      String self = Long.toString(ProcessHandle.current().pid());
      int status =
          new ProcessBuilder("prlimit", "--pid", self, "--as=" + bytes)
              .inheritIO()
              .start()
              .waitFor();
      assertThat(status).isZero();
    }
  }
}
