package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** Texts of a wished number of tokens: words that the vocabulary has whole. */
final class BenchTexts {
  /** What the tokenizer adds: [CLS] and [SEP]. */
  private static final int SPECIAL = 2;

  /** Of the logarithm of lengths. */
  private static final double SPREAD = 0.6;

  private final List<String> words;

  private BenchTexts(List<String> words) {
    this.words = words;
  }

  /** Of the vocabulary in a folder's {@code tokenizer.json}, a WordPiece model. */
  static BenchTexts of(Path folder) {
    try {
      JsonNode tokenizer = new ObjectMapper().readTree(folder.resolve("tokenizer.json").toFile());
      Iterator<String> vocab = tokenizer.get("model").get("vocab").fieldNames();
      Iterable<String> all = () -> vocab;
      return new BenchTexts(
          StreamSupport.stream(all.spliterator(), false)
              .filter(word -> word.matches("[a-z]{3,}"))
              .sorted()
              .toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One text a length, in tokens with the special ones. */
  List<String> texts(int[] lengths, long seed) {
    Random random = new Random(seed);
    return Arrays.stream(lengths)
        .mapToObj(
            length ->
                Stream.generate(() -> words.get(random.nextInt(words.size())))
                    .limit(length - SPECIAL)
                    .collect(Collectors.joining(" ")))
        .toList();
  }

  /** All the same. */
  static int[] constant(int rows, int length) {
    return IntStream.generate(() -> length).limit(rows).toArray();
  }

  /**
   * Log-normal, clipped to {@code least} and {@code most}. The median is chosen such that those
   * rows, not only all that might be drawn, have {@code mean}.
   */
  static int[] logNormal(int rows, int mean, int least, int most, long seed) {
    Random random = new Random(seed);
    double[] normal = new double[rows];
    Arrays.setAll(normal, i -> random.nextGaussian());
    double low = least;
    double high = most;
    int[] lengths = new int[rows];
    for (int step = 0; step < 50; step++) {
      double median = (low + high) / 2;
      Arrays.setAll(
          lengths,
          i ->
              (int)
                  Math.round(
                      Math.max(least, Math.min(most, median * Math.exp(SPREAD * normal[i])))));
      if (Arrays.stream(lengths).sum() < (long) mean * rows) {
        low = median;
      } else {
        high = median;
      }
    }
    return lengths;
  }
}
