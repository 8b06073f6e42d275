package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.Merging.Mode;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.SetUses.Use;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MeterTest {
  private static final String SHORT = "a dog"; // 6 tokens, two special ones among them
  private static final String LONG = "a lazy dog"; // 9

  private static EngineSpec spec() {
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    for (String name : List.of("lora", "oft", "loha")) {
      String folder = Fixtures.path("sets/bert/adapters/" + name).toString();
      adapters.put(name, AdapterSource.of(folder));
    }
    String base = Fixtures.path("models/bert-sequence").toString();
    return EngineSpec.of(base, TextClassification.AUTO, adapters);
  }

  /** What was counted from a run's begin to the end of what it held. */
  private record Counted(Map<Metric, Long> metrics, SetUses sets, List<Result> results) {
    static Counted of(Engine engine, List<Request> requests) {
      Meter meter = new Meter();
      Counted counted =
          new Counted(new EnumMap<>(Metric.class), new SetUses(100), new ArrayList<>());
      try (Results results = engine.run(requests.iterator(), () -> {}, meter)) {
        results.forEachRemaining(counted.results::add);
      }
      meter.drain(
          (metric, amount) -> counted.metrics.merge(metric, amount, Long::sum), counted.sets);
      return counted;
    }

    long of(Metric metric) {
      return metrics.getOrDefault(metric, 0L);
    }
  }

  @Test
  void tokensArePassedOnceAndPaddingIsWhatTheHeadSees() {
    List<Request> requests =
        List.of(
            Request.of(SHORT),
            Request.of(LONG),
            Request.of(SHORT, "lora"),
            Request.of(null, "lora"),
            Request.of(SHORT, "lara"));
    try (Engine engine = Engine.load(spec().with(Merging.AUTO.with(Mode.NEVER)))) {
      Counted counted = Counted.of(engine, requests);
      assertThat(counted.of(Metric.TOKENS)).isEqualTo(6 + 9 + 6);
      assertThat(counted.of(Metric.SCORED)).isEqualTo(3);
      assertThat(counted.of(Metric.PADDING_TOKENS)).isEqualTo(3 + 3);
      assertThat(counted.of(Metric.FORWARDS)).isEqualTo(1);
      assertThat(counted.of(Metric.FORWARDS_BASE)).isEqualTo(1);
      assertThat(counted.of(Metric.FORWARDS_ADDED)).isEqualTo(1);
      assertThat(counted.of(Metric.FORWARDS_MERGED)).isZero();
      assertThat(counted.sets.sets())
          .extracting(SetUses.OfSet::set)
          .containsExactly("__base__", "lora");
      Use base = counted.sets.sets().get(0).use();
      assertThat(base.rows()).isEqualTo(2);
      assertThat(base.runs()).isEqualTo(1);
      assertThat(base.tokens()).isEqualTo(15);
      assertThat(base.nanos()).isPositive();
      assertThat(base.modes()).containsExactly("base");
      assertThat(counted.sets.sets().get(1).use().modes()).containsExactly("added");
      assertThat(counted.sets.others()).isEqualTo(Use.NONE);
    }
  }

  @ParameterizedTest
  @CsvSource({"NEVER, FORWARDS_ADDED", "RUN, FORWARDS_MERGED", "LAYER, FORWARDS_SCRATCH"})
  void passesAreCountedByHowTheyApplySets(Mode mode, Metric metric) {
    EngineSpec spec = spec().with(Merging.AUTO.with(mode)).with(new Batching(2, 4096, 64, 0, true));
    try (Engine engine = Engine.load(spec)) {
      Counted counted = Counted.of(engine, Collections.nCopies(6, Request.of(SHORT, "oft+lora")));
      assertThat(counted.of(metric)).isEqualTo(3);
      assertThat(counted.of(Metric.FORWARDS)).isEqualTo(3);
      long all =
          counted.of(Metric.FORWARDS_BASE)
              + counted.of(Metric.FORWARDS_ADDED)
              + counted.of(Metric.FORWARDS_MERGED)
              + counted.of(Metric.FORWARDS_SCRATCH);
      assertThat(all).isEqualTo(3);
    }
  }

  @Test
  void loadsHitsAndEvictionsAreTheRunsOwn() {
    EngineSpec spec = spec().withAdapterMemory(0).with(new Batching(1, 4096, 1, 0, true));
    List<Request> turns = new ArrayList<>();
    for (int i = 0; i < 4; i++) { // a window each, so that each adapter goes before it comes again
      turns.add(Request.of(SHORT, i % 2 == 0 ? "lora" : "oft"));
    }
    try (Engine engine = Engine.load(spec)) {
      Counted counted = Counted.of(engine, turns);
      assertThat(counted.of(Metric.ADAPTER_LOADS)).isEqualTo(4).isEqualTo(engine.adapterLoads());
      assertThat(counted.of(Metric.ADAPTER_EVICTIONS)).isEqualTo(4);
      assertThat(counted.of(Metric.ADAPTER_HITS)).isZero();
    }
    try (Engine engine = Engine.load(spec())) {
      Counted first = Counted.of(engine, turns);
      assertThat(first.of(Metric.ADAPTER_LOADS)).isEqualTo(2);
      assertThat(first.of(Metric.ADAPTER_BYTES)).isEqualTo(engine.adapterBytes()).isPositive();
      Counted second = Counted.of(engine, turns);
      assertThat(second.of(Metric.ADAPTER_LOADS)).isZero();
      assertThat(second.of(Metric.ADAPTER_BYTES)).isZero();
      assertThat(second.of(Metric.ADAPTER_HITS)).isEqualTo(2);
      assertThat(second.of(Metric.ADAPTER_EVICTIONS)).isZero();
    }
  }

  @Test
  void continuationsCountPromptsAndEveryTokenThatGoesThroughTheModel(@TempDir Path folder) {
    DecoderFolder.of("llama", folder);
    EngineSpec spec =
        EngineSpec.of(
            folder.toString(),
            TextGeneration.AUTO.withMaxNewTokens(5).withEosTokenIds(List.of()),
            DecoderFolder.adapters("llama"));
    List<Request> requests =
        List.of(Request.of("t20 t30 t40", "lora"), Request.of("t20 t30"), Request.of("t9", "no"));
    try (Engine engine = Engine.load(spec)) {
      Counted counted = Counted.of(engine, requests);
      long tokens = 0;
      for (Result result : counted.results.subList(0, 2)) {
        Generation made = (Generation) result.prediction();
        tokens += made.promptTokens() + made.generatedTokens() - 1; // the last goes nowhere
      }
      assertThat(counted.of(Metric.TOKENS)).isEqualTo(tokens).isEqualTo(7 + 6);
      assertThat(counted.of(Metric.SCORED)).isEqualTo(2);
      assertThat(counted.of(Metric.FORWARDS)).isEqualTo(5);
      assertThat(counted.of(Metric.FORWARDS_BASE)).isEqualTo(5);
      assertThat(counted.of(Metric.FORWARDS_ADDED)).isEqualTo(5);
      assertThat(counted.of(Metric.PADDING_TOKENS)).isZero();
      assertThat(counted.sets.sets())
          .extracting(each -> each.set() + " " + each.use().rows())
          .containsExactly("lora 1", "__base__ 1");
    }
  }

  @Test
  void manySetsTakeBoundedMemoryAndNothingIsLostOfTheSums() {
    SetUses uses = new SetUses(50);
    Random random = new Random(3);
    long rows = 0;
    long tokens = 0;
    for (int i = 0; i < 20_000; i++) {
      Use use = new Use(1, 1, 1 + random.nextInt(9), 10, Set.of(i % 2 == 0 ? "base" : "added"));
      uses.add("a" + random.nextInt(5_000), use);
      uses.add("large", new Use(1, 1, 20, 10, Set.of("added")));
      rows += 2;
      tokens += use.tokens() + 20;
    }
    List<SetUses.OfSet> sets = uses.sets();
    assertThat(sets).hasSizeBetween(50, 99);
    assertThat(sets.get(0).set()).isEqualTo("large");
    assertThat(sets.get(0).use())
        .isEqualTo(new Use(20_000, 20_000, 400_000, 200_000, Set.of("added")));
    Use all = sets.stream().map(SetUses.OfSet::use).reduce(uses.others(), Use::plus);
    assertThat(all.rows()).isEqualTo(rows);
    assertThat(all.tokens()).isEqualTo(tokens);

    SetUses both = new SetUses(50);
    both.add(uses);
    both.add(uses);
    Use twice = both.sets().stream().map(SetUses.OfSet::use).reduce(both.others(), Use::plus);
    assertThat(twice.rows()).isEqualTo(2 * rows);
  }

  @Test
  void whatIsTakenOutIsNotTakenOutAgain() {
    Meter meter = new Meter();
    for (int i = 0; i < 10; i++) {
      meter.pass(List.of(new Meter.Part("a", Planner.Mode.ADDED, 3)), 0, 1_250_000);
      Map<Metric, Long> once = new EnumMap<>(Metric.class);
      meter.drain(once::put, new SetUses(1));
      assertThat(once.get(Metric.TOKENS)).isEqualTo(3);
      assertThat(once.get(Metric.FORWARD_MS)).isEqualTo(i % 4 == 3 ? 2 : 1); // nothing is lost
    }
    Map<Metric, Long> rest = new EnumMap<>(Metric.class);
    SetUses sets = new SetUses(1);
    meter.drain(rest::put, sets);
    assertThat(rest).isEmpty();
    assertThat(sets.isEmpty()).isTrue();
  }
}
