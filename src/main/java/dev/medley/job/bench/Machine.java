package dev.medley.job.bench;

import ai.djl.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Where figures come from.
 *
 * @param threads of libtorch for one operation
 * @param gemm floating-point operations a second of a large fp32 product on all threads
 * @param python versions of PEFT's side; null for none
 */
record Machine(
    String cpu, int cores, int threads, String java, String libtorch, double gemm, String python) {
  static Machine of(Workbench bench) {
    return new Machine(
        cpuModel(),
        Runtime.getRuntime().availableProcessors(),
        Workbench.threads(),
        Runtime.version().toString(),
        Engine.getEngine("PyTorch").getVersion(),
        bench.peak().flops(),
        bench.hasPeft() ? bench.peft().versions() : null);
  }

  private static String cpuModel() {
    try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.replaceFirst(".*: *", ""))
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) { // not Linux
      return System.getProperty("os.arch");
    }
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s, %d cores; %d threads; Java %s; libtorch %s; fp32 product of 2048 x 2048: %.0f GFLOP/s%s",
        cpu,
        cores,
        threads,
        java,
        libtorch,
        gemm / 1e9,
        python == null ? "" : "; PEFT's side: " + python);
  }
}
