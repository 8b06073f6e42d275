package dev.medley.spark;

import dev.medley.engine.RowError.Code;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.List;

/**
 * The prediction of a row that was tried. A row in error fails here, and so only where somebody
 * asks for its prediction; a null text has a null prediction.
 *
 * <p>Public because Spark copies nodes by their constructors.
 */
public final class Predicted extends ArgumentsExpression implements CodegenFallback {
  private static final long serialVersionUID = 1L;

  private final Expression tried;
  private final String call;

  /**
   * As Spark copies it.
   *
   * @param tried struct of the prediction and its error
   * @param call as messages name it
   */
  public Predicted(Expression tried, String call) {
    this.tried = tried;
    this.call = call;
  }

  @Override
  public List<Expression> children() {
    return ScalaLists.one(tried);
  }

  @Override
  Predicted with(List<Expression> others) {
    return new Predicted(others.head(), call);
  }

  @Override
  public DataType dataType() {
    return ((StructType) tried.dataType()).apply(0).dataType();
  }

  @Override
  public boolean nullable() {
    return true;
  }

  /** Throws ScoringException for a row in error. */
  @Override
  public Object eval(InternalRow input) {
    InternalRow row = (InternalRow) tried.eval(input);
    if (row == null) {
      return null; // of an outer join's other side
    }
    if (!row.isNullAt(0)) {
      return row.get(0, dataType());
    }
    InternalRow error = row.getStruct(1, 2);
    String code = error.getUTF8String(0).toString();
    if (!code.equals(Code.TEXT_NULL.name())) {
      throw new ScoringException(call, code, error.getUTF8String(1).toString());
    }
    return null;
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    return CodegenFallback.super.doGenCode(context, code);
  }

  @Override
  public String toString() {
    return tried + ".prediction";
  }

  @Override
  public int productArity() {
    return 2;
  }

  @Override
  public Object productElement(int index) {
    return index == 0 ? tried : call;
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof Predicted;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Predicted predicted
        && tried.equals(predicted.tried)
        && call.equals(predicted.call);
  }

  @Override
  public int hashCode() {
    return 31 * tried.hashCode() + call.hashCode();
  }
}
