package dev.medley.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import javax.security.sasl.SaslException;
import org.apache.hadoop.fs.PathIsNotDirectoryException;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.hadoop.security.AccessControlException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads of storage that are tried again where that may help, after waits that grow exponentially,
 * each drawn anew between nothing and its bound ("full jitter"), so that a thousand tasks that
 * failed together do not come back together.
 *
 * @param attempts all of them, the first as well
 * @param firstDelay bound of the first wait; each later one has twice the bound of the one before
 * @param longestDelay no bound is greater
 */
record Retries(int attempts, Duration firstDelay, Duration longestDelay) {
  /** Waits 3 s at most, half of that on average: HDFS and S3 clients try for longer themselves. */
  static final Retries STANDARD = new Retries(5, Duration.ofMillis(200), Duration.ofSeconds(5));

  private static final Logger LOG = LoggerFactory.getLogger(Retries.class);

  /** What another attempt would meet again. */
  private static final List<Class<? extends IOException>> PERMANENT =
      List.of(
          FileNotFoundException.class,
          NoSuchFileException.class,
          PathIsNotDirectoryException.class,
          AccessControlException.class,
          AccessDeniedException.class,
          SaslException.class,
          UnsupportedFileSystemException.class,
          CharacterCodingException.class);

  /** One reading, which starts over, or goes on where the last one broke off. */
  interface Reading<T> {
    T read() throws IOException;
  }

  /**
   * What the first attempt gives that succeeds.
   *
   * @param where is read, for the log and the error
   * @throws IOException as it came, where no other attempt would help or this thread was
   *     interrupted, which it still is
   * @throws LoadException where the last attempt failed like those before
   */
  <T> T run(Location where, Reading<T> reading) throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        return reading.read();
      } catch (IOException e) {
        if (isPermanent(e)) {
          throw e;
        }
        if (attempt >= attempts) {
          throw Storage.unreadable(where, " in " + attempts + " attempts, the last one", e);
        }
        Duration delay = delay(attempt);
        LOG.warn(
            "{}: attempt {} of {} failed, the next in {} ms: {}",
            where,
            attempt,
            attempts,
            delay.toMillis(),
            where.withoutUser(e.toString()));
        pause(delay, e);
      }
    }
  }

  /** Between nothing and the bound after so many attempts. */
  Duration delay(int failures) {
    double bound = firstDelay.toMillis() * Math.pow(2, failures - 1);
    long millis = (long) Math.min(bound, longestDelay.toMillis());
    return Duration.ofMillis(ThreadLocalRandom.current().nextLong(millis + 1));
  }

  private static boolean isPermanent(IOException e) {
    boolean interrupted =
        Thread.currentThread().isInterrupted()
            || e instanceof ClosedByInterruptException
            || e instanceof InterruptedIOException && !(e instanceof SocketTimeoutException);
    return interrupted || PERMANENT.stream().anyMatch(type -> type.isInstance(e));
  }

  private static void pause(Duration delay, IOException failure) throws IOException {
    try {
      Thread.sleep(delay.toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      failure.addSuppressed(interrupted);
      throw failure;
    }
  }
}
