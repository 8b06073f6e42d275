package dev.medley.spark;

import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.List;

/** A logical node over one other; its one method names a Seq, and so a Scala version. */
abstract class UnaryPlan extends LogicalPlan {
  private static final long serialVersionUID = 1L;

  abstract LogicalPlan child();

  /** The same over another. */
  abstract LogicalPlan over(LogicalPlan child);

  @Override
  public final List<LogicalPlan> children() {
    return ScalaLists.one(child());
  }

  @Override
  public final LogicalPlan withNewChildrenInternal(IndexedSeq<LogicalPlan> children) {
    return over(children.head());
  }
}
