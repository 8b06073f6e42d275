package dev.medley.job.bench;

import dev.medley.engine.Merging.Mode;
import dev.medley.job.bench.Workbench.Side;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * P9: how sets are applied, by the engine's own choice and by each fixed one, in every scenario.
 */
record PlannerChoice() implements Scenario {
  private static final List<Job> JOBS =
      List.of(Job.S1, Job.S2, Job.S3, Job.S4, Job.S5, Job.MOST, Job.S6_OF_S4, Job.S7);

  /** Where there is no time for more. */
  private static final List<Job> FEW = List.of(Job.S1, Job.S4, Job.S7);

  private static final int ROUNDS = 3;

  @Override
  public List<String> names() {
    return List.of("P9");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Job> jobs = bench.settings().quick() ? FEW : JOBS;
    return jobs.stream().map(job -> figure(bench, job)).toList();
  }

  /** All modes on one chunk, whose adapters are in memory; their numbers are compared first. */
  private static Figure figure(Workbench bench, Job job) {
    List<Rows> chunk = job.chunks(bench, bench.settings().chunkRows() / 4, 1);
    List<Part> parts = new ArrayList<>();
    try {
      Scored expected = null;
      for (Mode mode : Mode.values()) {
        Part part =
            Part.of(
                bench,
                mode.name().toLowerCase(Locale.ROOT),
                chunk,
                spec -> spec.with(spec.merging().with(mode)));
        parts.add(part);
        Scored scored = EngineSide.run(part.engine(), chunk.get(0));
        expected = expected == null ? scored : expected;
        scored.checkedAgainst(expected, job.name() + ", " + part.name() + " and auto");
      }
      List<Side> sides =
          parts.stream()
              .map(part -> new Side(part.name(), round -> part.side().chunk().apply(0)))
              .toList();
      List<Samples> all = bench.time(ROUNDS, sides);
      Samples auto = all.get(0);
      Samples best =
          IntStream.range(1, all.size())
              .mapToObj(all::get)
              .max(Comparator.comparingDouble(samples -> samples.ratio(auto)))
              .orElseThrow();
      return Figure.ratio(
          "P9", job.name() + " auto : best fixed, " + best.side(), 0.95, auto, best);
    } finally {
      parts.forEach(Part::close);
    }
  }
}
