package dev.medley.spark;

import dev.medley.engine.Request;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.CatalystTypeConverters;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.BindReferences;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.Function1;

/**
 * What a call asks of a row.
 *
 * @param arguments columns by their places, and constants
 * @param types of them
 * @param fields of a row of them
 */
record CallInput(Expression[] arguments, DataType[] types, RequestFields fields)
    implements Serializable {

  /** Over rows of a plan. */
  static CallInput of(ModelCall call, SparkPlan plan) {
    var columns =
        org.apache.spark.sql.catalyst.expressions.package$.MODULE$.AttributeSeq(plan.output());
    List<Expression> inputs = call.inputs();
    StructType row = new StructType();
    String[] roles = new String[inputs.size()];
    for (int i = 0; i < roles.length; i++) {
      roles[i] = call.function().role(i, inputs.get(i).dataType());
      row = row.add(roles[i], inputs.get(i).dataType(), true);
    }
    List<String> given = Arrays.asList(roles);
    ScoringColumns names =
        new ScoringColumns(
            given(given, "text"),
            given(given, "messages"),
            given(given, "completion"),
            given(given, "seed"),
            given(given, "adapter"),
            "prediction");
    return new CallInput(
        inputs.stream()
            .map(input -> BindReferences.bindReference(input, columns, false))
            .toArray(Expression[]::new),
        inputs.stream().map(Expression::dataType).toArray(DataType[]::new),
        RequestFields.of(row, names));
  }

  private static String given(List<String> roles, String role) {
    return roles.contains(role) ? role : null;
  }

  /** For one task. */
  Reader reader() {
    return new Reader();
  }

  final class Reader {
    private final Function1<Object, Object>[] converters;

    @SuppressWarnings({"unchecked", "rawtypes"}) // no array of a generic type can be made
    Reader() {
      converters = new Function1[types.length];
      for (int i = 0; i < types.length; i++) {
        converters[i] = CatalystTypeConverters.createToScalaConverter(types[i]);
      }
    }

    Request request(InternalRow row) {
      Object[] values = new Object[arguments.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = converters[i].apply(arguments[i].eval(row));
      }
      return fields.request(RowFactory.create(values));
    }
  }
}
