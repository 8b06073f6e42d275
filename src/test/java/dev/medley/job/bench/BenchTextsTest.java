package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.medley.job.MiniLm;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchTextsTest {
  @Test
  void textsOfTheRealVocabularyHaveTheirLength() throws IOException {
    haveTheirLength(MiniLm.folder());
  }

  @Test
  void textsOfAMadeUpVocabularyHaveTheirLength(@TempDir Path folder) throws IOException {
    EncoderFolder.write(folder, new EncoderShape(32, 32, 1, 2, 500));
    haveTheirLength(folder);
  }

  private static void haveTheirLength(Path folder) throws IOException {
    int[] lengths = BenchTexts.logNormal(200, 64, 8, 256, 1);
    List<String> texts = BenchTexts.of(folder).texts(lengths, 1);
    try (HuggingFaceTokenizer tokenizer =
        HuggingFaceTokenizer.newInstance(
            folder.resolve("tokenizer.json"), Map.of("truncation", "false", "padding", "false"))) {
      assertThat(texts.stream().mapToInt(text -> tokenizer.encode(text).getIds().length).toArray())
          .isEqualTo(lengths);
    }
    assertThat(BenchTexts.of(folder).texts(lengths, 1)).isEqualTo(texts);
    assertThat(BenchTexts.of(folder).texts(lengths, 2)).doesNotContainAnyElementsOf(texts);
  }

  @ParameterizedTest
  @CsvSource({"256, 64", "16, 64", "7, 64", "256, 100"})
  void logNormalLengthsHaveTheirMean(int rows, int mean) {
    for (int seed = 0; seed < 9; seed++) {
      int[] lengths = BenchTexts.logNormal(rows, mean, 8, 256, seed);
      assertThat(lengths).hasSize(rows);
      assertThat(Arrays.stream(lengths).average().orElseThrow()).isBetween(mean - 0.6, mean + 0.6);
      assertThat(Arrays.stream(lengths).min().orElseThrow()).isGreaterThanOrEqualTo(8);
      assertThat(Arrays.stream(lengths).max().orElseThrow()).isLessThanOrEqualTo(256);
      assertThat(Arrays.stream(lengths).distinct().count()).isGreaterThan(3);
    }
  }

  @Test
  void constantLengthsAreTheSame() {
    assertThat(BenchTexts.constant(3, 64)).containsExactly(64, 64, 64);
  }
}
