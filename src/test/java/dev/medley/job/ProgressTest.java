package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProgressTest {
  @Test
  void terminalLineIsRewrittenAndGoneAtTheEnd() throws InterruptedException {
    StringWriter err = new StringWriter();
    CountDownLatch shown = new CountDownLatch(2);
    try (Progress progress =
        Progress.onTerminal(
            () -> {
              shown.countDown();
              return new Progress.Counts(1234, 56_789, 3, 5);
            },
            new PrintWriter(err),
            Duration.ofMillis(10))) {
      assertThat(shown.await(10, TimeUnit.SECONDS)).isTrue();
      assertThat(progress.seconds()).isPositive();
      Thread.sleep(50);
      List<Timeline.Point> points = progress.timeline().points();
      assertThat(points.get(points.size() - 1).rows()).isEqualTo(1234);
      assertThat(points).extracting(Timeline.Point::tokens).containsOnly(56_789L);
    }
    assertThat(err.toString())
        .matches(
            "(\r1234 rows done, [0-9.]+ rows/s, [0-9]+ tokens/s, 3 errors, 5 adapters loaded\u001b\\[K)+\r\u001b\\[K");
    assertThat(Thread.getAllStackTraces().keySet())
        .noneMatch(thread -> thread.getName().equals("medley-progress"));
  }

  @Test
  void timelineOfALongJobIsThinnedOutAndEndsWithItsEnd() {
    Timeline timeline = new Timeline(1);
    for (int second = 0; second < 100_000; second++) {
      timeline.add(new Timeline.Point(second, second, 2 * second));
    }
    timeline.end(new Timeline.Point(100_000.1, 7, 8));
    List<Timeline.Point> points = timeline.points();
    assertThat(points).hasSizeBetween(200, 512);
    assertThat(points).extracting(Timeline.Point::seconds).isSorted();
    assertThat(timeline.seconds()).isEqualTo(100_000.1);
    double widest = 0;
    for (int i = 1; i < points.size(); i++) {
      widest = Math.max(widest, points.get(i).seconds() - points.get(i - 1).seconds());
    }
    assertThat(widest).isLessThan(1024);
  }
}
