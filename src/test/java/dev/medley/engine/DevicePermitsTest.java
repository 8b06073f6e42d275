package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.Fixtures;
import dev.medley.engine.DevicePermits.Permit;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
@SuppressWarnings("try") // permits are held, not used
class DevicePermitsTest {
  private static final Runnable NEVER = () -> {};

  private static void waitUntil(BooleanSupplier condition) throws InterruptedException {
    while (!condition.getAsBoolean()) { // the test's own timeout ends it
      Thread.sleep(5);
    }
  }

  private static Thread started(Runnable work) {
    Thread thread = new Thread(work);
    thread.start();
    return thread;
  }

  @Test
  void neverMorePassesAtATimeThanPermits() throws InterruptedException {
    DevicePermits permits = new DevicePermits(3);
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      threads.add(
          started(
              () -> {
                for (int pass = 0; pass < 20; pass++) {
                  try (Permit permit = permits.take(NEVER)) {
                    most.accumulateAndGet(running.incrementAndGet(), Math::max);
                    TimeUnit.MILLISECONDS.sleep(1);
                    running.decrementAndGet();
                  } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(most.get()).isEqualTo(3);
    assertThat(permits.taken()).isZero();
    assertThat(permits.waiting()).isZero();
  }

  /** Also by those that wait longer than it takes to ask whether they still should. */
  @Test
  void permitsGoToThoseWhoHaveWaitedLongest() throws InterruptedException {
    DevicePermits permits = new DevicePermits(1);
    List<Integer> order = Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    AtomicInteger checks = new AtomicInteger();
    try (Permit held = permits.take(NEVER)) {
      for (int i = 0; i < 10; i++) {
        int number = i;
        threads.add(
            started(
                () -> {
                  try (Permit permit = permits.take(checks::incrementAndGet)) {
                    order.add(number);
                  }
                }));
        waitUntil(() -> permits.waiting() == number + 1);
      }
      waitUntil(() -> checks.get() > 50);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(order).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  }

  @Test
  void whoIsToldToStopWhileItWaitsLeavesItsPlaceToTheNext() throws InterruptedException {
    DevicePermits permits = new DevicePermits(1);
    AtomicBoolean isKilled = new AtomicBoolean();
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    AtomicBoolean nextRan = new AtomicBoolean();
    Permit held = permits.take(NEVER);
    Thread killed =
        started(
            () -> {
              try (Permit permit =
                  permits.take(
                      () -> {
                        if (isKilled.get()) {
                          throw new CancellationException("killed");
                        }
                      })) {
                throw new IllegalStateException("has a permit");
              } catch (RuntimeException e) {
                thrown.set(e);
              }
            });
    waitUntil(() -> permits.waiting() == 1);
    Thread next =
        started(
            () -> {
              try (Permit permit = permits.take(NEVER)) {
                nextRan.set(true);
              }
            });
    waitUntil(() -> permits.waiting() == 2);

    isKilled.set(true);
    killed.join();

    assertThat(thrown.get()).isInstanceOf(CancellationException.class);
    assertThat(permits.waiting()).isEqualTo(1);
    assertThat(permits.taken()).isEqualTo(1);
    held.close();
    next.join();
    assertThat(nextRan).isTrue();
  }

  @Test
  void interruptedThreadSaysWhatItsCheckKnowsAndStaysInterrupted() throws InterruptedException {
    DevicePermits permits = new DevicePermits(1);
    List<String> thrown = Collections.synchronizedList(new ArrayList<>());
    try (Permit held = permits.take(NEVER)) {
      for (Runnable check :
          List.<Runnable>of(
              NEVER,
              () -> {
                if (Thread.currentThread().isInterrupted()) {
                  throw new CancellationException("killed");
                }
              })) {
        Thread thread =
            started(
                () -> {
                  try {
                    permits.take(check);
                  } catch (RuntimeException e) {
                    thrown.add(e.getMessage() + " " + Thread.currentThread().isInterrupted());
                  }
                });
        waitUntil(() -> permits.waiting() == 1);
        thread.interrupt();
        thread.join();
      }
    }
    assertThat(thrown)
        .containsExactly("interrupted while waiting for a turn on the device true", "killed true");
    assertThat(permits.taken()).isZero();
    assertThat(permits.waiting()).isZero();
  }

  @Test
  void whoWantsAllWaitsForAllAndThoseBehindItWaitForIt() throws InterruptedException {
    for (DevicePermits permits : List.of(new DevicePermits(2), DevicePermits.unlimited())) {
      List<String> order = Collections.synchronizedList(new ArrayList<>());
      Permit held = permits.take(NEVER);
      Thread all =
          started(
              () -> {
                try (Permit permit = permits.takeAll(NEVER)) {
                  order.add("all, " + permits.waiting() + " waits");
                }
              });
      waitUntil(() -> permits.waiting() == 1);
      Thread one =
          started(
              () -> {
                try (Permit permit = permits.take(NEVER)) {
                  order.add("one");
                }
              });
      waitUntil(() -> permits.waiting() == 2);
      assertThat(order).isEmpty();
      held.close();
      all.join();
      one.join();
      assertThat(order).containsExactly("all, 1 waits", "one");
      assertThat(permits.taken()).isZero();
    }
  }

  @Test
  void waitingIsMeasured() throws InterruptedException {
    DevicePermits permits = new DevicePermits(1);
    long[] waited = new long[1];
    Permit held = permits.take(NEVER);
    assertThat(held.waitedNanos()).isLessThan(TimeUnit.SECONDS.toNanos(60));
    Thread thread =
        started(
            () -> {
              try (Permit permit = permits.take(NEVER)) {
                waited[0] = permit.waitedNanos();
              }
            });
    waitUntil(() -> permits.waiting() == 1);
    TimeUnit.MILLISECONDS.sleep(250);
    held.close();
    thread.join();
    assertThat(waited[0]).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(240));
  }

  @Test
  void runSaysHowLongItsPassesHaveWaited() throws InterruptedException {
    DevicePermits permits = new DevicePermits(1);
    Location folder = Fixtures.location("models/bert");
    EngineSpec spec = EngineSpec.of(folder.uri(), FeatureExtraction.AUTO, Map.of());
    try (BaseModel base =
            BaseModel.load(Storage.standard(), folder, Head.NONE, Device.cpu(), Precision.FLOAT32);
        Engine engine = Engine.on(base, Storage.standard(), spec, permits);
        Results results = engine.run(List.of(Request.of("a dog")).iterator())) {
      Permit held = permits.take(NEVER);
      Thread run = started(() -> results.forEachRemaining(result -> {}));
      waitUntil(() -> permits.waiting() == 1);
      TimeUnit.MILLISECONDS.sleep(250);
      held.close();
      run.join();
      assertThat(results.waitedNanos()).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(240));
    }
  }

  @Test
  void thereIsAtLeastOne() {
    assertThatThrownBy(() -> new DevicePermits(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("device permits: expected at least 1, got 0");
  }
}
