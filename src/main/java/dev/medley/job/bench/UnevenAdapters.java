package dev.medley.job.bench;

import java.util.List;

/** S5, and 2048 adapters. */
record UnevenAdapters() implements Scenario {
  @Override
  public List<String> names() {
    return List.of("S5", "P3");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Rows> zipf = Job.S5.chunks(bench);
    List<Rows> most = Job.MOST.chunks(bench);
    Comparison.check(bench, "S5", zipf.get(zipf.size() - 1), null);
    Comparison.check(bench, "2048 adapters", most.get(0), null);
    try (Part base = Part.base(bench, most);
        Part uneven = Part.of(bench, "512 adapters, Zipf", zipf);
        Part even = Part.of(bench, "2048 adapters", most)) {
      List<Samples> all = bench.time(zipf.size(), base.side(), uneven.side(), even.side());
      return List.of(
          Figure.ratio("P3", "S5 512 adapters, Zipf 1.1 : base", 0.95, all.get(1), all.get(0)),
          Figure.ratioOfSums("P3", "S5, all runs together : base", 0.95, all.get(1), all.get(0)),
          Figure.ratio("P3", "2048 adapters : base", 0.9, all.get(2), all.get(0)));
    }
  }
}
