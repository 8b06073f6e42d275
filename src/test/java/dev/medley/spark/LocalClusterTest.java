package dev.medley.spark;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;

/** {@code local-cluster[2,2,2048]}, its executors with one cache folder for both. */
@Tag("long")
class LocalClusterTest extends ClusterContract {
  @Override
  Cluster cluster() throws Exception {
    return Cluster.local();
  }

  @Override
  Map<String, String> settings(Path folder) {
    return Map.of("spark.executorEnv.MEDLEY_CACHE", folder.resolve("cache").toString());
  }

  @Override
  String cacheOf(String executor) {
    return "of both";
  }
}
