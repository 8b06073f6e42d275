package dev.medley.job.bench;

import dev.medley.job.Table;
import dev.medley.job.bench.DecoderFolder.Shape;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Times generation, ours and PEFT's in turn, on one random model. */
@Command(
    name = "generation",
    description = "Times generation under many adapters, and PEFT's beside it where it is given.")
final class GenerationCommand implements Callable<Integer> {
  @Option(
      names = "--peft",
      paramLabel = "PYTHON",
      description = "A Python with torch, transformers and peft; without one only we are timed.")
  private String python;

  @Option(names = "--quick", description = "A model of 5 million parameters in place of 100.")
  private boolean quick;

  @Option(names = "--runs", defaultValue = "5", description = "Of each side (${DEFAULT-VALUE}).")
  private int runs;

  @Option(names = "--rows", defaultValue = "64", description = "Prompts (${DEFAULT-VALUE}).")
  private int rows;

  @Option(
      names = "--new-tokens",
      defaultValue = "48",
      description = "Of each prompt (${DEFAULT-VALUE}).")
  private int newTokens;

  @Option(
      names = "--adapters",
      defaultValue = "16",
      description = "In the running batch (${DEFAULT-VALUE}).")
  private int adapters;

  @Option(
      names = "--dtype",
      defaultValue = "float32",
      description = "Of our side: float32, bfloat16 or float16 (${DEFAULT-VALUE}).")
  private String dtype;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    Path path = Files.createTempDirectory("medley-bench");
    try {
      Shape shape = quick ? Shape.TINY : Shape.SMALL;
      DecoderFolder folder = DecoderFolder.write(path, shape, adapters, rows);
      out.printf(
          Locale.ROOT,
          "Llama of %.0f M parameters, %s; %d prompts, %d new tokens each; %d LoRA adapters of"
              + " rank %d on all linear layers; %d threads%n",
          shape.parameters() / 1e6,
          dtype,
          rows,
          newTokens,
          adapters,
          shape.rank(),
          Workbench.threads());
      out.flush();
      GenerationBench bench =
          new GenerationBench(folder, python, Precision.of(dtype), rows, newTokens, adapters);
      print(bench.run(runs), out);
    } finally {
      WorkFolder.delete(path);
    }
    return CommandLine.ExitCode.OK;
  }

  private void print(List<GenerationBench.Side> sides, PrintWriter out) {
    Table table = new Table(34, 12, 12, 14, 20);
    table.row("", "tokens/s", "best", "x our base", "tokens as ours");
    double ofBase = sides.get(0).samples().rate();
    for (GenerationBench.Side side : sides) {
      double rate = side.samples().rate();
      table.row(
          side.name(),
          String.format(Locale.ROOT, "%.1f", rate * newTokens),
          String.format(Locale.ROOT, "%.1f", side.samples().bestRate() * newTokens),
          String.format(Locale.ROOT, "%.3f", rate / ofBase),
          side.way() == null ? "" : agreement(side, sides));
    }
    out.print(table);
    out.flush();
  }

  private String agreement(GenerationBench.Side side, List<GenerationBench.Side> sides) {
    return sides.stream()
            .filter(ours -> ours.name().equals(side.sameAs()))
            .mapToLong(side::agreement)
            .sum()
        + " of "
        + rows
        + " rows";
  }
}
