package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import java.util.function.UnaryOperator;
import org.apache.spark.SparkConf;
import org.apache.spark.ml.param.ParamMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What can be known without a cluster; {@link DevicesOnAClusterTest} has one. */
class ScoringResourcesTest {
  private static final ScoringResources HALF_A_GPU =
      ScoringResources.OF_THE_APPLICATION.withTaskGpus(0.5);
  private static final ScoringResources OTHER_EXECUTORS =
      ScoringResources.OF_THE_APPLICATION
          .withTaskCpus(2)
          .withTaskGpus(1)
          .withExecutors(4, "16g", "8g")
          .withExecutorGpus(2, "/opt/gpus.sh", "nvidia.com");

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          0.7 ; task GPUs: expected 1, or at most 0.5 for tasks to share one, got 0.7
          2   ; task GPUs: expected 1, or at most 0.5 for tasks to share one, got 2.0
          0   ; task GPUs: expected 1, or at most 0.5 for tasks to share one, got 0.0
          NaN ; task GPUs: expected 1, or at most 0.5 for tasks to share one, got NaN
          """)
  void taskComputesOnOneGpuOrAShareOfOne(double gpus, String message) {
    assertRefused(resources -> resources.withTaskGpus(gpus), message);
  }

  @Test
  void numbersThatMakeNoSenseAreRefused() {
    assertRefused(resources -> resources.withTaskCpus(0), "task cpus: expected at least 1, got 0");
    assertRefused(
        resources -> resources.withExecutors(0, null, null),
        "executor cores: expected at least 1, got 0");
    assertRefused(
        resources -> resources.withExecutorGpus(2, null, null),
        "task GPUs: expected some, since executors have 2, found none");
  }

  private static void assertRefused(UnaryOperator<ScoringResources> with, String message) {
    assertThatThrownBy(() -> with.apply(ScoringResources.OF_THE_APPLICATION))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  private static SparkConf cluster(boolean isDynamic, String gpus) {
    SparkConf conf = new SparkConf(false).setMaster("spark://host:7077");
    conf.set("spark.dynamicAllocation.enabled", Boolean.toString(isDynamic));
    return gpus == null ? conf : conf.set("spark.executor.resource.gpu.amount", gpus);
  }

  @Test
  void clusterThatCannotGiveThemIsToldWhatItLacks() {
    HALF_A_GPU.check(cluster(false, "1"));
    OTHER_EXECUTORS.check(cluster(true, null));
    assertThatThrownBy(() -> OTHER_EXECUTORS.check(cluster(false, null)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "scoring resources: expected none of executors where spark.dynamicAllocation.enabled is"
                + " false, since Spark starts other executors for a stage that has them, found"
                + " ScoringResources[taskCpus=2, taskGpus=1.0, executorCores=4, ")
        .hasMessageEndingWith("; set it to true, or say only what tasks have");
    assertThatThrownBy(() -> HALF_A_GPU.check(cluster(true, null)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("scoring resources: expected no GPUs of tasks where executors have")
        .hasMessageEndingWith(
            "; set spark.executor.resource.gpu.amount, or give executors some here");
  }

  @Test
  void localModeHasNone() {
    TextEmbedder embedder =
        new TextEmbedder()
            .setModel(Fixtures.path("models/bert").toString())
            .setResources(HALF_A_GPU);
    assertThatThrownBy(() -> embedder.transform(LocalSpark.rows(LocalSpark.random(2, 1, "a"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "scoring resources: expected none in local mode, where all tasks run in the driver's"
                + " JVM with what it has, found ScoringResources[")
        .hasMessageEndingWith("; leave them out, or run on a cluster, be it local-cluster");
    assertThat(embedder.copy(new ParamMap()).getResources()).isEqualTo(HALF_A_GPU);
  }
}
