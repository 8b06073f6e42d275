package dev.medley.job.bench;

import dev.medley.job.bench.PeftEncoder.Way;
import dev.medley.job.bench.Workbench.Side;
import java.util.ArrayList;
import java.util.List;

/** S0, S1 and S2: rows of equal length under the base, one adapter and eight. */
record FewAdapters() implements Scenario {
  @Override
  public List<String> names() {
    return List.of("S0", "S1", "S2", "P1", "P2", "P5");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Rows> ones = Job.S1.chunks(bench);
    List<Rows> eights = Job.S2.chunks(bench);
    Comparison.check(bench, "S0", ones.get(0).underBase(), Way.BASE);
    Comparison.check(bench, "S1", ones.get(0), Way.GROUPED);
    Comparison.check(bench, "S2", eights.get(0), Way.GROUPED);
    try (Part base = Part.base(bench, ones);
        Part one = Part.of(bench, "1 adapter", ones);
        Part eight = Part.of(bench, "8 adapters", eights)) {
      List<Side> sides = new ArrayList<>(List.of(base.side(), one.side(), eight.side()));
      if (bench.hasPeft()) {
        List<Rows> bases = ones.stream().map(Rows::underBase).toList();
        sides.add(PeftEncoder.side(bench, Way.BASE, "transformers", bases));
        sides.add(PeftEncoder.side(bench, Way.GROUPED, "PEFT, 1 adapter", ones));
        sides.add(PeftEncoder.side(bench, Way.MERGED, "PEFT, 1 merged adapter", ones));
      }
      List<Samples> all = bench.time(ones.size(), sides);
      List<Figure> figures = new ArrayList<>();
      String noAdapter = "S0 no adapter : transformers";
      String unmerged = "S1 1 adapter : PEFT, set_adapter";
      if (bench.hasPeft()) {
        figures.add(Figure.ratio("P1", noAdapter, 1.1, all.get(0), all.get(3)));
        figures.add(Figure.ratio("P5", unmerged, 1.2, all.get(1), all.get(4)));
        figures.add(
            Figure.ratio("P5", "S1 1 adapter : PEFT, merge_adapter", all.get(1), all.get(5)));
      } else {
        figures.add(Figure.noPeft("P1", noAdapter));
        figures.add(Figure.noPeft("P5", unmerged));
      }
      figures.add(Figure.ratio("P2", "S1 1 adapter : base", 0.98, all.get(1), all.get(0)));
      figures.add(Figure.ratio("P2", "S2 8 adapters : base", 0.98, all.get(2), all.get(0)));
      return figures;
    }
  }
}
