package dev.medley.io;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How often something that failed for now is tried again. Waits twice as long each time, up to the
 * longest, and a random part of up to a quarter less, so that executors do not come back at once.
 *
 * @param most tries after the first
 */
record HubRetries(int most, Duration first, Duration longest) {
  /** As huggingface_hub's. */
  static final HubRetries STANDARD =
      new HubRetries(5, Duration.ofSeconds(1), Duration.ofSeconds(8));

  /** One try, for callers that have something else to turn to. */
  static final HubRetries NONE = new HubRetries(0, Duration.ZERO, Duration.ZERO);

  /** Who asks for more is not waited for. */
  private static final Duration LONGEST_ASKED = Duration.ofMinutes(5);

  /** Something that may fail for now. */
  interface Attempt<T> {
    /**
     * Tries.
     *
     * @param progress to be run where something got through: tries are counted anew
     */
    T run(Runnable progress) throws IOException;
  }

  /** A failure after which the other side wants to be left alone for a time. */
  static final class Later extends IOException {
    private static final long serialVersionUID = 1L;

    private final Duration wait;

    Later(String message, Duration wait) {
      super(message);
      this.wait = wait;
    }
  }

  /**
   * The result, else the last attempt's exception. An exception that is no IOException is final.
   */
  <T> T run(Attempt<T> attempt) throws IOException {
    int[] failed = {0};
    while (true) {
      try {
        return attempt.run(() -> failed[0] = 0);
      } catch (IOException e) {
        if (isFinal(e) || failed[0]++ >= most) {
          throw e;
        }
        sleep(e instanceof Later later ? later.wait : backOff(failed[0]));
      }
    }
  }

  private static boolean isFinal(IOException e) {
    return Thread.currentThread().isInterrupted()
        || isOfCertificate(e)
        || e instanceof Later later && later.wait.compareTo(LONGEST_ASKED) > 0;
  }

  /** It does not get better. */
  private static boolean isOfCertificate(Throwable thrown) {
    return thrown instanceof GeneralSecurityException
        || thrown.getCause() != null && isOfCertificate(thrown.getCause());
  }

  private Duration backOff(int failed) {
    long doubled = first.toMillis() << Math.min(failed - 1, 20);
    double share = 1 - ThreadLocalRandom.current().nextDouble() / 4;
    return Duration.ofMillis(Math.round(Math.min(doubled, longest.toMillis()) * share));
  }

  private static void sleep(Duration wait) throws IOException {
    try {
      Thread.sleep(wait.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting to try again");
    }
  }
}
