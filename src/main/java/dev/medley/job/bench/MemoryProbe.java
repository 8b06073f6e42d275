package dev.medley.job.bench;

import dev.medley.engine.Engine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

/**
 * Measures P8 in a JVM whose whole heap is in memory from the start, so that what grows is not
 * Java's: memory of each cached adapter, and the peak of a job over that of the base alone.
 */
final class MemoryProbe {
  /** Adapters in memory before it is measured. */
  private static final int FIRST = 16;

  /** What adapters may take in the job whose peak is measured. */
  static final long BUDGET = 32L << 20;

  private MemoryProbe() {}

  /** MODEL WORK each|peak ADAPTERS ROWS; answers one line with the bytes. */
  public static void main(String[] args) throws IOException {
    int adapters = Integer.parseInt(args[3]);
    int rows = Integer.parseInt(args[4]);
    Settings settings = new Settings(Path.of(args[0]), Path.of(args[1]), null, rows, 2, false);
    try (Workbench bench = new Workbench(settings)) {
      long bytes = args[2].equals("each") ? each(bench, adapters) : peak(bench);
      System.out.println(LineProcess.JSON.createObjectNode().put("bytes", bytes).toString());
    }
  }

  /** Growth by so many more adapters that stay. */
  private static long each(Workbench bench, int adapters) {
    List<String> names = IntStream.range(0, FIRST + adapters).mapToObj(i -> "lora" + i).toList();
    try (Engine engine = bench.engine(names, spec -> spec)) {
      EngineSide.run(engine, bench.shortRows(names.subList(0, FIRST)));
      long before = anonymous();
      EngineSide.run(engine, bench.shortRows(names.subList(FIRST, names.size())));
      return (anonymous() - before) / adapters;
    }
  }

  /** The most that rows of many adapters take, less the most that the same texts take. */
  private static long peak(Workbench bench) {
    List<Rows> chunks = Job.S4.chunks(bench);
    try (Part base = Part.base(bench, chunks);
        Part part =
            Part.of(
                bench,
                "S4",
                chunks,
                spec -> spec.with(spec.merging().withMemory(0)).withAdapterMemory(BUDGET))) {
      most(base, 0); // what stays after the first time is no one's
      long alone = most(base, 1);
      most(part, 0);
      return most(part, 1) - alone;
    }
  }

  private static long most(Part part, int chunk) {
    AtomicLong most = new AtomicLong();
    Thread watch =
        new Thread(
            () -> {
              try {
                while (true) {
                  most.accumulateAndGet(anonymous(), Math::max);
                  Thread.sleep(2);
                }
              } catch (InterruptedException e) {
                // seen enough
              }
            });
    watch.start();
    part.side().chunk().apply(chunk);
    watch.interrupt();
    try {
      watch.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return most.get();
  }

  /** Bytes in memory that are no file's. */
  private static long anonymous() {
    try {
      return Files.readAllLines(Path.of("/proc/self/status")).stream()
          .filter(line -> line.startsWith("RssAnon:"))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
