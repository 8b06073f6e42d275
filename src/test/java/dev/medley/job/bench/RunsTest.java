package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.job.bench.Runs.Run;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RunsTest {
  private static List<String> sets(int count) {
    return IntStream.range(0, count).mapToObj(i -> "s" + i).toList();
  }

  @Test
  void rowsThatDoNotDivideEvenlyGoToTheFirst() {
    assertThat(Runs.uniform(sets(3), 8).runs())
        .containsExactly(new Run("s0", 3), new Run("s1", 3), new Run("s2", 2));
  }

  @Test
  void setsWithoutARowAreNone() {
    assertThat(Runs.uniform(sets(9), 2).sets()).containsExactly("s0", "s1");
  }

  @Test
  void zipfGivesTheKthSetItsShareOfAllRows() {
    assertThat(Runs.zipf(sets(4), 25, 1).runs())
        .containsExactly(new Run("s0", 12), new Run("s1", 6), new Run("s2", 4), new Run("s3", 3));
    Runs many = Runs.zipf(sets(512), 8192, 1.1);
    assertThat(many.rows()).isEqualTo(8192);
    assertThat(many.runs())
        .isSortedAccordingTo(Collections.reverseOrder((a, b) -> a.rows() - b.rows()));
    double ratio = (double) many.runs().get(0).rows() / many.runs().get(9).rows();
    assertThat(ratio).isBetween(Math.pow(10, 1.1) * 0.99, Math.pow(10, 1.1) * 1.01);
  }

  @ParameterizedTest
  @CsvSource({
    // sets, rows, rows of a chunk, chunks, runs in a chunk, rows of a run
    "   1, 8192, 256, 32,  2, 128",
    "   8, 8192, 256, 32,  2, 128",
    "  64, 8192, 256, 32,  2, 128",
    " 512, 8192, 256, 32, 16,  16",
    "2048, 8192, 256, 32, 64,   4",
    " 512, 2048, 256,  8, 64,   4",
    " 512, 8192,  64, 128, 4,  16",
  })
  void chunkHasWholeRuns(int sets, int rows, int chunkRows, int chunks, int inChunk, int ofRun) {
    Runs job = Runs.uniform(sets(sets), rows);
    assertThat(job.chunks(chunkRows)).isEqualTo(chunks);
    assertThat(job.chunk(3, chunkRows).runs())
        .hasSize(inChunk)
        .allSatisfy(run -> assertThat(run.rows()).isEqualTo(ofRun));
  }

  @Test
  void allChunksTogetherAreTheJob() {
    Runs job = Runs.zipf(sets(512), 8192, 1.1);
    List<String> all = new ArrayList<>();
    for (int chunk = 0; chunk < job.chunks(256); chunk++) {
      all.addAll(job.chunk(chunk, 256).sorted());
    }
    assertThat(counts(all)).isEqualTo(counts(job.sorted()));
  }

  @Test
  void timedChunksComeFromAllOverTheJob() {
    List<Runs> chunks = Runs.uniform(sets(2048), 8192).chunks(256, 7);
    assertThat(chunks).hasSize(7);
    assertThat(chunks.stream().map(chunk -> chunk.sets().get(0)).toList())
        .containsExactly("s0", "s4", "s9", "s13", "s18", "s22", "s27");
    assertThat(chunks.get(6).sets()).contains("s2011");
  }

  @Test
  void moreChunksThanThereAreBeginAgain() {
    assertThat(Runs.uniform(sets(2), 8).chunks(4, 3)).hasSize(3);
    assertThat(Runs.uniform(sets(2), 2).chunks(256, 3)).containsOnly(Runs.uniform(sets(2), 2));
  }

  @Test
  void interleavedRowsTakeTurns() {
    Runs runs = new Runs(List.of(new Run("a", 3), new Run("b", 1), new Run("c", 2)));
    assertThat(runs.sorted()).containsExactly("a", "a", "a", "b", "c", "c");
    assertThat(runs.interleaved()).containsExactly("a", "b", "c", "a", "c", "a");
  }

  private static Map<String, Long> counts(List<String> sets) {
    return sets.stream().collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
  }
}
