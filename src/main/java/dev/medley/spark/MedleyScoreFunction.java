package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import dev.medley.io.Nearest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.analysis.UnresolvedAttribute;
import org.apache.spark.sql.catalyst.analysis.UnresolvedExtractValue;
import org.apache.spark.sql.catalyst.analysis.UnresolvedRelation;
import org.apache.spark.sql.catalyst.analysis.UnresolvedStar;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.FunctionTableSubqueryArgumentExpression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedArgumentExpression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.trees.CurrentOrigin;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import scala.Option;

/**
 * The table function {@code medley_score(view, model, text, adapter)}: all columns of a view, a
 * table or {@code table(…)}, with the model's prediction and its error. Arguments may have names;
 * {@code prediction} names the column, {@code seed} and {@code completion} others to read.
 */
final class MedleyScoreFunction {
  static final String NAME = "medley_score";

  private static final List<String> NAMES =
      List.of("view", "model", "text", "adapter", "prediction", "seed", "completion");

  private MedleyScoreFunction() {}

  /** The plan of a call, still to be resolved. */
  static LogicalPlan of(SparkSession session, List<Expression> given) {
    try {
      return plan(session, given);
    } catch (IllegalArgumentException e) {
      throw AnalysisErrors.at(CurrentOrigin.get(), NAME + ": " + e.getMessage());
    }
  }

  private static LogicalPlan plan(SparkSession session, List<Expression> given) {
    Map<String, Expression> arguments = named(given);
    for (String name : NAMES.subList(0, 3)) {
      if (!arguments.containsKey(name)) {
        throw wrong(name, "none");
      }
    }
    LogicalPlan rows =
        arguments.get("view") instanceof FunctionTableSubqueryArgumentExpression table
                && !table.isCorrelated()
            ? table.plan()
            : relation(session, string(arguments, "view"));
    String model = string(arguments, "model");
    ModelCall call = call(session, model, arguments);
    String prediction =
        arguments.containsKey("prediction") ? string(arguments, "prediction") : "prediction";
    return new Project(
        ScalaLists.of(
            List.<NamedExpression>of(
                new UnresolvedStar(Option.empty()),
                field(call, "prediction", prediction),
                field(call, "prediction_error", prediction + "_error"))),
        rows);
  }

  private static Map<String, Expression> named(List<Expression> given) {
    Map<String, Expression> arguments = new LinkedHashMap<>();
    for (int i = 0; i < given.size(); i++) {
      String name = i < NAMES.size() ? NAMES.get(i) : "argument " + (i + 1);
      Expression value = given.get(i);
      if (value instanceof NamedArgumentExpression argument) {
        name = argument.key();
        value = argument.value();
      }
      if (!NAMES.contains(name)) {
        throw new IllegalArgumentException(
            "expected "
                + String.join(", ", NAMES)
                + ", found "
                + name
                + Nearest.name(name, NAMES).map(near -> "; did you mean " + near + "?").orElse(""));
      }
      if (arguments.put(name, value) != null) {
        throw wrong(name, "two");
      }
    }
    return arguments;
  }

  /** Of a column for each role, or null; without one, rows would be the base's unasked. */
  private static ModelCall call(
      SparkSession session, String name, Map<String, Expression> arguments) {
    TextTransformer<?> model = new SessionModels(session).find(name, null);
    SqlFunction function = SqlFunction.of(model.task());
    for (String role : List.of("seed", "completion")) {
      if (arguments.containsKey(role) && !function.roles().contains(role)) {
        throw new IllegalArgumentException(
            role + ": expected none for " + function.pipeline() + ", found one");
      }
    }
    if (!arguments.containsKey("adapter") && !model.getAdapters().isEmpty()) {
      throw wrong("adapter", "none");
    }
    List<Expression> inputs = new ArrayList<>(List.of(arguments.get("model")));
    for (String role : function.roles()) {
      Expression column = arguments.get(role);
      if (column == null && !role.equals("adapter")) {
        break; // the last one, which nobody asked for
      }
      inputs.add(
          column == null || column.dataType() instanceof NullType
              ? Literal.create(null, DataTypes.NullType)
              : UnresolvedAttribute.quoted(string(arguments, role)));
    }
    return new ModelCall(function, OnError.ROW, null, ScalaLists.of(inputs));
  }

  private static LogicalPlan relation(SparkSession session, String name) {
    try {
      return new UnresolvedRelation(
          Catalyst.state(session).sqlParser().parseMultipartIdentifier(name),
          CaseInsensitiveStringMap.empty(),
          false);
    } catch (ParseException e) {
      throw wrong("view", name);
    }
  }

  private static Alias field(ModelCall call, String field, String name) {
    return ExtractModelCalls.alias(
        new UnresolvedExtractValue(call, Literal.create(field, DataTypes.StringType)), name);
  }

  private static String string(Map<String, Expression> arguments, String name) {
    Expression value = arguments.get(name);
    Object constant =
        value.foldable() && value.dataType() instanceof StringType ? value.eval(null) : null;
    if (constant == null) {
      throw wrong(name, value.sql());
    }
    return constant.toString();
  }

  private static IllegalArgumentException wrong(String name, String found) {
    String expected =
        switch (name) {
          case "view" -> "the name of a view or table, or table(…)";
          case "model" -> "the name of a model";
          case "prediction" -> "a name for the column to add";
          case "adapter" -> "the name of the column with each row's adapter, or null for the base";
          default -> "the name of the column with each row's " + name;
        };
    return new IllegalArgumentException(
        name
            + ": expected "
            + expected
            + ", found "
            + found
            + "; as in medley_score(view => 'rows', model => 'support', text => 'text', adapter =>"
            + " 'adapter')");
  }
}
