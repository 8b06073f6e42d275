package dev.medley.job.bench;

import dev.medley.engine.Batching;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/** The jobs of which chunks are timed: who has how many of {@link Settings#JOB_ROWS} rows. */
final class Jobs {
  private static final int ROWS = Settings.JOB_ROWS;

  private Jobs() {}

  /** LoRAs by number. */
  static List<String> loras(int count) {
    return IntStream.range(0, count).mapToObj(i -> "lora" + i).toList();
  }

  /** S1 to S4: sorted rows of so many adapters, as many of each. */
  static Runs uniform(int adapters) {
    return Runs.uniform(loras(adapters), ROWS);
  }

  /** S5. */
  static Runs zipf(int adapters) {
    return Runs.zipf(loras(adapters), ROWS, 1.1);
  }

  /** S6: what a window has of the same rows where neighbours have different adapters. */
  static Runs window(int adapters) {
    return Runs.uniform(loras(adapters), Math.min(ROWS, Batching.DEFAULT.windowRows()));
  }

  /** How many windows the job has. */
  static int windows() {
    return Math.max(1, ROWS / Batching.DEFAULT.windowRows());
  }

  /** S7: 64 sets of two, three and four types, each of adapters of its own. */
  static Runs mixed() {
    return Runs.uniform(IntStream.range(0, 64).mapToObj(Jobs::mixedSet).toList(), ROWS);
  }

  private static String mixedSet(int number) {
    List<String> types =
        switch (number % 3) {
          case 0 -> List.of("lora", "loha");
          case 1 -> List.of("lora", "oft", "lokr");
          default -> List.of("lora", "loha", "oft", "lokr");
        };
    return String.join("+", types.stream().map(type -> type + number).toList());
  }

  /** The same of four types only. */
  static Runs mixedOfFour() {
    return Runs.uniform(
        IntStream.range(0, 64).filter(i -> i % 3 == 2).mapToObj(Jobs::mixedSet).toList(), ROWS);
  }

  /** S0. */
  static List<String> base(int rows) {
    return Collections.nCopies(rows, null);
  }
}
