package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import dev.medley.io.Storage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StringType;

/**
 * Finds the models of calls, and checks their arguments, when a query is analysed: as Spark does
 * with tables, so that a name or a file that is not there is said before anything runs.
 */
final class ResolveModelCalls extends Rule<LogicalPlan> {
  private final SparkSession session;

  ResolveModelCalls(SparkSession session) {
    this.session = session;
  }

  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return resolved(plan, new HashMap<>());
  }

  /** Calls of one query share a model: its files are read once, and they are computed together. */
  private LogicalPlan resolved(LogicalPlan plan, Map<String, QueryModel> found) {
    LogicalPlan children = plan.mapChildren(child -> resolved(child, found));
    return children.mapExpressions(expression -> resolved(expression, found));
  }

  private Expression resolved(Expression expression, Map<String, QueryModel> found) {
    Expression children = expression.mapChildren(child -> resolved(child, found));
    return children instanceof ModelCall call && call.model() == null && call.childrenResolved()
        ? resolved(call, found)
        : children;
  }

  private ModelCall resolved(ModelCall call, Map<String, QueryModel> found) {
    try {
      checkCount(call);
      List<Expression> arguments = typed(call);
      String name = modelName(call.children().head());
      boolean chats = arguments.size() > 1 && isChats(call, arguments.get(1).dataType());
      String key = call.function() + (chats ? " chats " : " texts ") + name;
      QueryModel model = found.get(key);
      if (model == null) {
        model = model(call, name, chats);
        found.put(key, model);
      }
      if (arguments.size() < 3 && model.hasAdapters()) {
        throw new IllegalArgumentException(
            "adapter: expected the adapter of each row, found none, though model "
                + model
                + "; give null for the base alone: "
                + call.function().usage(call.onError()));
      }
      return call.with(model, arguments);
    } catch (IllegalArgumentException e) {
      throw AnalysisErrors.at(call.origin(), call.sqlName() + ": " + e.getMessage());
    }
  }

  private static void checkCount(ModelCall call) {
    int given = call.children().size();
    int most = 1 + call.function().roles().size();
    if (given < 2 || given > most) {
      throw new IllegalArgumentException(
          "expected 2 to "
              + most
              + " arguments, found "
              + given
              + "; it is "
              + call.function().usage(call.onError()));
    }
  }

  /** The arguments, nothing in them of type void. */
  private static List<Expression> typed(ModelCall call) {
    List<Expression> arguments = new ArrayList<>(List.of(call.children().head()));
    List<String> problems = new ArrayList<>();
    for (Expression input : call.inputs()) {
      String role = call.function().role(arguments.size() - 1, input.dataType());
      if (input.dataType() instanceof NullType) {
        arguments.add(
            Literal.create(null, role.equals("seed") ? DataTypes.LongType : DataTypes.StringType));
        continue;
      }
      String misfit = Scoring.misfit(role, input.dataType());
      if (misfit != null) {
        problems.add(role + ": " + misfit);
      }
      arguments.add(input);
    }
    Scoring.orThrow(problems);
    return arguments;
  }

  private static boolean isChats(ModelCall call, DataType first) {
    return call.function().role(0, first).equals("messages");
  }

  private static String modelName(Expression name) {
    Object value =
        name.foldable() && name.dataType() instanceof StringType ? name.eval(null) : null;
    if (value == null) {
      throw new IllegalArgumentException(
          "model: expected a constant string, found "
              + name.sql()
              + "; a call runs one model: choose among calls by CASE");
    }
    return value.toString();
  }

  private QueryModel model(ModelCall call, String name, boolean chats) {
    TextTransformer<?> model = new SessionModels(session).find(name, call.function());
    SqlFunction itsFunction = SqlFunction.of(model.task());
    if (itsFunction != call.function()) {
      throw new IllegalArgumentException(
          "model "
              + name
              + ": expected one for "
              + call.function().pipeline()
              + ", found one for "
              + itsFunction.pipeline()
              + ", which "
              + itsFunction.sqlName(call.onError())
              + " calls");
    }
    if (model.getAdapterAffinity().equals("on")) {
      throw new IllegalArgumentException(
          "model "
              + name
              + ": expected adapterAffinity auto or off, found on; SQL moves no rows, use the"
              + " transformer");
    }
    if (model instanceof TextGenerator generator) {
      generator.clear(generator.messagesCol());
      if (chats) {
        generator.setMessagesCol("messages"); // so that the model's template is checked
      }
    }
    Storage storage = ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(session));
    EngineSpec spec = model.validated(storage);
    return new QueryModel(session, name, spec);
  }
}
