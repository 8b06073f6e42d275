package dev.medley.job.bench;

import dev.medley.job.bench.EncoderShape.Linear;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** P8: memory of an adapter that is cached, and the peak of a job over the base's. */
record AdapterMemory() implements Scenario {
  private static final double MIB = 1 << 20;

  @Override
  public List<String> names() {
    return List.of("P8");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    if (!Files.exists(Path.of("/proc/self/status"))) {
      return List.of(Figure.of("P8", "memory", "needs Linux"));
    }
    int adapters = bench.settings().quick() ? 32 : 256;
    double file = bench.adapters().bytes("lora0");
    double scratch = 4.0 * layerWeights(bench.shape());
    return List.of(
        Figure.atMost(
            "P8",
            "memory of a cached adapter : its file",
            1.1,
            bytes(bench, "each", adapters) / file,
            2,
            "x"),
        Figure.atMost(
            "P8",
            "S4 peak over base, adapter-memory 32 MiB, merge-memory 0",
            (MemoryProbe.BUDGET + scratch) / MIB,
            bytes(bench, "peak", adapters) / MIB,
            1,
            "MiB"));
  }

  /** What the other measures leaves free would be taken for its own, so each has a JVM. */
  private static double bytes(Workbench bench, String what, int adapters) {
    try (LineProcess probe =
        ChildJvm.start(
            MemoryProbe.class,
            List.of("-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch"),
            bench.settings().model().toString(),
            bench.settings().work().toString(),
            what,
            "" + adapters,
            "" + bench.settings().chunkRows())) {
      return probe.ready().get("bytes").asDouble();
    }
  }

  private static double layerWeights(EncoderShape shape) {
    return shape.linears().stream()
        .filter(linear -> linear.name().startsWith("encoder.layer.0."))
        .mapToDouble((Linear linear) -> (double) linear.in() * linear.out())
        .sum();
  }
}
