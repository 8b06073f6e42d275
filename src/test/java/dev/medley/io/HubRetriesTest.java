package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.security.cert.CertificateExpiredException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HubRetriesTest {
  private static final HubRetries QUICK =
      new HubRetries(3, Duration.ofMillis(1), Duration.ofMillis(2));

  private final AtomicInteger tries = new AtomicInteger();

  @Test
  void whatWorksInTheEndIsTheResult() throws Exception {
    String result =
        QUICK.run(
            progress -> {
              if (tries.incrementAndGet() <= 3) {
                throw new IOException("not yet");
              }
              return "done";
            });
    assertThat(result).isEqualTo("done");
    assertThat(tries).hasValue(4);
  }

  @Test
  void lastFailureIsThrown() {
    assertThatThrownBy(
            () ->
                QUICK.run(
                    progress -> {
                      throw new IOException("try " + tries.incrementAndGet());
                    }))
        .isInstanceOf(IOException.class)
        .hasMessage("try 4");
  }

  @Test
  void progressStartsTheCountAnew() {
    assertThatThrownBy(
            () ->
                QUICK.run(
                    progress -> {
                      if (tries.incrementAndGet() == 3) {
                        progress.run();
                      }
                      throw new IOException("try " + tries);
                    }))
        .hasMessage("try 6");
  }

  @Test
  void certificateIsNotTriedAgain() {
    assertThatThrownBy(
            () ->
                QUICK.run(
                    progress -> {
                      tries.incrementAndGet();
                      throw new IOException("expired", new CertificateExpiredException());
                    }))
        .hasMessage("expired");
    assertThat(tries).hasValue(1);
  }

  @Test
  void waitsDoubleUpToTheLongest() {
    HubRetries retries = new HubRetries(5, Duration.ofMillis(40), Duration.ofMillis(160));
    long start = System.nanoTime();
    assertThatThrownBy(
        () ->
            retries.run(
                progress -> {
                  throw new IOException("no");
                }));
    long millis = (System.nanoTime() - start) / 1_000_000;
    assertThat(millis).isGreaterThanOrEqualTo((40 + 80 + 3 * 160) * 3 / 4);
  }

  @Test
  void interruptEndsTheWait() {
    HubRetries slow = new HubRetries(1, Duration.ofMinutes(5), Duration.ofMinutes(5));
    Thread.currentThread().interrupt();
    assertThatThrownBy(
        () ->
            slow.run(
                progress -> {
                  tries.incrementAndGet();
                  throw new IOException("no");
                }));
    assertThat(Thread.interrupted()).isTrue();
    assertThat(tries).hasValue(1);
  }
}
