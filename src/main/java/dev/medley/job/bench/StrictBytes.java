package dev.medley.job.bench;

import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec.Extra;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * D1: what {@code deterministic} costs, and how many rows have other bytes alone than among others,
 * with it and without.
 */
record StrictBytes() implements Scenario {
  private static final int ROUNDS = 3;

  @Override
  public List<String> names() {
    return List.of("D1");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Figure> figures = new ArrayList<>();
    for (Job job : List.of(Job.S1, Job.S3)) {
      List<Rows> chunks = job.chunks(bench, bench.settings().chunkRows() / 4, ROUNDS);
      try (Part loose = Part.of(bench, "as it comes", chunks);
          Part strict =
              Part.of(bench, "deterministic", chunks, spec -> spec.with(Extra.DETERMINISTIC))) {
        loose.side().chunk().apply(0);
        strict.side().chunk().apply(0);
        List<Samples> all = bench.time(ROUNDS, strict.side(), loose.side());
        figures.add(
            Figure.ratio("D1", job.name() + " deterministic : otherwise", all.get(0), all.get(1)));
        figures.add(differing(job.name() + " otherwise", loose.engine(), chunks.get(0)));
        figures.add(differing(job.name() + " deterministic", strict.engine(), chunks.get(0)));
      }
    }
    return figures;
  }

  private static Figure differing(String what, Engine engine, Rows rows) {
    Rows some = rows.first(64);
    float[][] together = EngineSide.run(engine, rows).vectors();
    int other = 0;
    for (int i = 0; i < some.size(); i++) {
      Rows one =
          new Rows(
              List.of(some.texts().get(i)),
              new int[] {some.lengths()[i]},
              Arrays.asList(some.sets().get(i)));
      other += Arrays.equals(EngineSide.run(engine, one).vectors()[0], together[i]) ? 0 : 1;
    }
    return Figure.of(
        "D1",
        what + ", rows alone",
        String.format(Locale.ROOT, "%d of %d differ", other, some.size()));
  }
}
