package dev.medley.spark;

import org.apache.spark.sql.execution.SparkPlan;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.List;

/** A physical operator over one other; its one method names a Seq, and so a Scala version. */
abstract class UnaryExec extends SparkPlan {
  private static final long serialVersionUID = 1L;

  abstract SparkPlan child();

  /** The same over another. */
  abstract SparkPlan over(SparkPlan child);

  @Override
  public final List<SparkPlan> children() {
    return ScalaLists.one(child());
  }

  @Override
  public final SparkPlan withNewChildrenInternal(IndexedSeq<SparkPlan> children) {
    return over(children.head());
  }
}
