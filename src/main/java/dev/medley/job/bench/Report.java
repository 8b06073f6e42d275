package dev.medley.job.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.medley.job.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * What the benchmark found.
 *
 * @param model its folder's name
 * @param linearFlops of the base's linear layers for one token
 */
record Report(
    Machine machine,
    String model,
    int chunkRows,
    int chunks,
    double linearFlops,
    List<Figure> figures) {
  /** Figures by their numbers, those without one last; as they come where those are equal. */
  Report {
    figures = figures.stream().sorted((a, b) -> Integer.compare(order(a), order(b))).toList();
  }

  private static int order(Figure figure) {
    return figure.id().startsWith("P")
        ? Integer.parseInt(figure.id().substring(1))
        : 100 + Integer.parseInt(figure.id().substring(1));
  }

  /**
   * Share of the machine's peak that our side's linear layers reach.
   *
   * @return NaN where that says nothing
   */
  double ofPeak(Figure figure) {
    return figure.ours() == null || figure.ours().tokenRate() == 0
        ? Double.NaN
        : figure.ours().tokenRate() * linearFlops / machine.gemm();
  }

  /** One table, and below it what it was measured on. */
  @Override
  public String toString() {
    Table table = new Table(3, 34, 22, 11, 3, 15, 8, 15, 8, 5);
    table.row(
        "",
        "OURS : AGAINST",
        "REACHED",
        "TARGET",
        "MET",
        "OURS rows/s",
        "CPU ms",
        "ITS rows/s",
        "CPU ms",
        "PEAK");
    for (Figure figure : figures) {
      double share = ofPeak(figure);
      table.row(
          figure.id(),
          figure.what(),
          figure.reached(),
          figure.target(),
          figure.met() == null ? "" : figure.met() ? "yes" : "no",
          rates(figure.ours()),
          cpu(figure.ours()),
          rates(figure.against()),
          cpu(figure.against()),
          Double.isNaN(share) ? "" : String.format(Locale.ROOT, "%.0f %%", 100 * share));
    }
    return table
        + "\nREACHED is the median of ratios of neighbouring runs; rows/s are medians, and in"
        + " parentheses the least;\nCPU is a row's, of all threads; PEAK is what the base's linear"
        + " layers alone reach of a large product.\n"
        + String.format(
            Locale.ROOT,
            "%s, %d runs of about %d rows of %d tokens\n",
            model,
            chunks,
            chunkRows,
            Job.TOKENS)
        + machine
        + "\n";
  }

  private static String rates(Samples samples) {
    return samples == null ? "" : samples.rates();
  }

  private static String cpu(Samples samples) {
    return samples == null ? "" : String.format(Locale.ROOT, "%.1f", samples.cpuMillis());
  }

  /** All of it, every sample included. */
  void write(Path json) throws IOException {
    new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(json.toFile(), this);
  }
}
