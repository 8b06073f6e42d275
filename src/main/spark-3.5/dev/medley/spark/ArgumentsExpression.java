package dev.medley.spark;

import java.io.Serializable;
import org.apache.spark.sql.catalyst.expressions.Expression;
import scala.collection.IndexedSeq;
import scala.collection.immutable.List;

/** An expression of any number of others; its one method names a Seq, and so a Scala version. */
abstract class ArgumentsExpression extends Expression implements Serializable {
  private static final long serialVersionUID = 1L;

  /** The same of others. */
  abstract Expression with(List<Expression> arguments);

  @Override
  public final Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return with(children.toList());
  }
}
