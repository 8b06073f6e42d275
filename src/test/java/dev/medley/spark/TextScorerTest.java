package dev.medley.spark;

import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.engine.DecoderFolder;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Likelihood;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextScoring;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Likelihoods in a Dataset. */
class TextScorerTest {
  private static final StructType ROWS =
      StructType.fromDDL("id int, text string, adapter string, answer string");

  @TempDir Path folder;

  private TextScorer scorer() {
    return new TextScorer()
        .setModel(folder.toString())
        .setAdapterCol("adapter")
        .addAdapter("lora", DecoderFolder.adapters("llama").get("lora").uri())
        .addAdapter("oft", DecoderFolder.adapters("llama").get("oft").uri());
  }

  private static List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < 30; id++) {
      String adapter = Arrays.asList(null, "lora", "oft", "oft+lora").get(id % 4);
      String text = DecoderFolder.text(new long[] {5 + id, 70 - id, 9});
      rows.add(RowFactory.create(id, text, adapter, " t" + (20 + id) + " t7"));
    }
    return rows;
  }

  private static Dataset<Row> dataset(List<Row> rows) {
    return session().createDataFrame(rows, ROWS);
  }

  private void areTheEngines(Dataset<Row> scored, List<Request> requests) {
    List<Row> rows = scored.orderBy("id").collectAsList();
    EngineSpec spec =
        EngineSpec.of(folder.toString(), TextScoring.AUTO, DecoderFolder.adapters("llama"));
    List<Result> expected;
    try (Engine engine = Engine.load(spec)) {
      expected = engine.run(requests);
    }
    assertThat(rows).hasSameSizeAs(expected);
    for (int i = 0; i < rows.size(); i++) {
      assertThat(rows.get(i).isNullAt(5)).isTrue();
      Row row = rows.get(i).getStruct(4);
      Likelihood likelihood = (Likelihood) expected.get(i).prediction();
      assertThat(row.getDouble(0)).isCloseTo(likelihood.logLikelihood(), offset(1e-4));
      assertThat(row.getDouble(1) / likelihood.perplexity()).isCloseTo(1, offset(1e-4));
      assertThat(row.<Integer>getList(2))
          .isEqualTo(Arrays.stream(likelihood.tokens()).boxed().toList());
      assertThat(row.<Float>getList(3)).hasSize(likelihood.logProbs().length);
      for (int t = 0; t < likelihood.logProbs().length; t++) {
        assertThat(row.<Float>getList(3).get(t)).isCloseTo(likelihood.logProbs()[t], offset(1e-4f));
      }
      assertThat(row.getBoolean(4)).isEqualTo(likelihood.isGreedy());
    }
  }

  @Test
  void completionsAreScoredAfterTheirPromptsAsTheEngineDoes() {
    DecoderFolder.of("llama", folder);
    Dataset<Row> scored = scorer().setCompletionCol("answer").score(dataset(rows()).repartition(3));
    areTheEngines(
        scored,
        rows().stream()
            .map(r -> Request.ofCompletion(r.getString(1), r.getString(3), r.getString(2)))
            .toList());
    scored.createOrReplaceTempView("likelihoods");
    assertThat(
            session()
                .sql(
                    "select max(prediction.log_likelihood) < 0, min(size(prediction.tokens)),"
                        + " bool_or(prediction.is_greedy) is not null from likelihoods")
                .first())
        .isEqualTo(RowFactory.create(true, 2, true));
  }

  @Test
  void textsAreScoredByThemselves() {
    DecoderFolder.of("llama", folder);
    areTheEngines(
        scorer().score(dataset(rows()).repartition(2)),
        rows().stream().map(r -> Request.of(r.getString(1), r.getString(2))).toList());
  }

  @Test
  void rowWithoutCompletionIsAnErrorAndNotScoredAsAText() {
    DecoderFolder.of("llama", folder);
    List<Row> rows =
        List.of(
            RowFactory.create(0, "t9 t8", null, null),
            RowFactory.create(1, null, null, " t7"),
            RowFactory.create(2, "t9 t8", null, ""),
            RowFactory.create(3, "t6 ".repeat(70), null, " t7"),
            RowFactory.create(4, "t9 t8", null, " t7"));
    List<Row> scored =
        scorer().setCompletionCol("answer").score(dataset(rows).coalesce(1)).collectAsList();
    assertThat(scored)
        .extracting(row -> row.isNullAt(5) ? null : row.getStruct(5).mkString(": "))
        .containsExactly(
            "TEXT_NULL: completion: expected a string, found null",
            "TEXT_NULL: text: expected a string, found null",
            "TEXT_EMPTY: text: expected a token after the first one, which has none before it,"
                + " found none",
            "TEXT_TOO_LONG: text: expected at most 64 tokens, found 71",
            null);
  }

  @Test
  void columnsAreCheckedOnTheDriver() {
    StructType in = StructType.fromDDL("text string, answer int");
    TextScorer scorer = new TextScorer().setModel("m");
    assertThatThrownBy(() -> scorer.setCompletionCol("answer").transformSchema(in))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("completion column answer: expected string, found int");
    assertThatThrownBy(() -> scorer.setCompletionCol("anwser").transformSchema(in))
        .hasMessage(
            "completion column anwser: expected string, found no such column among text, answer;"
                + " did you mean answer?");
  }
}
