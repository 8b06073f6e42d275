package dev.medley.job.bench;

import dev.medley.job.bench.PeftEncoder.Way;
import dev.medley.job.bench.Workbench.Side;
import java.util.ArrayList;
import java.util.List;

/** Rows of log-normal length: S0, and S4 as S6 has it. */
record MixedLengths() implements Scenario {
  @Override
  public List<String> names() {
    return List.of("S0", "S6", "P1");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Rows> rows =
        Job.S6_OF_S4.chunks(bench).stream()
            .map(constant -> bench.mixedRows(constant.size(), constant.sets()))
            .toList();
    List<Rows> bases = rows.stream().map(Rows::underBase).toList();
    Comparison.check(bench, "S0, log-normal", bases.get(0), Way.BASE);
    Comparison.check(bench, "S6, log-normal", rows.get(0), null);
    try (Part base = Part.of(bench, "base, log-normal", bases);
        Part many = Part.of(bench, "512 adapters, log-normal", rows)) {
      List<Side> sides = new ArrayList<>(List.of(base.side(), many.windowed()));
      if (bench.hasPeft()) {
        sides.add(PeftEncoder.side(bench, Way.BASE, "transformers, log-normal", bases));
      }
      List<Samples> all = bench.time(rows.size(), sides);
      List<Figure> figures = new ArrayList<>();
      String noAdapter = "S0 log-normal lengths : transformers";
      figures.add(
          bench.hasPeft()
              ? Figure.ratio("P1", noAdapter, 1.1, all.get(0), all.get(2))
              : Figure.noPeft("P1", noAdapter));
      figures.add(
          Figure.ratio("S6", "S4 interleaved, log-normal lengths : base", all.get(1), all.get(0)));
      return figures;
    }
  }
}
