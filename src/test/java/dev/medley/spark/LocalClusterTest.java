package dev.medley.spark;

import static dev.medley.spark.LocalSpark.random;
import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.TextClassification;
import dev.medley.io.HubServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@code local-cluster[2,2,2048]}, its executors with one cache folder for both. */
@Tag("long")
class LocalClusterTest extends ClusterContract {
  private static final String TOKEN = "hf_ofTheExecutors";
  private static final String[] ON_HUB = {"qv", "all-linear", "head-2-labels"};

  private HubServer hub;

  @Override
  Cluster cluster() throws Exception {
    return Cluster.local();
  }

  @Override
  Map<String, String> settings(Path folder) {
    hub = new HubServer().ofThisJvm(folder.resolve("hub of the driver"));
    hub.accounts.add(TOKEN);
    return Map.of(
        "spark.executorEnv.MEDLEY_CACHE", folder.resolve("cache").toString(),
        "spark.executorEnv.HF_ENDPOINT", hub.endpoint(),
        "spark.executorEnv.HF_HOME", folder.resolve("hub of both").toString(),
        "spark.executorEnv.HF_TOKEN", TOKEN);
  }

  @AfterAll
  void closeHub() {
    hub.close();
  }

  @Override
  String cacheOf(String executor) {
    return "of both";
  }

  /** The driver's cache is another one, so that executors fetch for themselves. */
  @Test
  void executorsFetchEachFileFromTheHubOnceAndWithTheirToken() throws IOException {
    Map<String, byte[]> base = HubServer.files(ClusterRows.MODEL);
    base.keySet().removeIf(path -> path.contains("/"));
    hub.repo("cluster/bert").commit("main", base);
    Map<String, AdapterSource> there = new LinkedHashMap<>();
    for (String adapter : ON_HUB) {
      Path folder = ClusterRows.MODEL.resolve("adapters").resolve(adapter);
      hub.repo("cluster/" + adapter).commit("main", HubServer.files(folder));
      there.put(adapter, AdapterSource.of("hf://cluster/" + adapter));
    }
    EngineSpec spec = // checked on the driver, which so sees the commits
        LocalSpark.ready(EngineSpec.of("hf://cluster/bert", TextClassification.AUTO, there));
    List<Row> rows = random(200, 5, ON_HUB);
    hub.repo("cluster/bert").readers = Set.of(TOKEN);
    hub.forgetRequests();
    List<Row> scored = score(rows, ClusterRows.steady(spec));

    EngineSpec local = LocalSpark.spec(ClusterRows.MODEL, TextClassification.AUTO, ON_HUB);
    assertThat(scored).isEqualTo(score(rows, ClusterRows.steady(local)));
    assertThat(scored).noneMatch(row -> row.isNullAt(3));
    assertThat(hub.requests())
        .filteredOn(request -> request.method().equals("GET") && request.range() == null)
        .filteredOn(request -> request.path().contains("/resolve/"))
        .extracting(HubServer.Request::path)
        .doesNotHaveDuplicates()
        .anyMatch(path -> path.startsWith("/cluster/bert/") && path.endsWith("/model.safetensors"))
        .anyMatch(path -> path.startsWith("/cluster/qv/"));
    assertThat(hub.requests())
        .filteredOn(request -> request.host().equals("hub"))
        .isNotEmpty()
        .allMatch(request -> ("Bearer " + TOKEN).equals(request.token()));
  }
}
