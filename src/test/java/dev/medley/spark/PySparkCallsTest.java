package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static dev.medley.spark.LocalSpark.freshModel;
import static dev.medley.spark.LocalSpark.random;
import static dev.medley.spark.LocalSpark.rows;
import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import py4j.Py4JException;
import py4j.reflection.ReflectionEngine;

/**
 * The calls that the guide has for PySpark, looked up and made as Py4J does for them, by the types
 * that a Python program's values have when they arrive. Python itself is not part of this.
 */
class PySparkCallsTest {
  private static final ReflectionEngine PY4J = new ReflectionEngine();

  @Test
  void transformerIsMadeSetAndApplied(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    Object classifier = create("dev.medley.spark.TextClassifier");
    Object set = call(classifier, "setModel", model.toString());
    set = call(set, "setAdapters", new HashMap<>(Map.of("qv", adapter(model, "qv"))));
    set = call(set, "setSets", new HashMap<>(Map.of("both", new ArrayList<>(List.of("qv")))));
    set = call(set, "setAdapterCol", "adapter");
    set = call(set, "setBatchSize", 8);
    set = call(set, "setTruncation", true);
    assertThat(set).isSameAs(classifier);
    Dataset<Row> rows = rows(random(6, 1, "qv", "both", null));
    Dataset<?> scored = (Dataset<?>) call(classifier, "transform", rows);
    assertThat(scored.toDF().where("prediction is not null").count()).isEqualTo(6);
  }

  @Test
  void modelIsRegisteredForSqlAndColumns(@TempDir Path folder) throws Exception {
    Path model = freshModel("bert-sequence", folder);
    SparkSession session = session().newSession();
    Object classifier = create("dev.medley.spark.TextClassifier");
    call(classifier, "setModel", model.toString());
    callStatic(MedleyModels.class, "register", session, "desk", classifier);
    rows(random(3, 1, (String) null)).createOrReplaceGlobalTempView("asked");
    Dataset<Row> asked = session.table("global_temp.asked");
    Column label =
        (Column)
            callStatic(
                MedleyFunctions.class,
                "classify",
                "desk",
                functions.col("text"),
                functions.col("adapter"));
    assertThat(asked.select(label.getField("label")).distinct().count()).isPositive();
  }

  /** Why the guide has setAdapters where Java has addAdapter: Py4J knows no variable arity. */
  @Test
  void addAdapterWantsItsLabels() {
    Object classifier = create("dev.medley.spark.TextClassifier");
    assertThatThrownBy(() -> call(classifier, "addAdapter", "qv", "path"))
        .isInstanceOf(Py4JException.class);
    call(classifier, "addAdapter", "qv", "path", new String[] {"no", "yes"});
    assertThat(((TextClassifier) classifier).getAdapters()).containsEntry("qv", "path");
  }

  private static Object create(String name) {
    Object[] none = {};
    return PY4J.invoke(null, PY4J.getConstructor(name, none), none);
  }

  private static Object call(Object on, String method, Object... arguments) {
    return PY4J.invoke(on, PY4J.getMethod(on, method, arguments), arguments);
  }

  private static Object callStatic(Class<?> of, String method, Object... arguments) {
    Class<?>[] types = PY4J.getClassParameters(arguments);
    return PY4J.invoke(null, PY4J.getMethod(of, method, types), arguments);
  }
}
