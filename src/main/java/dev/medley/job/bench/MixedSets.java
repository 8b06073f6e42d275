package dev.medley.job.bench;

import dev.medley.job.bench.PeftEncoder.Way;
import dev.medley.job.bench.Workbench.Side;
import java.util.ArrayList;
import java.util.List;

/** S7: sets of several types, OFT in the middle. */
record MixedSets() implements Scenario {
  @Override
  public List<String> names() {
    return List.of("S7", "P5");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Rows> sets = Job.S7.chunks(bench);
    int rows = bench.settings().chunkRows() / 2;
    List<Rows> fours = // each of one set
        Job.S7_OF_FOUR.chunks(bench, rows, sets.size()).stream()
            .map(two -> two.first(two.size() / 2))
            .toList();
    Comparison.check(bench, "S7", sets.get(0), Way.SETS);
    Comparison.check(bench, "S7, 4 types", fours.get(0), Way.SETS);
    try (Part base = Part.base(bench, sets);
        Part part = Part.of(bench, "64 mixed sets", sets);
        Part four = Part.of(bench, "sets of 4 types", fours)) {
      List<Side> sides = new ArrayList<>(List.of(base.side(), part.side(), four.side()));
      if (bench.hasPeft()) {
        sides.add(PeftEncoder.side(bench, Way.SETS, "PeftMixedModel", fours));
      }
      List<Samples> all = bench.time(sets.size(), sides);
      String what = "S7 sets of 4 types : PeftMixedModel";
      List<Figure> figures = new ArrayList<>();
      figures.add(
          bench.hasPeft()
              ? Figure.ratio("P5", what, 3, all.get(2), all.get(3))
              : Figure.noPeft("P5", what));
      figures.add(
          Figure.ratio("S7", "64 mixed sets of 2 to 4 types : base", all.get(1), all.get(0)));
      return figures;
    }
  }
}
