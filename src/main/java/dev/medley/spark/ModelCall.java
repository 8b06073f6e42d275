package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import java.util.Objects;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.catalyst.trees.CurrentOrigin;
import org.apache.spark.sql.types.DataType;
import scala.collection.Iterable;
import scala.collection.immutable.List;

/**
 * A call of a function in SQL. It is never evaluated: {@link ResolveModelCalls} finds its model,
 * {@link ExtractModelCalls} has a {@link Score} compute it for many rows at a time.
 *
 * <p>Public because Spark copies nodes by their constructors.
 */
public final class ModelCall extends ArgumentsExpression {
  private static final long serialVersionUID = 1L;

  private final SqlFunction function;
  private final OnError onError;
  private final QueryModel model;
  private final List<Expression> arguments;

  /**
   * As Spark copies it.
   *
   * @param onError what a row in error does: {@code ROW} for the function that tries
   * @param model null until it is found
   * @param arguments the model's name, then as the function's roles
   */
  public ModelCall(
      SqlFunction function, OnError onError, QueryModel model, Iterable<Expression> arguments) {
    this.function = function;
    this.onError = onError;
    this.model = model;
    this.arguments = arguments.toList();
  }

  SqlFunction function() {
    return function;
  }

  OnError onError() {
    return onError;
  }

  /** Null until it is found. */
  QueryModel model() {
    return model;
  }

  /** What the function is called with after the model's name. */
  java.util.List<Expression> inputs() {
    return ScalaLists.<Expression>java(arguments).subList(1, arguments.size());
  }

  String sqlName() {
    return function.sqlName(onError);
  }

  /** As a message about a row has it. */
  String shown() {
    return sqlName() + " of model " + model.name();
  }

  /** The same with its model, at the same place of the query's text. */
  ModelCall with(QueryModel found, java.util.List<Expression> typed) {
    return CurrentOrigin.withOrigin(
        origin(), () -> new ModelCall(function, onError, found, ScalaLists.of(typed)));
  }

  /** The same by the function that tries: both are one and the same computation. */
  ModelCall tried() {
    return new ModelCall(function, OnError.ROW, model, arguments);
  }

  @Override
  ModelCall with(List<Expression> others) {
    return new ModelCall(function, onError, model, others);
  }

  @Override
  public List<Expression> children() {
    return arguments;
  }

  @Override
  public TypeCheckResult checkInputDataTypes() {
    return model != null
        ? TypeCheckResult.TypeCheckSuccess$.MODULE$
        : new TypeCheckResult.TypeCheckFailure(
            sqlName()
                + " needs a session with Medley's extension; start the application with"
                + " spark.sql.extensions=dev.medley.spark.MedleyExtensions, or with Medley's jar on"
                + " the class path: getOrCreate gives a session that is there already as it is");
  }

  @Override
  public DataType dataType() {
    return function.type(onError);
  }

  @Override
  public boolean nullable() {
    return true;
  }

  @Override
  public boolean foldable() {
    return false;
  }

  @Override
  public String prettyName() {
    return sqlName();
  }

  @Override
  public String toString() {
    return sqlName() + arguments.mkString("(", ", ", ")");
  }

  @Override
  public Object eval(InternalRow row) {
    throw notExtracted();
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    throw notExtracted();
  }

  private IllegalStateException notExtracted() {
    return new IllegalStateException(sqlName() + ": a call was left in the plan: " + this);
  }

  @Override
  public int productArity() {
    return 4;
  }

  @Override
  public Object productElement(int index) {
    return switch (index) {
      case 0 -> function;
      case 1 -> onError;
      case 2 -> model;
      default -> arguments;
    };
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof ModelCall;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ModelCall call
        && function == call.function
        && onError == call.onError
        && Objects.equals(model, call.model)
        && arguments.equals(call.arguments);
  }

  @Override
  public int hashCode() {
    return Objects.hash(function, onError, model, arguments);
  }
}
