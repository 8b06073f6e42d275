package dev.medley.spark;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.BaseModel;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.Task;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.io.Location;
import dev.medley.io.Nearest;
import dev.medley.io.Storage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Tuple2;

/** Scores the rows of a Dataset, each under its own adapter. */
public final class Scoring {
  /** What a column may be. */
  private record Expected(String types, Predicate<DataType> fits) {}

  private static final Expected TEXT = new Expected("string", StringType.class::isInstance);
  private static final Expected ANY = new Expected("one of any type", type -> true);
  private static final Expected ADAPTER =
      new Expected(
          "string or array<string>",
          type -> type instanceof StringType || isArray(type, StringType.class::isInstance));
  private static final Expected SEED =
      new Expected(
          "bigint or a smaller integer",
          type ->
              type instanceof LongType
                  || type instanceof IntegerType
                  || type instanceof ShortType
                  || type instanceof ByteType);

  /** A field more would be lost, which a template might ask for. */
  private static final Expected MESSAGES =
      new Expected(
          "array<struct<role:string,content:string>>",
          type ->
              isArray(
                  type,
                  element ->
                      element instanceof StructType message
                          && message.size() == 2
                          && Set.of(message.fieldNames()).equals(Set.of("role", "content"))
                          && Arrays.stream(message.fields())
                              .allMatch(field -> field.dataType() instanceof StringType)));

  private Scoring() {}

  /**
   * Rows in input order with every input column kept, plus the prediction and its error. Nothing
   * runs until the result is used.
   *
   * <p>Where rows are moved to their adapters, the first use counts the rows of each adapter before
   * anything else, and scores all of them, even where only a few are asked for.
   *
   * <p>The spec and the session's Hadoop configuration go out in one broadcast that lives as long
   * as somebody can reach the Dataset, be it a streaming query; then Spark cleans it up.
   *
   * @param spec as {@code Validation} gives it back; relative paths are the driver's
   * @param affinity whether rows are moved
   * @param resources of the stage that scores; null for the application's
   * @param counters null for none
   * @throws IllegalArgumentException as {@link #schema}, where rows that cannot be moved are to be:
   *     those of a stream, or without an adapter column, and for resources that cannot be had
   * @throws IllegalStateException on a Spark that this build is not for
   */
  public static Dataset<Row> score(
      Dataset<?> rows,
      EngineSpec spec,
      ScoringColumns columns,
      AdapterAffinity affinity,
      ScoringResources resources,
      ScoringCounters counters) {
    SparkBuild.check();
    StructType in = rows.schema();
    StructType out = schema(in, spec.task(), columns);
    boolean mayMove = mayMove(rows.isStreaming(), spec, columns, affinity);
    SparkSession session = rows.sparkSession();
    TaskDevices.check(session.sparkContext().getConf());
    ResourceProfile profile = resources == null ? null : profile(resources, rows);
    SharedSpec shared = shared(session, traced(spec, columns));
    ScorePartition score =
        new ScorePartition(broadcast(session, shared), RequestFields.of(in, columns), counters);
    Dataset<Row> scored =
        mayMove || profile != null
            ? session.createDataFrame(
                new AffineScoring(
                        rows.toDF(),
                        shared.spec(),
                        columns,
                        mayMove ? affinity : AdapterAffinity.OFF,
                        ExecutorEngines.OF_THIS_JVM.storage(shared.hadoop().value()),
                        profile,
                        score,
                        out)
                    .telling(counters == null ? decision -> {} : counters::decided),
                out)
            : rows.toDF().mapPartitions(score, Encoders.row(out));
    return restored(scored, out);
  }

  private static ResourceProfile profile(ScoringResources resources, Dataset<?> rows) {
    if (rows.isStreaming()) {
      throw new IllegalArgumentException(
          "scoring resources: expected none for a stream, whose stages Spark keeps to itself; score"
              + " its micro-batches in foreachBatch");
    }
    return resources.profile(rows.sparkSession().sparkContext());
  }

  /** The same with what the application has. */
  public static Dataset<Row> score(
      Dataset<?> rows,
      EngineSpec spec,
      ScoringColumns columns,
      AdapterAffinity affinity,
      ScoringCounters counters) {
    return score(rows, spec, columns, affinity, null, counters);
  }

  /** The same, with rows moved to their adapters where that pays. */
  public static Dataset<Row> score(
      Dataset<?> rows, EngineSpec spec, ScoringColumns columns, ScoringCounters counters) {
    return score(rows, spec, columns, AdapterAffinity.AUTO, counters);
  }

  /** What executors need for a spec, as its files are now. */
  static SharedSpec shared(SparkSession session, EngineSpec spec) {
    EngineSpec absolute = withAbsolutePaths(spec);
    Configuration conf = hadoop(session);
    Storage storage = ExecutorEngines.OF_THIS_JVM.storage(conf);
    return new SharedSpec(
        absolute,
        BaseModel.versions(storage, Location.of(absolute.base())),
        new org.apache.spark.util.SerializableConfiguration(conf));
  }

  static Broadcast<byte[]> broadcast(SparkSession session, SharedSpec shared) {
    return JavaSparkContext.fromSparkContext(session.sparkContext()).broadcast(shared.toBytes());
  }

  /** What tasks do with their rows, which begin with those columns; sends out what they need. */
  static ScorePartition partition(
      SparkSession session,
      StructType in,
      EngineSpec spec,
      ScoringColumns columns,
      ScoringCounters counters) {
    SharedSpec shared = shared(session, traced(spec, columns));
    return new ScorePartition(broadcast(session, shared), RequestFields.of(in, columns), counters);
  }

  private static EngineSpec traced(EngineSpec spec, ScoringColumns columns) {
    return columns.lineage() == null ? spec : spec.with(Extra.LINEAGE);
  }

  static boolean mayMove(
      boolean isStream, EngineSpec spec, ScoringColumns columns, AdapterAffinity affinity) {
    if (affinity != AdapterAffinity.ON) {
      int names = spec.adapters().size() + spec.sets().size();
      return affinity == AdapterAffinity.AUTO
          && !isStream
          && columns.adapter() != null
          && names >= AdapterAffinity.LEAST_SETS;
    }
    if (isStream) {
      throw new IllegalArgumentException(
          "adapter affinity: expected auto or off for a stream, whose rows cannot be counted before"
              + " they come, got on");
    }
    if (columns.adapter() == null) {
      throw new IllegalArgumentException(
          "adapter affinity: expected auto or off without an adapter column, got on");
    }
    return true;
  }

  /**
   * The columns that come out.
   *
   * @throws IllegalArgumentException with everything that is wrong with the columns that go in
   */
  public static StructType schema(StructType in, Task task, ScoringColumns columns) {
    orThrow(problems(in, task, columns));
    StructType out =
        in.add(columns.prediction(), PredictionColumns.type(task), true)
            .add(columns.error(), PredictionColumns.ERROR, true);
    return columns.lineage() == null
        ? out
        : out.add(columns.lineage(), PredictionColumns.LINEAGE, true);
  }

  static List<String> problems(StructType in, Task task, ScoringColumns columns) {
    List<String> problems = new ArrayList<>();
    checkInput(in, "text", columns.text(), TEXT, problems);
    checkInput(in, "messages", columns.messages(), MESSAGES, problems);
    checkInput(in, "completion", columns.completion(), TEXT, problems);
    checkInput(in, "seed", columns.seed(), SEED, problems);
    checkInput(in, "adapter", columns.adapter(), ADAPTER, problems);
    checkInput(in, "key", columns.key(), ANY, problems);
    if (!(task instanceof TextGeneration)) {
      checkNone("messages", columns.messages(), task, TextGeneration.AUTO, problems);
      checkNone("seed", columns.seed(), task, TextGeneration.AUTO, problems);
    }
    if (!(task instanceof TextScoring)) {
      checkNone("completion", columns.completion(), task, TextScoring.AUTO, problems);
    }
    for (String name : columns.added()) {
      // names that differ in case alone are one name to Spark
      Arrays.stream(in.fieldNames())
          .filter(name::equalsIgnoreCase)
          .forEach(
              other ->
                  problems.add(
                      "output column "
                          + name
                          + ": expected a new name, found input column "
                          + other
                          + "; choose another name for the "
                          + (name.equals(columns.lineage()) ? "lineage" : "prediction")));
    }
    if (Stream.of(columns.prediction(), columns.error())
        .anyMatch(name -> name.equalsIgnoreCase(columns.lineage()))) {
      problems.add(
          "lineage column "
              + columns.lineage()
              + ": expected another name than those of the prediction and its error");
    }
    return problems;
  }

  /**
   * What is wrong with the type of a row's {@code text}, {@code messages}, {@code completion},
   * {@code adapter} or {@code seed}; null for nothing.
   */
  static String misfit(String role, DataType type) {
    Expected expected =
        switch (role) {
          case "messages" -> MESSAGES;
          case "adapter" -> ADAPTER;
          case "seed" -> SEED;
          default -> TEXT;
        };
    return expected.fits.test(type)
        ? null
        : "expected " + expected.types + ", found " + type.simpleString();
  }

  static void orThrow(List<String> problems) {
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          problems.size() == 1
              ? problems.get(0)
              : problems.size() + " problems:\n  " + String.join("\n  ", problems));
    }
  }

  /** A column that the task would not look at. */
  private static void checkNone(
      String role, String name, Task task, Task other, List<String> problems) {
    if (name != null) {
      problems.add(
          role
              + " column "
              + name
              + ": expected none for "
              + task.pipeline()
              + "; it is for "
              + other.pipeline());
    }
  }

  private static boolean isArray(DataType type, Predicate<DataType> element) {
    return type instanceof ArrayType array && element.test(array.elementType());
  }

  /** {@code name} is null for a column that is not asked for. */
  private static void checkInput(
      StructType in, String role, String name, Expected expected, List<String> problems) {
    if (name == null) {
      return;
    }
    List<StructField> found =
        Arrays.stream(in.fields()).filter(field -> field.name().equals(name)).toList();
    String asked = role + " column " + name + ": expected ";
    if (found.isEmpty()) {
      List<String> names = List.of(in.fieldNames());
      problems.add(
          asked
              + expected.types
              + ", found no such column among "
              + String.join(", ", names)
              + Nearest.name(name, names).map(near -> "; did you mean " + near + "?").orElse(""));
    } else if (found.size() > 1) {
      problems.add(asked + "one, found " + found.size() + " of that name");
    } else if (!expected.fits.test(found.get(0).dataType())) {
      problems.add(asked + expected.types + ", found " + found.get(0).dataType().simpleString());
    }
  }

  /** Hadoop's configuration with the session's own settings over it, as Spark's readers have it. */
  static Configuration hadoop(SparkSession session) {
    Configuration conf = new Configuration(session.sparkContext().hadoopConfiguration());
    scala.collection.Iterator<Tuple2<String, String>> settings = session.conf().getAll().iterator();
    while (settings.hasNext()) {
      Tuple2<String, String> setting = settings.next();
      if (!setting._1().startsWith("spark.")) {
        conf.set(setting._1(), setting._2());
      }
    }
    return conf;
  }

  /** An executor's working folder is not the driver's. */
  static EngineSpec withAbsolutePaths(EngineSpec spec) {
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    spec.adapters().forEach((name, source) -> adapters.put(name, source.absolute()));
    return spec.with(Location.of(spec.base()).uri(), adapters);
  }

  /**
   * Puts back what functions on rows lose: metadata (ML attributes, comments, watermarks), and the
   * fields of an interval's type.
   */
  static Dataset<Row> restored(Dataset<Row> scored, StructType out) {
    if (scored.schema().equals(out)) {
      return scored;
    }
    String[] numbers = IntStream.range(0, out.size()).mapToObj(i -> "c" + i).toArray(String[]::new);
    Dataset<Row> numbered = scored.toDF(numbers); // names may hold dots, or come twice
    return numbered.select(
        IntStream.range(0, numbers.length)
            .mapToObj(i -> restored(numbered.col(numbers[i]), out.apply(i)))
            .toArray(Column[]::new));
  }

  private static Column restored(Column column, StructField field) {
    return column.cast(field.dataType()).as(field.name(), field.metadata());
  }
}
