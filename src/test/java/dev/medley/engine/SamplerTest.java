package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against the logits processors of transformers' generate. */
class SamplerTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  @Test
  void drawsAreFromTheTokensThatGenerateKeeps() throws IOException {
    JsonNode cases = JSON.readTree(Fixtures.path("sampling/cases.json").toFile());
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected expected = Fixtures.expected("sampling", "scores", owner);
      long[][] ids = expected.rows("ids");
      for (int c = 0; c < cases.size(); c++) {
        Sampler sampler = new Sampler(settings(cases.get(c)));
        float[][] logits = rows(expected, "logits");
        float[][] probabilities = rows(expected, "probabilities." + c);
        for (int row = 0; row < logits.length; row++) {
          String where = "case " + cases.get(c) + ", row " + row;
          BitSet seen = new BitSet();
          Arrays.stream(ids[row]).forEach(id -> seen.set((int) id));
          sampler.penalise(logits[row], seen);
          if (sampler.settings().minNewTokens() > 2) { // the fixture's rows have 2 new ones
            sampler.forbidEnd(logits[row]);
          }
          assertKept(sampler, logits[row], probabilities[row], where);
        }
      }
    }
  }

  /** Like a model's folder. */
  private GenerationSettings settings(JsonNode generationConfig) throws IOException {
    Files.writeString(folder.resolve("generation_config.json"), generationConfig.toString());
    return GenerationSettings.of(
        Storage.standard(), Location.of(folder.toString()), TextGeneration.AUTO.withDoSample(true));
  }

  private static float[][] rows(Expected expected, String name) {
    float[][] rows = new float[(int) expected.get(name).getShape().get(0)][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = expected.get(name).get(i).toFloatArray();
    }
    return rows;
  }

  private static void assertKept(
      Sampler sampler, float[] logits, float[] probabilities, String where) {
    int kept = sampler.keep(logits);
    int at = 0;
    for (int id = 0; id < probabilities.length; id++) {
      if (probabilities[id] >= 0) {
        assertThat(at).as(where).isLessThan(kept);
        assertThat(sampler.id(at)).as(where).isEqualTo(id);
        assertThat(sampler.probability(at))
            .as(where + ", token " + id)
            .isCloseTo(probabilities[id], within(1e-6));
        at++;
      }
    }
    assertThat(at).as(where).isEqualTo(kept);
  }

  /** HF's way for vocabularies of a real size: sort all, add up from the least. */
  @Test
  void topPIsThatOfAFullSort() {
    Random random = new Random(11);
    for (double spread : new double[] {0.001, 0.3, 1, 3, 10}) {
      for (double topP : new double[] {0.01, 0.5, 0.9, 0.99, 0.9999}) {
        float[] logits = new float[5000];
        for (int i = 0; i < logits.length; i++) {
          logits[i] = (float) (random.nextGaussian() * spread);
        }
        Arrays.fill(logits, 100, 200, logits[99]);
        Sampler sampler = new Sampler(drawn(1, 0, topP, 0));
        int kept = sampler.keep(logits);
        int[] found = new int[kept];
        Arrays.setAll(found, sampler::id);
        assertThat(found).as("%s %s", spread, topP).isEqualTo(bySorting(logits, topP));
      }
    }
  }

  private static int[] bySorting(float[] logits, double topP) {
    Integer[] order = new Integer[logits.length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, (a, b) -> Float.compare(logits[a], logits[b]));
    double max = logits[order[order.length - 1]];
    double sum = 0;
    for (float logit : logits) {
      sum += (float) Math.exp(logit - max);
    }
    double below = 0;
    int first = 0;
    for (; first < order.length - 1; first++) {
      below += (float) (Math.exp(logits[order[first]] - max) / sum);
      if ((float) below > (float) (1 - topP)) {
        break;
      }
    }
    return Arrays.stream(order, first, order.length).mapToInt(i -> i).sorted().toArray();
  }

  private static GenerationSettings drawn(double temperature, int topK, double topP, double minP) {
    return new GenerationSettings(
        9, Integer.MAX_VALUE, 0, true, temperature, topK, topP, minP, 1, List.of(), Set.of(), 0);
  }

  @Test
  void drawnTokensAreAsFrequentAsTheyAreLikely() {
    float[] logits = {1, -2, 0.5f, Float.NEGATIVE_INFINITY, 2, 0, -1, 1};
    Sampler sampler = new Sampler(drawn(1, 0, 1, 0));
    RowRandom random = RowRandom.of(3, null, new long[] {1}, "");
    int[] counts = new int[logits.length];
    for (int i = 0; i < 20_000; i++) {
      counts[sampler.draw(logits.clone(), random.draw(i))]++;
    }
    double[] probabilities = new double[logits.length];
    for (int i = 0; i < sampler.keep(logits); i++) {
      probabilities[sampler.id(i)] = sampler.probability(i);
    }
    assertThat(Arrays.stream(probabilities).sum()).isCloseTo(1, within(1e-12));
    assertThat(counts[3]).isZero();
    assertThat(chiSquare(counts, probabilities)).isLessThan(22.5); // 1 in 1000 at 6
  }

  static double chiSquare(int[] counts, double[] probabilities) {
    double total = Arrays.stream(counts).sum();
    double sum = 0;
    for (int i = 0; i < counts.length; i++) {
      if (probabilities[i] > 0) {
        double expected = total * probabilities[i];
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
      }
    }
    return sum;
  }

  @Test
  void drawGoesThroughTheTokensInTheOrderOfTheirIds() {
    float log3 = (float) Math.log(3);
    float[] logits = {0, Float.NEGATIVE_INFINITY, log3, 0}; // 0.2, 0, 0.6, 0.2
    Sampler sampler = new Sampler(drawn(1, 0, 1, 0));
    double[] uniform = {0, 0.19, 0.21, 0.79, 0.81, 1 - 0x1p-53};
    int[] expected = {0, 0, 2, 2, 3, 3};
    for (int i = 0; i < uniform.length; i++) {
      assertThat(sampler.draw(logits.clone(), uniform[i])).isEqualTo(expected[i]);
    }
    float[] far = {-200, 0, -200}; // probability 0 in float
    assertThat(sampler.draw(far, 0)).isEqualTo(1);
    assertThat(sampler.draw(far, 1 - 0x1p-53)).isEqualTo(1);
  }

  @Test
  void samplerThatHadOtherRowsDrawsTheSame() {
    Random random = new Random(5);
    Sampler used = new Sampler(drawn(0.9, 40, 0.9, 0.01));
    for (int v : new int[] {3000, 50, 3000, 10, 777}) {
      float[] logits = new float[v];
      for (int i = 0; i < v; i++) {
        logits[i] = (float) random.nextGaussian() * 3;
      }
      double uniform = random.nextDouble();
      Sampler fresh = new Sampler(used.settings());
      assertThat(used.draw(logits.clone(), uniform)).isEqualTo(fresh.draw(logits, uniform));
    }
  }

  @Test
  void likeliestIsTheFirstOfEqualOnes() {
    assertThat(Sampler.likeliest(new float[] {-3, 2, 0, 2})).isEqualTo(1);
    assertThat(Sampler.likeliest(new float[] {Float.NEGATIVE_INFINITY, -5})).isEqualTo(1);
  }

  @Test
  void logitsThatAreNoNumbersAreRefused() {
    assertThatThrownBy(() -> Sampler.likeliest(new float[] {1, Float.NaN, 3}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("logit of token 1: expected a number, got NaN");
    assertThatThrownBy(
            () -> new Sampler(drawn(1, 1, 1, 0)).draw(new float[] {1, Float.POSITIVE_INFINITY}, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("logit of token 1: expected a number, got Infinity");
    assertThatThrownBy(() -> Sampler.likeliest(new float[] {Float.NEGATIVE_INFINITY}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("logits: expected one above -Infinity, got none");
  }

  @Test
  void penaltyCountsAnIdOnceAndNoneOutsideTheVocabulary() {
    GenerationSettings settings =
        new GenerationSettings(
            9, Integer.MAX_VALUE, 0, false, 1, 0, 1, 0, 2, List.of(), Set.of(-1L, 1L, 99L), 0);
    Sampler sampler = new Sampler(settings);
    float[] logits = {4, -4, 0, 8};
    BitSet seen = new BitSet();
    for (int id : new int[] {0, 0, 1, 2, 77}) {
      seen.set(id);
    }
    sampler.penalise(logits, seen);
    assertThat(logits).containsExactly(2, -8, 0, 8);
    sampler.forbidEnd(logits);
    assertThat(logits).containsExactly(2, Float.NEGATIVE_INFINITY, 0, 8);
  }

  @Test
  void exponentialIsThatOfMath() {
    assertThat(Sampler.exp(0)).isEqualTo(1);
    assertThat(Sampler.exp(Float.NEGATIVE_INFINITY)).isZero();
    for (float x = 0; x > -104; x -= 0.0037f) {
      assertThat(Sampler.exp(x)).isCloseTo(Math.exp(x), within(1e-10 * Math.exp(x)));
    }
  }
}
