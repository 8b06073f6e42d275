package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.io.HubServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Branches on the Hub move while sessions live. */
class HubScoringTest {
  private static final Path BASE = Fixtures.path("models/bert-sequence");

  @TempDir Path cache;
  private HubServer server;

  @BeforeEach
  void serve() throws IOException {
    server = new HubServer().ofThisJvm(cache);
    Map<String, byte[]> files = HubServer.files(BASE);
    files.keySet().removeIf(path -> path.contains("/"));
    server.repo("spark/bert").commit("main", files);
    commitAdapter("qv");
  }

  @AfterEach
  void close() {
    server.close();
  }

  private void commitAdapter(String name) throws IOException {
    server
        .repo("spark/adapter")
        .commit("main", HubServer.files(BASE.resolve("adapters").resolve(name)));
  }

  private static Dataset<Row> scored(String base, String adapter) {
    Dataset<Row> rows = LocalSpark.rows(List.of(RowFactory.create(1, "the red fox", "mine")));
    return new TextClassifier()
        .setModel(base)
        .addAdapter("mine", adapter)
        .setAdapterCol("adapter")
        .transform(rows);
  }

  private static List<Row> local(String adapter) {
    return scored(BASE.toString(), BASE + "/adapters/" + adapter).collectAsList();
  }

  @Test
  void rowsAreScoredUnderTheCommitThatThePlanSawAndTheNextPlanSeesTheNext() throws IOException {
    Dataset<Row> scored = scored("hf://spark/bert", "hf://spark/adapter");
    commitAdapter("bias-all"); // before an executor has read anything of the weights
    assertThat(scored.collectAsList()).isEqualTo(local("qv"));
    assertThat(scored("hf://spark/bert", "hf://spark/adapter").collectAsList())
        .isEqualTo(local("bias-all"))
        .isNotEqualTo(local("qv"));
    assertThat(scored.collectAsList()).isEqualTo(local("qv"));
  }
}
