package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.medley.Fixtures;
import dev.medley.adapter.Work;
import dev.medley.engine.Forecast.Demand;
import dev.medley.engine.Forecast.OfSet;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.model.TextModel;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ForecastTest {
  /** One map of 100 × 100: a token's share costs 1 s, merging 64 s, a product apart 10 s. */
  private static final CostModel COST = new CostModel(0, 10 / 1e4, 1 / 1e3, 0, 0, 64 / 1e4);

  private static final Work WORK = new Work(1, 1e3, 0, 1e4);

  private static final Map<String, AdapterCheck> ADAPTERS =
      Map.of("a", adapter("a", 100), "b", adapter("b", 20));

  private static AdapterCheck adapter(String name, long bytes) {
    return new AdapterCheck(name, "LORA", "5", "value", bytes, WORK, List.of());
  }

  private static Demand demand(String set, long rows, long tokens, long runs) {
    return new Demand(AdapterRef.parse(List.of(set)), rows, tokens, runs);
  }

  private static Forecast forecast(
      Task task, Merging.Mode merging, long numbers, CostModel cost, Demand... demands) {
    EngineSpec spec =
        EngineSpec.of("base", task, Map.of())
            .with(new Batching(4, 100, 64, 0, true))
            .with(new Merging(merging, 4 * numbers));
    return Forecast.of(spec, ADAPTERS, 1e4, List.of(demands), () -> cost);
  }

  @ParameterizedTest
  @CsvSource({
    // set, rows, tokens, runs, merging, memory of numbers; batches, mode, seconds, bytes, merged
    "a, 1, 10, 1, AUTO, 10000, 1, added, 10, 100, 0",
    "a, 2, 50, 1, AUTO, 10000, 1, added, 50, 100, 0",
    "a, 2, 75, 1, AUTO, 10000, 1, merged per product, 64, 100, 0",
    "a, 8, 40, 1, AUTO, 10000, 2, added, 40, 100, 0",
    "a, 8, 200, 1, AUTO, 10000, 2, merged per run, 64, 100, 40000",
    "a, 8, 200, 1, AUTO, 9999, 2, merged per product, 128, 100, 0",
    "a, 16, 400, 2, AUTO, 10000, 4, merged per run, 128, 100, 40000",
    "a, 16, 400, 16, AUTO, 10000, 16, added, 400, 100, 0",
    "a, 8, 200, 1, NEVER, 10000, 2, added, 200, 100, 0",
    "a, 1, 10, 1, LAYER, 10000, 1, merged per product, 74, 100, 0",
    "0.5*a+b, 8, 40, 1, AUTO, 20000, 2, added, 80, 120, 0",
    "0.5*a+b, 8, 100, 1, AUTO, 20000, 2, merged per run, 128, 120, 80000",
    "a+a, 8, 40, 1, AUTO, 20000, 2, added, 80, 100, 0",
    "__base__, 9, 90, 1, AUTO, 10000, 3, base, 0, 0, 0",
  })
  void setIsScoredAsBatchesAndPlannerSay(
      String set,
      long rows,
      long tokens,
      long runs,
      Merging.Mode merging,
      long numbers,
      long batches,
      String mode,
      double seconds,
      long bytes,
      long merged) {
    Demand asked = demand(set, rows, tokens, runs);
    Demand other = demand("b", 1, 1, 1);

    assertThat(forecast(FeatureExtraction.AUTO, merging, numbers, COST, asked, other).sets().get(0))
        .isEqualTo(new OfSet(asked.set(), batches, mode, seconds, bytes, merged));
  }

  @Test
  void onlySetSharesNoBatch() {
    Demand only = demand("a", 1, 10, 1);
    assertThat(
            forecast(FeatureExtraction.AUTO, Merging.Mode.LAYER, 0, COST, only)
                .sets()
                .get(0)
                .seconds())
        .isEqualTo(64);
  }

  /**
   * Three batches of the base, and two halves and a fifth of one: 5 passes of 10 s, 0.02 s a token.
   */
  @Test
  void baseProductsAreOfAllTokensAndTheBatchesThatSetsFill() {
    CostModel cost = new CostModel(1e-6, 10 / 1e4, 0, 0, 0, 1);
    Forecast forecast =
        forecast(
            FeatureExtraction.AUTO,
            Merging.Mode.AUTO,
            0,
            cost,
            demand("__base__", 9, 90, 1),
            demand("a", 4, 8, 2),
            demand("b", 1, 30, 1));

    assertThat(forecast.batches()).isEqualTo(5);
    assertThat(forecast.seconds()).isCloseTo(50 + 0.02 * 128, within(1e-9));
  }

  @Test
  void nothingIsMeasuredForGeneration() {
    Demand demand = demand("a", 8, 200, 1);
    EngineSpec spec = EngineSpec.of("base", TextGeneration.AUTO, Map.of());
    Forecast forecast =
        Forecast.of(
            spec,
            ADAPTERS,
            1e4,
            List.of(demand),
            () -> {
              throw new AssertionError("nothing is measured for it");
            });

    assertThat(forecast)
        .isEqualTo(new Forecast(List.of(new OfSet(demand.set(), 0, null, 0, 100, 0)), 0, 0));
  }

  @Test
  void memberThatIsNotThereIsAnError() {
    Demand demand = demand("c", 8, 200, 1);
    assertThatThrownBy(() -> forecast(FeatureExtraction.AUTO, Merging.Mode.AUTO, 0, COST, demand))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("adapter: none is named c");
  }

  /** Three layers of four maps 28 × 28 and two of 28 × intermediate; the head is not among them. */
  @Test
  void numbersAreOfTheLinearMapsThatTheBaseRuns() {
    Location folder = Location.of(Fixtures.path("models/bert-sequence").toString());
    TextModel outline = TextModel.outline(Storage.standard(), folder, Head.NONE);
    assertThat(Forecast.numbers(outline.modules())).isEqualTo(3 * 28 * (4 * 28 + 2 * 37));
  }
}
