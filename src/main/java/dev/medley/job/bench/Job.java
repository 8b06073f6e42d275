package dev.medley.job.bench;

import dev.medley.engine.Batching;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The jobs of {@link #ROWS} rows of which chunks are timed.
 *
 * @param name of the scenario
 * @param runs rows by their sets; those of one window where they are interleaved
 * @param isInterleaved whether neighbouring rows have different sets
 */
record Job(String name, Runs runs, boolean isInterleaved) {
  /** Of each job. */
  static final int ROWS = 8192;

  /** Tokens of a row, all of them or in the mean. */
  static final int TOKENS = 64;

  static final Job S0 = new Job("S0", Runs.uniform(Collections.singletonList(null), ROWS), false);
  static final Job S1 = uniform("S1", 1);
  static final Job S2 = uniform("S2", 8);
  static final Job S3 = uniform("S3", 64);
  static final Job S4 = uniform("S4", 512);
  static final Job S5 = new Job("S5", Runs.zipf(loras(512), ROWS, 1.1), false);
  static final Job S6_OF_S3 = interleaved("S6-S3", 64);
  static final Job S6_OF_S4 = interleaved("S6-S4", 512);
  static final Job S7 = new Job("S7", Runs.uniform(mixedSets(64), ROWS), false);

  /** S7's sets of all four types. */
  static final Job S7_OF_FOUR =
      new Job(
          "S7-4",
          Runs.uniform(
              mixedSets(64).stream().filter(set -> set.split("\\+").length == 4).toList(), ROWS),
          false);

  static final Job MOST = uniform("2048", 2048);

  /** All of them. */
  static final List<Job> ALL =
      List.of(S0, S1, S2, S3, S4, S5, S6_OF_S3, S6_OF_S4, S7, S7_OF_FOUR, MOST);

  private static Job uniform(String name, int adapters) {
    return new Job(name, Runs.uniform(loras(adapters), ROWS), false);
  }

  /** What a window has of the rows where neighbours have different adapters. */
  private static Job interleaved(String name, int adapters) {
    int window = Math.min(ROWS, Batching.DEFAULT.windowRows());
    return new Job(name, Runs.uniform(loras(adapters), window), true);
  }

  private static List<String> loras(int count) {
    return IntStream.range(0, count).mapToObj(i -> "lora" + i).toList();
  }

  /** Of two, three and four types, OFT between others, each of adapters of its own. */
  private static List<String> mixedSets(int count) {
    List<List<String>> types =
        List.of(
            List.of("lora", "loha"),
            List.of("lora", "oft", "lokr"),
            List.of("lora", "loha", "oft", "lokr"));
    return IntStream.range(0, count)
        .mapToObj(
            i ->
                types.get(i % types.size()).stream()
                    .map(type -> type + i)
                    .collect(Collectors.joining("+")))
        .toList();
  }

  /** How many windows all rows are. */
  static int windows() {
    return Math.max(1, ROWS / Batching.DEFAULT.windowRows());
  }

  /**
   * Chunks from all over the job, with texts of equal length.
   *
   * @param rows of a chunk, about
   */
  List<Rows> chunks(Workbench bench, int rows, int count) {
    List<Runs> chunks = runs.chunks(rows, count);
    return IntStream.range(0, count)
        .mapToObj(
            i ->
                bench.rows(i, isInterleaved ? chunks.get(i).interleaved() : chunks.get(i).sorted()))
        .toList();
  }

  /** As many and as large as the settings say. */
  List<Rows> chunks(Workbench bench) {
    return chunks(bench, bench.settings().chunkRows(), bench.settings().chunks());
  }
}
