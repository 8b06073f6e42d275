package dev.medley.job.bench;

import dev.medley.job.bench.EncoderShape.Linear;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * P8: memory of an adapter that is cached, and the peak of a job over the base's.
 *
 * <p>glibc's malloc keeps tens of MiB that were freed, more of them where small and large blocks
 * were in use side by side. So the peak is taken in a process whose large blocks go back to the
 * system when they are freed, which shows what is in use, and again as everybody's.
 */
record AdapterMemory() implements Scenario {
  private static final Map<String, String> GIVES_BACK =
      Map.of("MALLOC_MMAP_THRESHOLD_", "" + (1 << 20));

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
            bytes(bench, Map.of(), "each", adapters) / file,
            2,
            "x"),
        Figure.atMost(
            "P8",
            "S4 peak over base, adapter-memory 32 MiB, merge-memory 0",
            (MemoryProbe.BUDGET + scratch) / MIB,
            bytes(bench, GIVES_BACK, "peak", adapters) / MIB,
            1,
            "MiB"),
        Figure.of(
            "P8",
            "the same with what malloc keeps",
            String.format(
                Locale.ROOT, "%.1f MiB", bytes(bench, Map.of(), "peak", adapters) / MIB)));
  }

  /** What the other measures leaves free would be taken for its own, so each has a JVM. */
  private static double bytes(
      Workbench bench, Map<String, String> environment, String what, int adapters) {
    try (LineProcess probe =
        ChildJvm.start(
            MemoryProbe.class,
            environment,
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
