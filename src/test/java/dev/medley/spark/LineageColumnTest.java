package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static dev.medley.spark.LocalSpark.spec;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.SetManifest;
import dev.medley.engine.TextClassification;
import dev.medley.io.Location;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Where a row's prediction comes from, beside it. */
class LineageColumnTest {
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");
  private static final ScoringColumns COLUMNS =
      new ScoringColumns("text", "adapter", "prediction").withLineage("lineage");
  private static final String FINGERPRINT =
      SetManifest.fingerprint(Storage.standard(), Location.of(SEQUENCE.toString()));

  private static void isTold(Row row, String column) {
    Row lineage = row.getAs(column);
    String adapter = row.getAs("adapter");
    assertThat(lineage.<String>getAs("base")).isEqualTo(FINGERPRINT);
    assertThat(lineage.<String>getAs("adapter_set"))
        .isEqualTo(adapter == null ? "__base__" : adapter);
    List<Row> members = lineage.getList(lineage.fieldIndex("adapters"));
    if (adapter == null) {
      assertThat(lineage.<String>getAs("mode")).isEqualTo("base");
      assertThat(members).isEmpty();
    } else {
      assertThat(lineage.<String>getAs("mode")).isIn("added", "merged", "scratch");
      Path folder = Path.of(adapter(SEQUENCE, adapter));
      assertThat(members).hasSize(1);
      assertThat(members.get(0).<String>getAs("sha256"))
          .isEqualTo(Sha256.of(folder.resolve("adapter_model.safetensors")));
      assertThat(members.get(0).<String>getAs("config_sha256"))
          .isEqualTo(Sha256.of(folder.resolve("adapter_config.json")));
    }
    assertThat(lineage.<String>getAs("device")).isEqualTo("cpu");
    assertThat(lineage.<Integer>getAs("tokens")).isPositive();
    Row error = row.getAs("prediction_error"); // some of the texts are cut
    assertThat(lineage.<Boolean>getAs("truncated")).isEqualTo(error != null);
  }

  @ParameterizedTest
  @EnumSource(
      value = AdapterAffinity.class,
      names = {"ON", "OFF"})
  void rowsHaveTheirsWhetherTheyAreMovedOrNot(AdapterAffinity affinity) {
    EngineSpec spec = spec(SEQUENCE, TextClassification.AUTO, "qv", "all-linear");
    Dataset<Row> in =
        rows(random(60, 1, "qv", "all-linear", null)).repartitionByRange(3, functions.col("id"));
    Dataset<Row> scored = Scoring.score(in, spec, COLUMNS, affinity, null);
    assertThat(scored.schema().apply("lineage").dataType())
        .isEqualTo(
            StructType.fromDDL(
                "base string, adapter_set string, adapters array<struct<name:string,weight:double,"
                    + "sha256:string,config_sha256:string>>, version string, mode string,"
                    + " device string, tokens int, truncated boolean"));
    List<Row> all = scored.collectAsList();
    assertThat(all).hasSize(60);
    all.forEach(row -> isTold(row, "lineage"));
  }

  @Test
  void streamsHaveIt(@TempDir Path folder) throws Exception {
    String in = folder.resolve("in").toString();
    rows(random(10, 2, "qv", null)).coalesce(1).write().json(in);
    Dataset<Row> scored =
        new TextClassifier()
            .setModel(SEQUENCE.toString())
            .setAdapterCol("adapter")
            .addAdapter("qv", adapter(SEQUENCE, "qv"))
            .setLineageCol("from")
            .classify(session().readStream().schema(LocalSpark.ROWS).json(in));
    StreamingQuery query =
        scored.writeStream().format("memory").queryName("lineage").outputMode("append").start();
    try {
      query.processAllAvailable();
      List<Row> all = session().table("lineage").collectAsList();
      assertThat(all).hasSize(10);
      all.forEach(row -> isTold(row, "from"));
    } finally {
      query.stop();
    }
  }

  @Test
  void continuationsOfChatsHaveIt(@TempDir Path folder) {
    DecoderFolder.ofChats("llama", folder);
    TextGenerator generator =
        new TextGenerator()
            .setModel(folder.toString())
            .setMessagesCol("chat")
            .setMaxNewTokens(3)
            .setLineageCol("lineage");
    Row row =
        generator
            .transform(
                session()
                    .sql("select array(named_struct('role', 'user', 'content', 't30')) as chat"))
            .first();
    Row lineage = row.getAs("lineage");
    assertThat(lineage.<Integer>getAs("tokens")).isEqualTo(3 + 3); // t20 t30 t22
    assertThat(lineage.<String>getAs("mode")).isEqualTo("base");
  }

  @Test
  void itsNameMustBeNew() {
    assertThatThrownBy(
            () ->
                Scoring.schema(LocalSpark.ROWS, TextClassification.AUTO, COLUMNS.withLineage("ID")))
        .hasMessage(
            "output column ID: expected a new name, found input column id; choose another name for"
                + " the lineage");
    assertThatThrownBy(
            () ->
                Scoring.schema(
                    LocalSpark.ROWS,
                    TextClassification.AUTO,
                    COLUMNS.withLineage("Prediction_error")))
        .hasMessage(
            "lineage column Prediction_error: expected another name than those of the prediction"
                + " and its error");
  }
}
