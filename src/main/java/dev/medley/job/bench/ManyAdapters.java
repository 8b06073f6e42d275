package dev.medley.job.bench;

import dev.medley.job.bench.PeftEncoder.Way;
import dev.medley.job.bench.Workbench.Side;
import java.util.ArrayList;
import java.util.List;

/**
 * S3 and S4: rows of equal length under many adapters, sorted, and interleaved as S6 has them.
 *
 * @param adapters how many
 * @param least of the base's rate
 * @param figure that says so
 * @param mixes whether PEFT runs it by adapter_names
 */
record ManyAdapters(
    Job job, Job interleaved, int adapters, double least, String figure, boolean mixes)
    implements Scenario {
  @Override
  public List<String> names() {
    return List.of(job.name(), "S6", figure, "P4", "P5");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    String id = job.name();
    List<Rows> sorted = job.chunks(bench);
    List<Rows> mixed = interleaved.chunks(bench);
    Comparison.check(bench, id, sorted.get(0), mixes ? Way.MIXED : Way.GROUPED);
    Comparison.check(bench, id + " interleaved", mixed.get(0), null);
    try (Part base = Part.base(bench, sorted);
        Part part = Part.of(bench, adapters + " adapters", sorted);
        Part window = Part.of(bench, adapters + " adapters, interleaved", mixed)) {
      List<Side> sides = new ArrayList<>(List.of(base.side(), part.side(), window.windowed()));
      if (mixes && bench.hasPeft()) {
        sides.add(PeftEncoder.side(bench, Way.MIXED, "PEFT, adapter_names", sorted));
      }
      List<Samples> all = bench.time(sorted.size(), sides);
      List<Figure> figures = new ArrayList<>();
      String what = id + " " + adapters + " adapters : ";
      figures.add(Figure.ratio(figure, what + "base", least, all.get(1), all.get(0)));
      figures.add(
          Figure.ratio("P4", "S6 " + id + " interleaved : sorted", 0.98, all.get(2), all.get(1)));
      if (mixes) {
        String names = what + "PEFT, adapter_names";
        figures.add(
            bench.hasPeft()
                ? Figure.ratio("P5", names, 1.4, all.get(1), all.get(3))
                : Figure.noPeft("P5", names));
      }
      return figures;
    }
  }
}
