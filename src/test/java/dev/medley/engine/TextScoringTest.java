package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.Likelihood;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Likelihoods and labels that decoders give, against transformers' logits. */
class TextScoringTest {
  @TempDir Path folder;

  private static List<long[]> ids(String name) throws IOException {
    JsonNode list =
        new ObjectMapper().readTree(Fixtures.path("decoders/" + name + "/rows.json").toFile());
    List<long[]> rows = new ArrayList<>();
    for (JsonNode row : list) {
      rows.add(
          IntStream.range(0, row.get("ids").size())
              .mapToLong(i -> row.get("ids").get(i).longValue())
              .toArray());
    }
    return rows;
  }

  /** log softmax of the logits before each token from {@code from} on. */
  private static float[] expected(NDArray logits, long[] ids, int from) {
    float[] flat = logits.toFloatArray();
    int v = flat.length / ids.length;
    float[] logProbs = new float[ids.length - from];
    for (int t = from; t < ids.length; t++) {
      double sum = 0;
      for (int i = 0; i < v; i++) {
        sum += Math.exp(flat[(t - 1) * v + i]);
      }
      logProbs[t - from] = (float) (flat[(t - 1) * v + (int) ids[t]] - Math.log(sum));
    }
    return logProbs;
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "gpt2", "gemma2"})
  void everyTokenIsAsLikelyAsTransformersLogitsSay(String name) throws IOException {
    DecoderFolder.of(name, folder);
    List<Request> requests = new ArrayList<>();
    List<float[]> expected = new ArrayList<>();
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected fixture = Fixtures.expected("decoders/" + name, owner);
      List<long[]> rows = ids(name);
      for (int i = 0; i < rows.size(); i++) {
        long[] row = rows.get(i);
        if (row.length == 1) {
          continue;
        }
        int cut = row.length / 2;
        String prompt = DecoderFolder.text(Arrays.copyOf(row, cut));
        String completion = DecoderFolder.text(Arrays.copyOfRange(row, cut, row.length));
        NDArray logits = fixture.get("logits." + i);
        requests.add(Request.of(DecoderFolder.text(row)));
        expected.add(expected(logits, row, 1));
        requests.add(Request.ofCompletion(prompt + " ", completion, null));
        expected.add(expected(logits, row, cut));
        requests.add(Request.ofCompletion(prompt, " " + completion, null));
        expected.add(expected(logits, row, cut));
        requests.add(Request.ofCompletion("", DecoderFolder.text(row), null));
        expected.add(expected(logits, row, 1));
      }
    }
    try (Engine engine =
        Engine.load(EngineSpec.of(folder.toString(), TextScoring.AUTO, Map.of()))) {
      List<Result> results = engine.run(requests);
      for (int i = 0; i < results.size(); i++) {
        assertThat(results.get(i).error()).isNull();
        Likelihood likelihood = (Likelihood) results.get(i).prediction();
        assertClose(likelihood.logProbs(), expected.get(i), 1e-5);
        double sum = 0;
        for (float logProb : expected.get(i)) {
          sum += logProb;
        }
        assertThat(likelihood.logLikelihood()).isCloseTo(sum, within(1e-4 * Math.abs(sum)));
        assertThat(likelihood.perplexity())
            .isCloseTo(
                Math.exp(-likelihood.logLikelihood() / expected.get(i).length), within(1e-9));
        assertThat(likelihood.tokens()).hasSameSizeAs(expected.get(i));
      }
      assertThat(results).anyMatch(result -> !((Likelihood) result.prediction()).isGreedy());
    }
  }

  /** What greedy generation says is, token for token, the likeliest. */
  @Test
  void aGreedyContinuationIsGreedy() {
    DecoderFolder.of("llama", folder);
    String prompt = "t9 t8 t7";
    TextGeneration generation = TextGeneration.AUTO.withMaxNewTokens(7).withEosTokenIds(List.of());
    String completion;
    try (Engine engine = Engine.load(EngineSpec.of(folder.toString(), generation, Map.of()))) {
      Prediction.Generation made =
          (Prediction.Generation) engine.run(List.of(Request.of(prompt))).get(0).prediction();
      completion = DecoderFolder.text(Arrays.stream(made.tokens()).asLongStream().toArray());
    }
    try (Engine engine =
        Engine.load(EngineSpec.of(folder.toString(), TextScoring.AUTO, Map.of()))) {
      Result result =
          engine.run(List.of(Request.ofCompletion(prompt, " " + completion, null))).get(0);
      assertThat(((Likelihood) result.prediction()).isGreedy()).isTrue();
    }
  }

  /** Some tokenizers end every text with a token of their own, which nobody asked about. */
  @Test
  void whatATokenizerPutsAtTheEndIsNotScored() throws IOException {
    DecoderFolder.of("llama", folder);
    Path file = folder.resolve("tokenizer.json");
    String text = Files.readString(file);
    String ending =
        """
        "post_processor":{"type":"TemplateProcessing",
          "single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"t1","type_id":0}}],
          "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
          "special_tokens":{"t1":{"id":"t1","ids":[1],"tokens":["t1"]}}}
        """;
    assertThat(text).contains("\"post_processor\":null");
    Files.writeString(file, text.replace("\"post_processor\":null", ending.strip()));
    try (Engine engine =
        Engine.load(EngineSpec.of(folder.toString(), TextScoring.AUTO, Map.of()))) {
      Result result = engine.run(List.of(Request.ofCompletion("t9 t8", " t30 t31", null))).get(0);
      assertThat(((Likelihood) result.prediction()).tokens()).containsExactly(30, 31);
    }
  }

  @Test
  void aTokenAloneHasNothingToBeScoredAfter() {
    DecoderFolder.of("llama", folder);
    try (Engine engine =
        Engine.load(EngineSpec.of(folder.toString(), TextScoring.AUTO, Map.of()))) {
      assertThat(engine.run(List.of(Request.of("t9"))).get(0).error())
          .isEqualTo(
              new RowError(
                  RowError.Code.TEXT_EMPTY,
                  "text: expected a token after the first one, which has none before it, found"
                      + " none"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-seq", "qwen2-seq", "gpt2-seq"})
  void labelsAreThoseOfTheLastRealToken(String name) throws IOException {
    DecoderFolder.of(name, folder);
    List<Request> requests =
        ids(name).stream().map(row -> Request.of(DecoderFolder.text(row))).toList();
    TextClassification raw = new TextClassification(0, TextClassification.Function.NONE);
    try (NDManager owner = NDManager.newBaseManager();
        Engine engine = Engine.load(EngineSpec.of(folder.toString(), raw, Map.of()))) {
      float[] scores = Fixtures.expected("decoders/" + name, owner).get("scores").toFloatArray();
      List<Result> results = engine.run(requests);
      float[] actual = new float[scores.length];
      for (int i = 0; i < results.size(); i++) {
        Classification labels = (Classification) results.get(i).prediction();
        for (int label = 0; label < 3; label++) {
          actual[3 * i + label] = labels.scores().get(label).score();
        }
      }
      assertClose(actual, scores, 1e-5);
    }
  }
}
