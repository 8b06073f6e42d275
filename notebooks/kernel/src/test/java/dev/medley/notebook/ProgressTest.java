package dev.medley.notebook;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.notebook.SparkJobs.Counts;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private final List<Map<String, String>> shown = new CopyOnWriteArrayList<>();

  @Test
  void changesAreShownAndThePlaceIsEmptyAtTheEnd() throws InterruptedException {
    AtomicInteger done = new AtomicInteger();
    Progress progress = new Progress(() -> new Counts(1, done.get(), 4), shown::add);
    try (progress) {
      await(1);
      Thread.sleep(1200); // nothing changes
      assertThat(shown).hasSize(1);
      done.set(3);
      await(2);
    }
    assertThat(shown.get(0).get("text/plain")).startsWith("0 of 4 tasks, 1 job running, ");
    assertThat(shown.get(1).get("text/html")).startsWith("<progress max=\"4\" value=\"3\">");
    assertThat(shown.get(2)).isEmpty();
    assertThat(shown).hasSize(3);
  }

  @Test
  void shortCellShowsNothing() {
    try (Progress progress = new Progress(() -> new Counts(1, 0, 4), shown::add)) {
      assertThat(progress).isNotNull();
    }
    assertThat(shown).isEmpty();
  }

  private void await(int size) throws InterruptedException {
    for (int i = 0; shown.size() < size; i++) {
      assertThat(i).isLessThan(600);
      Thread.sleep(100);
    }
  }
}
