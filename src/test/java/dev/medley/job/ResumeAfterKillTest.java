package dev.medley.job;

import static dev.medley.job.ResumeJob.CHUNK_ROWS;
import static dev.medley.job.ResumeJob.FILE_ROWS;
import static dev.medley.job.ResumeJob.assertClose;
import static dev.medley.job.ResumeJob.count;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Jobs that were killed, by SIGKILL in a JVM of their own, and started again. */
class ResumeAfterKillTest {
  private static final int ROWS = 4 * FILE_ROWS;
  private static final int CHUNKS = ROWS / CHUNK_ROWS;

  private static final String COMMITS = ".*/chunks/[^/]*json";
  private static final String DATA = ".*/out/part-[^/]*";

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;

  private ResumeJob job() throws IOException {
    ResumeJob job = ResumeJob.in(folder);
    for (int i = 0; i < 4; i++) {
      job.input(i + ".jsonl", i * FILE_ROWS, FILE_ROWS);
    }
    return job;
  }

  /** What a run says that nobody kills, in a folder of its own. */
  private Map<Long, String> uninterrupted(ResumeJob job, String format, String... as)
      throws IOException {
    Path other = Files.createTempDirectory(folder, "uninterrupted");
    String[] args = java.util.Arrays.copyOf(as, as.length + 1);
    args[as.length] = "output.path=" + other;
    assertThat(count(job.score(args), "rows")).isEqualTo(ROWS);
    return ResumeJob.predictions(SESSION.spark(), format, other);
  }

  @ParameterizedTest
  @CsvSource({"parquet, null, " + COMMITS, "json, id, " + DATA})
  void jobKilledAtHalfDoesTheOtherHalf(String format, String key, String at) throws Exception {
    ResumeJob job = job();
    String[] as = {"output.format=" + format, "resume.key=" + key};
    KilledJob.start(job, CHUNKS / 2, at, as).kill();
    assertThat(job.out().resolve("_SUCCESS")).doesNotExist();
    assertThat(job.hidden("claims")).hasSize(1);

    CommandLineRun again = job.score(as);
    assertThat(count(again, "rows")).isBetween(1L, ROWS * 6 / 10L);
    assertThat(count(again, "rows") + count(again, "rows kept")).isEqualTo(ROWS);
    assertThat(job.out().resolve("_SUCCESS")).exists();
    Map<Long, String> predictions = ResumeJob.predictions(SESSION.spark(), format, job.out());
    assertThat(predictions).hasSize(ROWS);
    assertClose(predictions, uninterrupted(job, format, as));
    assertThat(count(job.score(as), "rows")).isZero();
  }

  @Test
  @Tag("long") // eight JVMs
  void jobKilledAgainAndAgainLosesNothing() throws Exception {
    ResumeJob job = job();
    Map<Long, String> expected = uninterrupted(job, "parquet");
    String[] points = {COMMITS, DATA, ".*/chunks/[^/]*keys", ".*/_medley/[a-z]*[.]json"};
    for (int i = 0; i < points.length; i++) {
      KilledJob.start(job, i == 3 ? 0 : 4, points[i]).kill();
    }
    assertThat(count(job.score(), "rows")).isLessThan(ROWS);
    Map<Long, String> first = ResumeJob.predictions(SESSION.spark(), "parquet", job.out());
    assertClose(first, expected);

    job.train("adapters/qv/adapter_model.safetensors");
    Map<Long, String> trained = uninterrupted(job, "parquet");
    String[] laterPoints = {".*/stale/part-[^/]*", DATA, COMMITS, ".*/_SUCCESS"};
    for (String point : laterPoints) {
      KilledJob.start(job, point.endsWith("_SUCCESS") ? 0 : 5, point).kill();
    }
    CommandLineRun last = job.score();
    assertThat(count(last, "rows")).isZero();
    Map<Long, String> second = ResumeJob.predictions(SESSION.spark(), "parquet", job.out());
    assertClose(second, trained);
    second.forEach(
        (id, prediction) -> {
          if (id % 4 == 1 || id % 4 == 2) {
            assertThat(prediction).isEqualTo(first.get(id));
          }
        });
    assertThat(job.data()).hasSize(CHUNKS);
    assertThat(job.hidden("stale")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {DATA, COMMITS})
  @Tag("long") // a cluster
  void executorThatDiesInACommitLosesAndDoublesNothing(String at) throws Exception {
    ResumeJob job = job();
    KilledJob.startOnCluster(job, 3, at, "window-rows=10").finish();
    assertThat(job.data()).hasSize(CHUNKS);
    assertThat(job.hidden("chunks")).hasSize(2 * CHUNKS);
    Map<Long, String> predictions = ResumeJob.predictions(SESSION.spark(), "parquet", job.out());
    assertThat(predictions).hasSize(ROWS);
    assertClose(predictions, uninterrupted(job, "parquet"));
    assertThat(count(job.score(), "rows")).isZero();
  }

  @Test
  void secondRunAtTheSameTimeIsRefused() throws Exception {
    ResumeJob job = job();
    KilledJob first = KilledJob.start(job, 2, COMMITS);
    try {
      first.await();
      CommandLineRun second = job.score();
      assertThat(second.code()).isEqualTo(Medley.FAILED);
      assertThat(second.err())
          .startsWith(
              "medley score failed: file:"
                  + job.out()
                  + ": expected no other run that writes here, found one of ")
          .endsWith(
              ", process "
                  + first.process().pid()
                  + "; wait until it has ended, or choose another output.path\n");
      assertThat(job.hidden("claims")).hasSize(1);
    } finally {
      first.kill();
    }
    assertThat(count(job.score(), "rows")).isLessThan(ROWS);
  }
}
