package dev.medley.spark;

import dev.medley.engine.EngineSpec.OnError;
import dev.medley.io.Nearest;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Option;
import scala.Tuple2;

/**
 * The models that SQL in a session may name: those that code registered, then those of Spark's
 * configuration, then, where that is allowed, any path.
 *
 * <p>A registered model is kept as a function of the session that nobody can call. So it lives as
 * long as the session does, and a streaming query's copy of the session has it too.
 */
record SessionModels(SparkSession session) {
  /** Whether SQL may name files: only the application's own configuration can say so. */
  static final String ALLOW_PATHS = "spark.medley.sql.allow-paths";

  private static final String KEPT_AS = "medley_model:";

  /** What a function of the session is, in Spark's words, and here the model in it. */
  private static final class Registered extends ExpressionInfo {
    private final TextTransformer<?> model;

    Registered(String name, TextTransformer<?> model) {
      super(MedleyModels.class.getName(), KEPT_AS + name);
      this.model = model;
    }
  }

  /**
   * In place of any that has this name, be it in the configuration.
   *
   * @throws IllegalArgumentException for a name that cannot be told from a path
   */
  void register(String name, TextTransformer<?> model) {
    if (!name.matches("[a-z0-9][a-z0-9_-]*")) {
      throw new IllegalArgumentException(
          "model name: expected a-z, 0-9, _ and - alone, got \"" + name + "\"");
    }
    TextTransformer<?> copy = model.copy(ParamMap.empty());
    functions()
        .registerFunction(
            new FunctionIdentifier(KEPT_AS + name),
            new Registered(name, copy),
            arguments -> {
              throw new IllegalArgumentException(
                  name
                      + " is a model, not a function; call "
                      + SqlFunction.of(copy.task()).usage(OnError.FAIL)
                      + " with model = '"
                      + name
                      + "'");
            });
  }

  /**
   * The model of that name, one's own.
   *
   * @param path what a path is for; null where none can be meant
   * @throws IllegalArgumentException where there is none, or its settings are wrong
   */
  TextTransformer<?> find(String name, SqlFunction path) {
    Option<ExpressionInfo> info =
        functions().lookupFunction(new FunctionIdentifier(KEPT_AS + name));
    if (info.isDefined() && info.get() instanceof Registered registered) {
      return registered.model.copy(ParamMap.empty());
    }
    Map<String, String> application = application();
    boolean mayNameFiles = Boolean.parseBoolean(application.get(ALLOW_PATHS));
    ModelConf conf = conf(application);
    if (conf.names().contains(name)) {
      if (!mayNameFiles) {
        checkSetAtStart(conf, name, application);
      }
      return conf.model(name, ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(session)));
    }
    if (!name.matches(".*[/\\\\:].*")) {
      throw unknown(name, conf);
    }
    if (!mayNameFiles || path == null) {
      throw new IllegalArgumentException(
          "model: expected a registered name, found the path "
              + name
              + ", and SQL may not name files; call MedleyModels.register(session, \"name\","
              + " transformer), start with spark.medley.model.NAME.base and .task, or allow paths by"
              + " starting with "
              + ALLOW_PATHS
              + "=true");
    }
    return path.transformer().setModel(name);
  }

  private FunctionRegistry functions() {
    return Catalyst.state(session).functionRegistry();
  }

  private Map<String, String> application() {
    Map<String, String> settings = new HashMap<>();
    for (Tuple2<String, String> each : session.sparkContext().getConf().getAll()) {
      settings.put(each._1(), each._2());
    }
    return settings;
  }

  /** The application's with the session's over it. */
  private ModelConf conf(Map<String, String> application) {
    Map<String, String> settings = new HashMap<>(application);
    ScalaLists.<Tuple2<String, String>>java(session.conf().getAll())
        .forEach(each -> settings.put(each._1(), each._2()));
    return new ModelConf(settings);
  }

  /** {@code SET} would name any file, or another's adapter. */
  private static void checkSetAtStart(
      ModelConf conf, String name, Map<String, String> application) {
    for (String key : conf.keys(name)) {
      if (!Objects.equals(conf.settings().get(key), application.get(key))) {
        throw new IllegalArgumentException(
            key
                + ": expected as the application was started, found it set in the session, where SQL"
                + " could name any file; call MedleyModels.register(session, \""
                + name
                + "\", transformer), give it to spark-submit by --conf, or start with "
                + ALLOW_PATHS
                + "=true");
      }
    }
  }

  private IllegalArgumentException unknown(String name, ModelConf conf) {
    Set<String> known = new TreeSet<>(conf.names());
    ScalaLists.<FunctionIdentifier>java(functions().listFunction()).stream()
        .map(FunctionIdentifier::funcName)
        .filter(each -> each.startsWith(KEPT_AS))
        .forEach(each -> known.add(each.substring(KEPT_AS.length())));
    return new IllegalArgumentException(
        "model: no model is named "
            + name
            + Nearest.name(name, known)
                .map(near -> "; did you mean " + near + "?")
                .orElse(
                    known.isEmpty()
                        ? "; call MedleyModels.register(session, \""
                            + name
                            + "\", transformer), or start with "
                            + ModelConf.PREFIX
                            + name
                            + ".base and .task"
                        : "; there are " + String.join(", ", known)));
  }
}
