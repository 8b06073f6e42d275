package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.adapter.Work;
import dev.medley.engine.Planner.Mode;
import dev.medley.engine.Planner.Run;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlannerTest {
  /** One map of 100 × 100: a token's share costs 1 s, merging 64 s, a product apart 10 s. */
  private static final CostModel COST = new CostModel(0, 10 / 1e4, 1 / 1e3, 0, 0, 64 / 1e4);

  private static final Work WORK = new Work(1, 1e3, 0, 1e4);

  @ParameterizedTest
  @CsvSource({
    // tokens, batches, alone, mode, memory of numbers, expected
    "10, 1, true, AUTO, 10000, ADDED",
    "63, 1, true, AUTO, 10000, ADDED",
    "64, 1, true, AUTO, 10000, ADDED",
    "65, 1, true, AUTO, 10000, SCRATCH",
    "74, 1, false, AUTO, 10000, ADDED",
    "75, 1, false, AUTO, 10000, SCRATCH",
    "65, 2, true, AUTO, 10000, MERGED",
    "64, 2, true, AUTO, 10000, ADDED",
    "127, 2, true, AUTO, 9999, ADDED",
    "129, 2, true, AUTO, 9999, SCRATCH",
    "9000, 9, true, AUTO, 0, SCRATCH",
    "9000, 9, true, NEVER, 10000, ADDED",
    "1, 1, false, LAYER, 10000, SCRATCH",
    "9000, 9, true, LAYER, 10000, SCRATCH",
    "1, 1, false, RUN, 10000, SCRATCH",
    "2, 2, true, RUN, 10000, MERGED",
    "2, 2, true, RUN, 9999, SCRATCH",
  })
  void cheapestWayThatIsAllowed(
      long tokens, int batches, boolean alone, Merging.Mode asked, long numbers, Mode expected) {
    Planner planner = new Planner(new Merging(asked, 4 * numbers), 4, () -> COST);

    assertThat(planner.mode(WORK, new Run(tokens, batches, alone))).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "BASE, 100, 4, true, 0",
    "ADDED, 100, 4, true, 100",
    "ADDED, 100, 4, false, 100",
    "MERGED, 100, 4, true, 64",
    "SCRATCH, 100, 4, true, 256",
    "SCRATCH, 100, 1, false, 74",
  })
  void costOfARun(Mode mode, long tokens, int batches, boolean alone, double seconds) {
    Planner planner = new Planner(Merging.AUTO, 4, () -> COST);

    assertThat(planner.seconds(mode, WORK, new Run(tokens, batches, alone))).isEqualTo(seconds);
  }

  @ParameterizedTest
  @CsvSource({"AUTO", "RUN", "LAYER", "NEVER"})
  void whatChangesNoLinearMapIsNeverMerged(Merging.Mode asked) {
    Planner planner =
        new Planner(
            Merging.AUTO.with(asked),
            4,
            () -> {
              throw new AssertionError("nothing is measured for it");
            });

    assertThat(planner.mode(Work.NONE, new Run(1 << 20, 9, true))).isEqualTo(Mode.ADDED);
  }
}
