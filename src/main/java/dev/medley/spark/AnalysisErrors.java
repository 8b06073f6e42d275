package dev.medley.spark;

import org.apache.spark.QueryContext;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.catalyst.trees.Origin;
import scala.Option;
import scala.collection.immutable.Map$;

/** Mistakes in a query, as Spark reports them: with the place in its text. */
final class AnalysisErrors {
  private AnalysisErrors() {}

  /** Throws; never returns. */
  static RuntimeException at(Origin origin, String message) {
    throw AnalysisErrors.<RuntimeException>unchecked(
        new AnalysisException(
            message,
            origin.line(),
            origin.startPosition(),
            Option.empty(),
            Option.empty(),
            Map$.MODULE$.empty(),
            new QueryContext[0]));
  }

  /** Spark's is a checked exception that no method of Spark's declares. */
  @SuppressWarnings("unchecked")
  private static <E extends Throwable> E unchecked(Throwable error) throws E {
    throw (E) error;
  }
}
