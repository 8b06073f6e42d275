package dev.medley.spark;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;

/** A standalone master and two workers; each executor has a cache folder of its own. */
@Tag("long")
class StandaloneClusterTest extends ClusterContract {
  @Override
  Cluster cluster() throws Exception {
    return Cluster.standalone();
  }

  @Override
  Map<String, String> settings(Path folder) {
    return Map.of(
        "spark.executor.extraJavaOptions",
        "-Dmedley.cache=" + folder.resolve("cache-{{EXECUTOR_ID}}"));
  }

  @Override
  String cacheOf(String executor) {
    return "of " + executor;
  }
}
