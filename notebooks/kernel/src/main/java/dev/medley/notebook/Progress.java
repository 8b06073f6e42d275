package dev.medley.notebook;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Tells how far the Spark jobs of a cell are while it runs: first after two seconds, then twice a
 * second where something has changed, in one place that is emptied at the end.
 */
final class Progress implements AutoCloseable {
  private static final long FIRST_MS = 2000;
  private static final long EVERY_MS = 500;

  private final Supplier<SparkJobs.Counts> counts;
  private final Consumer<Map<String, String>> place;
  private final long start = System.nanoTime();
  private final ScheduledExecutorService ticks =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "progress of a cell");
            thread.setDaemon(true);
            return thread;
          });

  private SparkJobs.Counts shown; // null before the first; for the thread of ticks, then who closes

  /**
   * Begins now.
   *
   * @param place that shows what it was given last, by MIME type
   */
  Progress(Supplier<SparkJobs.Counts> counts, Consumer<Map<String, String>> place) {
    this.counts = counts;
    this.place = place;
    ticks.scheduleWithFixedDelay(this::tick, FIRST_MS, EVERY_MS, TimeUnit.MILLISECONDS);
  }

  private void tick() {
    SparkJobs.Counts now;
    try {
      now = counts.get();
    } catch (RuntimeException e) {
      return; // of a Spark that is stopping; another tick comes
    }
    if (now.tasks() > 0 && !now.equals(shown)) {
      shown = now;
      place.accept(line(now, (System.nanoTime() - start) / 1_000_000_000).mime());
    }
  }

  static Html line(SparkJobs.Counts now, long seconds) {
    String text =
        String.format(
            Locale.ROOT,
            "%d of %d tasks, %s running, %d s",
            now.done(),
            now.tasks(),
            now.jobs() == 1 ? "1 job" : now.jobs() + " jobs",
            seconds);
    String bar =
        "<progress max=\"" + now.tasks() + "\" value=\"" + now.done() + "\"></progress> " + text;
    return new Html(bar, text);
  }

  @Override
  public void close() {
    ticks.shutdown();
    try {
      ticks.awaitTermination(10, TimeUnit.SECONDS); // a last tick is not to come after the end
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (shown != null) {
      place.accept(Map.of());
    }
  }
}
