package dev.medley.job.bench;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * P6 and P7: thousands of adapters are registered, of which a few hundred are used, each loaded
 * once; and S8, where few of those may stay in memory.
 */
record AdapterLoads() implements Scenario {
  /** Of each group of loads that are compared. */
  private static final int GROUP = 32;

  private static final int CACHED = 32;
  private static final int ROUNDS = 3;
  private static final long MOST_BYTES = 1L << 30;
  private static final long HEAP = 64L << 20;

  @Override
  public List<String> names() {
    return List.of("P6", "P7", "S8");
  }

  private static int registered(Workbench bench) {
    return bench.settings().quick() ? 1000 : 10_000;
  }

  private static int used(Workbench bench) {
    long room = MOST_BYTES / bench.adapters().bytes("lora0");
    return (int) Math.min(room, bench.settings().quick() ? 64 : 512);
  }

  @Override
  public List<Figure> run(Workbench bench) {
    EngineSpec spec = spec(bench);
    List<Figure> figures = new ArrayList<>();
    bench.engine(bench.spec(List.of("lora0"))).close(); // the base is there, and classes are loaded
    long heap = heap();
    long read = bytesRead();
    long start = System.nanoTime();
    try (Engine engine = bench.engine(spec)) {
      double seconds = (System.nanoTime() - start) / 1e9;
      long bytes = bytesRead() - read;
      long grown = heap() - heap;
      String registered = String.format(Locale.ROOT, "%,d registered: ", spec.adapters().size());
      figures.add(Figure.atMost("P7", registered + "seconds", 1, seconds, 2, "s"));
      figures.add(
          Figure.atMost("P7", registered + "heap", HEAP / 1048576.0, grown / 1048576.0, 1, "MiB"));
      long each = bytes / spec.adapters().size();
      long file = bench.adapters().bytes("lora0");
      figures.add(
          new Figure(
              "P7",
              registered + "bytes read of each",
              String.format(Locale.ROOT, "%,d", each),
              String.format(Locale.ROOT, "no weight of %,d", file),
              engine.adapterLoads() == 0 && each < file / 10,
              null,
              null));
      loads(bench, engine, file, figures);
    }
    figures.addAll(peft(bench));
    figures.add(smallCache(bench, spec));
    return figures;
  }

  /** Those that are used have weights of their own, the others none. */
  private static EngineSpec spec(Workbench bench) {
    Map<String, AdapterSource> sources =
        new HashMap<>(
            bench
                .spec(IntStream.range(0, used(bench)).mapToObj(i -> "lora" + i).toList())
                .adapters());
    for (int i = sources.size(); i < registered(bench); i++) {
      String name = "unused" + i;
      sources.put(name, AdapterSource.of(bench.adapters().hollow(name).toString()));
    }
    EngineSpec spec = bench.spec(List.of());
    return spec.with(spec.base(), sources);
  }

  /** One short row for each adapter, and the same again when it is in memory. */
  private static void loads(Workbench bench, Engine engine, long file, List<Figure> figures) {
    int used = used(bench);
    double[] millis = new double[used];
    double all = 0;
    for (int i = 0; i < used; i++) {
      Rows row = bench.shortRows(List.of("lora" + i));
      double first = EngineSide.run(engine, row).sample().seconds();
      double again = EngineSide.run(engine, row).sample().seconds();
      millis[i] = 1e3 * (first - again);
      all += first;
    }
    String size = String.format(Locale.ROOT, "load of %.1f MB, ", file / 1e6);
    double early = Samples.median(Arrays.copyOf(millis, GROUP));
    double late = Samples.median(Arrays.copyOfRange(millis, used - GROUP, used));
    figures.add(Figure.atMost("P6", size + "few loaded", 5, early, 2, "ms"));
    figures.add(Figure.atMost("P6", size + (used - GROUP) + " loaded", 5, late, 2, "ms"));
    figures.add(Figure.atMost("P6", used + " loads", 3, Arrays.stream(millis).sum() / 1e3, 2, "s"));
    figures.add(
        Figure.of(
            "P6",
            used + " loads and short rows, one by one",
            String.format(Locale.ROOT, "%.2f s", all)));
  }

  /** PEFT's load_adapter, which grows with what is loaded already. */
  private static List<Figure> peft(Workbench bench) {
    String what = "PEFT load_adapter, ";
    if (!bench.hasPeft()) {
      return List.of(Figure.noPeft("P6", what + "8 loaded"));
    }
    int last = bench.settings().quick() ? 16 : 64;
    double[] seconds =
        bench.peft().loadAnew(IntStream.range(0, last + 1).mapToObj(i -> "lora" + i).toList());
    return IntStream.of(8, last)
        .mapToObj(
            loaded ->
                Figure.of(
                    "P6",
                    what + loaded + " loaded",
                    String.format(Locale.ROOT, "%.1f ms", 1e3 * seconds[loaded])))
        .toList();
  }

  /** Interleaved rows of many adapters where 32 fit into memory. */
  private static Figure smallCache(Workbench bench, EngineSpec spec) {
    int rows = bench.settings().chunkRows();
    Job job = used(bench) < 512 ? Job.S6_OF_S3 : Job.S6_OF_S4; // what is registered
    List<Rows> chunks = job.chunks(bench, rows, ROUNDS);
    long memory = CACHED * bench.adapters().bytes("lora0");
    try (Part base = Part.base(bench, chunks);
        Engine engine = bench.engine(spec.withAdapterMemory(memory))) {
      EngineSide.run(base.engine(), chunks.get(0).underBase().first(GROUP));
      List<Samples> all =
          bench.time(
              ROUNDS,
              base.side(),
              new Workbench.Side(
                  "cache of " + CACHED, i -> EngineSide.run(engine, chunks.get(i)).sample()));
      int loads = engine.adapterLoads();
      long sets =
          chunks.stream().mapToLong(chunk -> chunk.sets().stream().distinct().count()).sum();
      return Figure.ratio(
          "S8",
          String.format(
              Locale.ROOT,
              "%,d registered, cache of %d, %d loads of %d : base",
              spec.adapters().size(),
              CACHED,
              loads,
              sets),
          all.get(1),
          all.get(0));
    }
  }

  private static long heap() {
    Runtime runtime = Runtime.getRuntime();
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 3; i++) {
      System.gc();
      least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
    }
    return least;
  }

  /** By this process so far, from files; 0 where the system does not say. */
  private static long bytesRead() {
    try {
      return Files.readAllLines(Path.of("/proc/self/io")).stream()
          .filter(line -> line.startsWith("rchar: "))
          .mapToLong(line -> Long.parseLong(line.substring(7)))
          .findFirst()
          .orElse(0);
    } catch (IOException e) { // not Linux
      return 0;
    }
  }
}
