package dev.medley.job.bench;

import dev.medley.engine.Merging;
import dev.medley.job.bench.PeftEncoder.Way;
import java.util.List;

/** What is compared before anything is timed. */
final class Comparison {
  private static final int ROWS = 64;

  /** Less than that, and an adapter might as well not have been applied. */
  private static final double MOVES = 1e-2;

  private Comparison() {}

  /** The same rows by the engine's own choice, and unmerged; PEFT's where there is one. */
  static void check(Workbench bench, String name, Rows chunk, Way way) {
    Rows rows = chunk.first(bench.settings().quick() ? ROWS / 4 : ROWS);
    try (Part auto = Part.of(bench, name, List.of(rows));
        Part never =
            Part.of(
                bench,
                name,
                List.of(rows),
                spec -> spec.with(spec.merging().with(Merging.Mode.NEVER)))) {
      Scored ours = EngineSide.run(auto.engine(), rows);
      ours.checkedAgainst(EngineSide.run(never.engine(), rows), name + ", merged and not");
      double moved = ours.difference(EngineSide.run(auto.engine(), rows.underBase()));
      if (rows.sets().get(0) != null && moved < MOVES) {
        throw new IllegalStateException(name + ": the adapters change nothing");
      }
      if (way != null && bench.hasPeft()) {
        ours.checkedAgainst(bench.peft().run(way, rows), name + ", ours and PEFT's");
      }
    }
  }
}
