package dev.medley.job;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says how far a job is while it runs, from a daemon thread that ends with it: on a terminal in a
 * line that is rewritten, elsewhere in the log.
 */
final class Progress implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Progress.class);

  private final Supplier<Counts> counts;
  private final Timeline timeline = new Timeline(0.5);
  private final Consumer<String> show;
  private final Runnable end;
  private final long start = System.nanoTime();
  private final Thread thread;

  /** What was done so far. */
  record Counts(long rows, long tokens, long errors, long adapterLoads) {}

  private Progress(
      Supplier<Counts> counts, Duration interval, Consumer<String> show, Runnable end) {
    this.counts = counts;
    this.show = show;
    this.end = end;
    thread = new Thread(() -> run(interval), "medley-progress");
    thread.setDaemon(true);
    thread.start();
  }

  /** Twice a second in place. */
  static Progress onTerminal(Supplier<Counts> counts, PrintWriter err) {
    return onTerminal(counts, err, Duration.ofMillis(500));
  }

  static Progress onTerminal(Supplier<Counts> counts, PrintWriter err, Duration interval) {
    Consumer<String> show =
        line -> {
          err.print('\r' + line + "\u001b[K"); // to the begin, and clear what is left of the line
          err.flush();
        };
    return new Progress(counts, interval, show, () -> show.accept(""));
  }

  /** Every ten seconds. */
  static Progress inLog(Supplier<Counts> counts) {
    return new Progress(counts, Duration.ofSeconds(10), log::info, () -> {});
  }

  /**
   * Whether errors go to a terminal: the launcher says so by MEDLEY_TERMINAL, since Java knows only
   * of input and output together.
   */
  static boolean hasTerminal() {
    String said = System.getenv("MEDLEY_TERMINAL");
    return said == null ? System.console() != null : said.equals("1");
  }

  private void run(Duration interval) {
    try {
      while (true) {
        Thread.sleep(interval.toMillis());
        show.accept(line());
      }
    } catch (InterruptedException e) {
      end.run();
    }
  }

  private String line() {
    Counts done = counts.get();
    double seconds = seconds();
    timeline.add(new Timeline.Point(seconds, done.rows, done.tokens));
    return String.format(
        Locale.ROOT,
        "%d rows done, %.1f rows/s, %.0f tokens/s, %d errors, %d adapters loaded",
        done.rows,
        done.rows / seconds,
        done.tokens / seconds,
        done.errors,
        done.adapterLoads);
  }

  /** How far it was when, and where it is now, at its end. */
  Timeline timeline() {
    Counts done = counts.get();
    timeline.end(new Timeline.Point(seconds(), done.rows, done.tokens));
    return timeline;
  }

  /** Since the start. */
  double seconds() {
    return (System.nanoTime() - start) / 1e9;
  }

  @Override
  public void close() {
    thread.interrupt();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
