package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class LookaheadTest {
  private static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("medley-ahead"))
        .toList();
  }

  @Test
  void noThreadIsStartedBeforeThereIsWorkAndNoneIsLeftAfter() {
    List<String> before = threads();
    try (Lookahead ahead = new Lookahead()) {
      assertThat(threads()).containsExactlyInAnyOrderElementsOf(before);
      assertThat(ahead.get(ahead.begin(() -> 3))).isEqualTo(3);
      for (int i = 0; i < 9; i++) {
        ahead.begin(() -> 3);
      }
      assertThat(threads()).hasSize(before.size() + 2);
    }
    assertThat(threads()).containsExactlyInAnyOrderElementsOf(before);
  }

  @Test
  void whatKeptAResultFromBeingOneIsThrown() {
    try (Lookahead ahead = new Lookahead()) {
      IllegalArgumentException problem = new IllegalArgumentException("no");
      Future<Object> future =
          ahead.begin(
              () -> {
                throw problem;
              });
      assertThatThrownBy(() -> ahead.get(future)).isSameAs(problem);
    }
  }

  @Test
  void closingInterruptsAndWaits() throws Exception {
    AtomicBoolean ended = new AtomicBoolean();
    CountDownLatch inWork = new CountDownLatch(1);
    Lookahead ahead = new Lookahead();
    ahead.begin(
        () -> {
          inWork.countDown();
          try {
            Thread.sleep(60_000);
          } catch (InterruptedException e) {
            Thread.sleep(50);
            ended.set(true);
          }
          return null;
        });
    inWork.await();
    ahead.close();
    assertThat(ended).isTrue();
  }

  /** A killed task is interrupted: so is what it waits for. */
  @Test
  void interruptedWaitEndsTheWorkAndStaysInterrupted() {
    AtomicBoolean ended = new AtomicBoolean();
    try (Lookahead ahead = new Lookahead()) {
      Future<Object> future =
          ahead.begin(
              () -> {
                try {
                  Thread.sleep(60_000);
                } finally {
                  ended.set(true);
                }
                return null;
              });
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> ahead.get(future)).isInstanceOf(IllegalStateException.class);
      assertThat(Thread.interrupted()).isTrue();
      assertThat(ended).isTrue();
      ahead.rest();
      assertThat(ahead.get(ahead.begin(() -> 1))).isEqualTo(1); // it can be used again
    }
  }
}
