package dev.medley.job.bench;

import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.job.bench.Workbench.Side;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.UnaryOperator;

/**
 * One scenario's chunks and an engine of its own, in which every adapter is loaded when it is first
 * met.
 */
final class Part implements AutoCloseable {
  private final Workbench bench;
  private final String name;
  private final List<Rows> chunks;
  private final Engine engine;

  private Part(Workbench bench, String name, List<Rows> chunks, Engine engine) {
    this.bench = bench;
    this.name = name;
    this.chunks = chunks;
    this.engine = engine;
  }

  /** Writes the adapters of all chunks. */
  static Part of(Workbench bench, String name, List<Rows> chunks) {
    return of(bench, name, chunks, spec -> spec);
  }

  /** The same with an engine that is made otherwise. */
  static Part of(Workbench bench, String name, List<Rows> chunks, UnaryOperator<EngineSpec> with) {
    return new Part(bench, name, chunks, bench.engine(adapters(chunks), with));
  }

  /** The same texts under the base. */
  static Part base(Workbench bench, List<Rows> chunks) {
    return of(bench, "base", chunks.stream().map(Rows::underBase).toList());
  }

  /** Names of all adapters in all sets. */
  static List<String> adapters(List<Rows> chunks) {
    return chunks.stream()
        .flatMap(rows -> rows.sets().stream())
        .filter(Objects::nonNull)
        .distinct()
        .flatMap(set -> Arrays.stream(set.split("\\+")))
        .distinct()
        .toList();
  }

  String name() {
    return name;
  }

  /** Where the time of the second chunk goes, after the first has warmed everything up. */
  String profile(Path trace) {
    Rows rows = chunks.get(1);
    EngineSide.run(engine, chunks.get(0));
    OperatorProfile profile = OperatorProfile.of(() -> EngineSide.run(engine, rows), trace);
    double again = EngineSide.run(engine, rows).sample().seconds();
    return String.format(
        Locale.ROOT,
        "%d rows, %d tokens; %.1f ms without the profiler, adapters in memory%n%n%s",
        rows.size(),
        rows.tokens(),
        1e3 * again,
        profile);
  }

  Engine engine() {
    return engine;
  }

  /** Our time for each chunk. */
  Side side() {
    return new Side(name, chunk -> EngineSide.run(engine, chunks.get(chunk)).sample());
  }

  /**
   * The same of chunks of a window. Only the first window of a job loads adapters, so all chunks
   * but every n-th, n the number of windows, have theirs loaded before.
   */
  Side windowed() {
    Side side = side();
    return new Side(
        side.name(),
        chunk -> {
          if (chunk % Job.windows() != 0) {
            load(chunk);
          }
          return side.chunk().apply(chunk);
        });
  }

  /** Loads what a chunk needs, out of all timing. */
  private void load(int chunk) {
    EngineSide.run(engine, bench.shortRows(chunks.get(chunk).sets().stream().distinct().toList()));
  }

  @Override
  public void close() {
    engine.close();
  }
}
