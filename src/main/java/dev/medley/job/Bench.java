package dev.medley.job;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextGeneration;
import dev.medley.job.BenchFolder.Shape;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Times generation, ours and PEFT's in turn, on one random model. */
@Command(
    name = "bench",
    description = "Times generation under many adapters, and PEFT's beside it where it is given.")
final class Bench implements Callable<Integer> {
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

  /** Who runs what: ours or PEFT's way, and each row's adapter. */
  private record Side(String name, String way, List<String> adapterOf) {}

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    int threads = threads();
    Path path = Files.createTempDirectory("medley-bench");
    try {
      Shape shape = quick ? Shape.TINY : Shape.SMALL;
      BenchFolder folder = BenchFolder.write(path, shape, adapters, rows);
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
          threads);
      out.flush();
      run(folder, threads, out);
    } finally {
      delete(path);
    }
    return Medley.OK;
  }

  /** As libtorch has it, on both sides. */
  private static int threads() {
    String set = System.getenv("OMP_NUM_THREADS");
    return set == null ? Runtime.getRuntime().availableProcessors() : Integer.parseInt(set);
  }

  private void run(BenchFolder folder, int threads, PrintWriter out) throws IOException {
    List<String> none = List.of();
    List<String> one = IntStream.range(0, rows).mapToObj(i -> "a0").toList();
    List<String> all = IntStream.range(0, rows).mapToObj(i -> "a" + i % adapters).toList();
    List<Side> sides = new ArrayList<>();
    sides.add(new Side("base", null, none));
    sides.add(new Side("1 adapter", null, one));
    sides.add(new Side(adapters + " adapters", null, all));
    if (python != null) {
      sides.add(new Side("base, transformers", "base", none));
      sides.add(new Side("1 adapter, PEFT", "grouped", one));
      sides.add(new Side(adapters + " adapters, PEFT by adapter", "grouped", all));
      sides.add(new Side(adapters + " adapters, PEFT adapter_names", "mixed", all));
    }
    Map<String, List<Double>> seconds = new LinkedHashMap<>();
    Map<String, int[][]> tokens = new HashMap<>();
    try (Engine engine = Engine.load(engineSpec(folder));
        PeftSide peft = python == null ? null : PeftSide.start(python, folder.path(), threads)) {
      for (int run = 0; run <= runs; run++) { // the first warms up and is compared
        for (Side side : sides) {
          long start = System.nanoTime();
          double took;
          int[][] made;
          if (side.way == null) {
            made = ours(engine, folder, side);
            took = (System.nanoTime() - start) / 1e9;
          } else {
            PeftSide.Run theirs = peft.run(side.way, newTokens, side.adapterOf);
            made = theirs.tokens();
            took = theirs.seconds();
          }
          tokens.put(side.name, made);
          if (run > 0) {
            seconds.computeIfAbsent(side.name, name -> new ArrayList<>()).add(took);
          }
        }
      }
    }
    print(sides, seconds, tokens, out);
  }

  private EngineSpec engineSpec(BenchFolder folder) {
    Map<String, AdapterSource> sources = new HashMap<>();
    for (int i = 0; i < adapters; i++) {
      sources.put("a" + i, AdapterSource.of(folder.adapter(i)));
    }
    TextGeneration task =
        TextGeneration.AUTO.withMaxNewTokens(newTokens).withEosTokenIds(List.of());
    return EngineSpec.of(folder.path().toString(), task, sources)
        .with(new Batching(rows, 4096, 2048, 0, true))
        .with(Precision.of(dtype));
  }

  private int[][] ours(Engine engine, BenchFolder folder, Side side) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      String adapter = side.adapterOf.isEmpty() ? null : side.adapterOf.get(i);
      requests.add(Request.of(BenchFolder.text(folder.prompts().get(i)), adapter));
    }
    return engine.run(requests).stream()
        .map(Result::prediction)
        .map(prediction -> ((Generation) prediction).tokens())
        .toArray(int[][]::new);
  }

  private void print(
      List<Side> sides,
      Map<String, List<Double>> seconds,
      Map<String, int[][]> tokens,
      PrintWriter out) {
    Table table = new Table(34, 12, 12, 14, 20);
    table.row("", "tokens/s", "best", "x our base", "tokens as ours");
    double ofBase = rate(seconds.get("base"), false);
    for (Side side : sides) {
      double rate = rate(seconds.get(side.name), false);
      table.row(
          side.name,
          String.format(Locale.ROOT, "%.1f", rate),
          String.format(Locale.ROOT, "%.1f", rate(seconds.get(side.name), true)),
          String.format(Locale.ROOT, "%.3f", rate / ofBase),
          side.way == null ? "" : agreement(tokens.get(side.name), tokens.get(sameAs(side))));
    }
    out.print(table);
    out.flush();
  }

  private String sameAs(Side side) {
    return side.adapterOf.isEmpty()
        ? "base"
        : side.adapterOf.stream().distinct().count() == 1 && adapters > 1
            ? "1 adapter"
            : adapters + " adapters";
  }

  private double rate(List<Double> seconds, boolean best) {
    double[] sorted = seconds.stream().mapToDouble(s -> s).sorted().toArray();
    return rows * newTokens / (best ? sorted[0] : sorted[sorted.length / 2]);
  }

  /** How many rows have the same tokens. */
  private static String agreement(int[][] theirs, int[][] ours) {
    long same =
        IntStream.range(0, ours.length).filter(i -> Arrays.equals(ours[i], theirs[i])).count();
    return same + " of " + ours.length + " rows";
  }

  private static void delete(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
