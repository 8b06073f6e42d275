package dev.medley.spark;

import dev.medley.Fixtures;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Merging;
import dev.medley.engine.TextClassification;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Rows in eight partitions and adapters of a tiny model, for tests on clusters. */
final class ClusterRows {
  static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");
  static final Path MODEL = Fixtures.path("models/bert-sequence");
  static final int PARTITIONS = 8;
  static final int COUNT = 400;

  /** The id of a row in the middle of the sixth partition, when others are done. */
  static final int LATE = 277;

  private static final String[] ADAPTERS = {
    "qv", "all-linear", "head-7-labels", "bias-all", "lokr-qv", "trainable-tokens"
  };

  private ClusterRows() {}

  /** Rows that can be scored, all of them. */
  static List<Row> calm() {
    return LocalSpark.random(
        COUNT,
        41,
        "qv",
        "all-linear",
        "head-7-labels",
        null,
        "bias-all",
        "lokr-qv+trainable-tokens");
  }

  static EngineSpec spec(Path model) {
    return steady(LocalSpark.spec(model, TextClassification.AUTO, ADAPTERS));
  }

  /**
   * The same with the same bits on any executor. A row is alone in its batch, since its neighbours
   * there depend on the adapters that the executor has in memory; nothing is merged, since what
   * that costs is measured in each JVM. Windows are small: a task that is half way has given rows.
   */
  static EngineSpec steady(EngineSpec spec) {
    return spec.with(Merging.AUTO.with(Merging.Mode.NEVER)).with(new Batching(1, 200, 10, 0, true));
  }

  static Dataset<Row> in(SparkSession session, List<Row> rows) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(session.sparkContext());
    return session.createDataFrame(context.parallelize(rows, PARTITIONS), LocalSpark.ROWS);
  }

  /** The same rows after something that may happen to them. */
  static Dataset<Row> through(MapFunction<Row, Row> fault, Dataset<Row> rows) {
    return rows.map(fault, Encoders.row(rows.schema()));
  }

  static Dataset<Row> scored(Dataset<Row> rows, EngineSpec spec) {
    return Scoring.score(rows, spec, COLUMNS, null);
  }
}
