package dev.medley.job.bench;

import dev.medley.job.bench.DecoderFolder.Shape;
import dev.medley.tensor.Precision;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** P12: texts under many adapters, against generate with adapter_names on the same batch. */
record GenerationFigure() implements Scenario {
  private static final int RUNS = 3;

  /** Share of rows: two tokens may be as likely as each other but for rounding. */
  private static final double SAME = 0.9;

  @Override
  public List<String> names() {
    return List.of("P12");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    boolean quick = bench.settings().quick();
    Shape shape = quick ? Shape.TINY : Shape.SMALL;
    int rows = quick ? 8 : 32;
    int newTokens = quick ? 8 : 16;
    int adapters = quick ? 4 : 16;
    Path path = bench.settings().work().resolve("decoder");
    DecoderFolder folder = DecoderFolder.write(path, shape, adapters, rows);
    GenerationBench generation =
        new GenerationBench(
            folder, bench.settings().python(), Precision.FLOAT32, rows, newTokens, adapters);
    String many = adapters + " adapters";
    List<GenerationBench.Side> sides =
        generation.run(RUNS, List.of("base", many, many + ", PEFT adapter_names"));
    String model =
        String.format(
            Locale.ROOT,
            "Llama of %.0f M, %s, %d tokens a row : ",
            shape.parameters() / 1e6,
            many,
            newTokens);
    Samples base = sides.get(0).samples();
    GenerationBench.Side ours = sides.get(1);
    Figure ofBase = Figure.ratio("P12", model + "base", ours.samples(), base);
    if (!bench.hasPeft()) {
      return List.of(Figure.noPeft("P12", model + "generate with PEFT"), ofBase);
    }
    GenerationBench.Side theirs = sides.get(2);
    long same = theirs.agreement(ours);
    if (same < SAME * rows) {
      throw new IllegalStateException(
          "expected the same tokens as PEFT's in nearly all of "
              + rows
              + " rows, found them in "
              + same);
    }
    return List.of(
        Figure.ratio("P12", model + "generate with PEFT", 1.5, ours.samples(), theirs.samples()),
        ofBase);
  }
}
