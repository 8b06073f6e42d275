package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.io.Archive.Bounds;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import javax.security.sasl.SaslException;
import org.apache.hadoop.security.AccessControlException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class RetriesTest {
  private static final Location PLACE = Location.of("s3a://key:secret@bucket/m");
  private static final Retries FAST = new Retries(4, Duration.ofMillis(1), Duration.ofMillis(4));

  @TempDir Path folder;
  private Path original;
  private Location remote;

  @BeforeEach
  void putARemoteFile() throws IOException {
    RemoteFileSystem.reset();
    original = Files.createDirectory(folder.resolve("far")).resolve("m.safetensors");
    Files.write(original, Safetensors.data(10_000));
    remote = RemoteFileSystem.location(original);
  }

  private Storage storage(Retries retries) {
    return new Storage(
        RemoteFileSystem.conf(),
        folder.resolve("cache"),
        retries,
        Bounds.STANDARD,
        Hub.ofThisProcess());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3})
  void readThatFailsAFewTimesSucceeds(int failures) throws Exception {
    AtomicInteger attempts = new AtomicInteger();
    String read =
        FAST.run(
            PLACE,
            () -> {
              if (attempts.getAndIncrement() < failures) {
                throw new IOException("connection reset");
              }
              return "bytes";
            });
    assertThat(read).isEqualTo("bytes");
    assertThat(attempts).hasValue(failures + 1);
  }

  @Test
  void readThatNeverSucceedsSaysHowOftenAndWhy() {
    AtomicInteger attempts = new AtomicInteger();
    assertThatThrownBy(
            () ->
                FAST.run(
                    PLACE,
                    () -> {
                      throw new IOException("reset " + attempts.incrementAndGet());
                    }))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "s3a://bucket/m: could not be read in 4 attempts, the last one: java.io.IOException:"
                + " reset 4")
        .hasCauseInstanceOf(IOException.class);
    assertThat(attempts).hasValue(4);
  }

  static List<IOException> permanent() {
    return List.of(
        new FileNotFoundException("none"),
        new AccessControlException("not yours"),
        new AccessDeniedException("403"),
        new SaslException("no ticket"),
        new InterruptedIOException("killed"));
  }

  @ParameterizedTest
  @MethodSource("permanent")
  void whatCannotChangeIsTriedOnce(IOException failure) {
    AtomicInteger attempts = new AtomicInteger();
    assertThatThrownBy(
            () ->
                FAST.run(
                    PLACE,
                    () -> {
                      attempts.incrementAndGet();
                      throw failure;
                    }))
        .isSameAs(failure);
    assertThat(attempts).hasValue(1);
  }

  @Test
  void timeoutIsNoInterruption() throws Exception {
    AtomicBoolean again = new AtomicBoolean();
    FAST.run(
        PLACE,
        () -> {
          if (again.compareAndSet(false, true)) {
            throw new SocketTimeoutException("slow");
          }
          return null;
        });
    assertThat(again).isTrue();
  }

  @Test
  void waitsGrowToTheirBoundAndAreDrawnBelowIt() {
    Retries retries = new Retries(9, Duration.ofMillis(100), Duration.ofSeconds(1));
    List<Integer> bounds = List.of(100, 200, 400, 800, 1000, 1000);
    for (int failures = 1; failures <= bounds.size(); failures++) {
      int after = failures;
      int bound = bounds.get(failures - 1);
      var drawn =
          IntStream.range(0, 2000)
              .mapToLong(i -> retries.delay(after).toMillis())
              .summaryStatistics();
      assertThat(drawn.getMin()).isBetween(0L, bound / 20L);
      assertThat(drawn.getMax()).isBetween(bound - bound / 20L, (long) bound);
      assertThat(drawn.getAverage()).isBetween(bound * 0.4, bound * 0.6);
    }
    assertThat(retries.delay(5000)).isBetween(Duration.ZERO, Duration.ofSeconds(1));
  }

  @Test
  void killedThreadStopsWaitingAtOnce() throws Exception {
    Retries patient = new Retries(3, Duration.ofHours(9), Duration.ofHours(9));
    IOException failure = new IOException("connection reset");
    AtomicBoolean stillInterrupted = new AtomicBoolean();
    FutureTask<Object> reading =
        new FutureTask<>(
            () -> {
              try {
                return patient.run(
                    PLACE,
                    () -> {
                      throw failure;
                    });
              } finally {
                stillInterrupted.set(Thread.currentThread().isInterrupted());
              }
            });
    Thread thread = new Thread(reading);
    thread.start();
    while (thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.sleep(1);
    }
    thread.interrupt();
    thread.join(60_000);
    assertThat(thread.isAlive()).isFalse();
    assertThat(stillInterrupted).isTrue();
    assertThatThrownBy(reading::get)
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isSameAs(failure);
  }

  @Test
  void statusListingAndHeaderAreTriedAgain() {
    for (int failures : List.of(0, 2)) {
      Storage storage = storage(FAST);
      RemoteFileSystem.failuresToCome = failures;
      assertThat(storage.exists(remote)).isTrue();
      RemoteFileSystem.failuresToCome = failures;
      assertThat(storage.version(remote)).startsWith("10000-");
      RemoteFileSystem.failuresToCome = failures;
      assertThat(storage.list(remote.parent())).containsExactly("m.safetensors");
      RemoteFileSystem.failuresToCome = failures;
      assertThat(storage.readInPlace(remote, (in, length) -> in.readNBytes(3).length)).contains(3);
      assertThat(RemoteFileSystem.failuresToCome).isZero();
    }
  }

  @Test
  void downloadThatBreaksTwiceGoesOnWhereItBroke() throws Exception {
    RemoteFileSystem.breaksOnceAt(3000, 7500);
    assertThat(storage(FAST).fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(RemoteFileSystem.OPENED).hasValue(3);
    assertThat(RemoteFileSystem.BYTES_READ).hasValue(10_000);
  }

  @Test
  void downloadThatNeverEndsIsOneError() {
    RemoteFileSystem.breaksAt = 5000;
    assertThatThrownBy(() -> storage(FAST).fetch(remote))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            remote
                + ": could not be read in 4 attempts, the last one: java.io.IOException: connection"
                + " reset");
    assertThat(RemoteFileSystem.OPENED).hasValue(4);
    assertThat(RemoteFileSystem.BYTES_READ).hasValue(5000);
  }

  /** The rest of another file would make a third one of both. */
  @Test
  void fileThatChangesInTheMiddleIsNotPutTogether() throws Exception {
    RemoteFileSystem.breaksOnceAt(3000);
    RemoteFileSystem.whenItBreaks =
        () -> {
          Files.write(original, new byte[10_000]);
          Files.setLastModifiedTime(original, FileTime.fromMillis(1_000_000_000_000L));
        };
    assertThatThrownBy(() -> storage(FAST).fetch(remote))
        .isInstanceOf(LoadException.class)
        .hasMessage(remote + ": has changed while it was read; start the job again");
    assertThat(storage(FAST).fetch(remote)).hasBinaryContent(new byte[10_000]);
  }
}
