package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import dev.medley.io.Storage;
import java.util.function.Consumer;
import org.apache.spark.Dependency;
import org.apache.spark.OneToOneDependency;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.rdd.DeterministicLevel;
import org.apache.spark.rdd.RDD;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Enumeration;
import scala.collection.Iterator;
import scala.collection.immutable.$colon$colon;
import scala.collection.immutable.List;
import scala.collection.immutable.Nil$;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * Scored rows of a batch, in the input's partitions and order, which are moved to their adapters
 * where that pays.
 *
 * <p>Whether it does is decided when the rows are first used: Spark asks an RDD for its partitions
 * and dependencies in the thread that runs an action, before it hands anything to its scheduler's
 * own thread ({@code DAGScheduler.eagerlyComputePartitionsForRddAndAncestors}), so that the
 * counting job may run there. What was decided stays, and what was shuffled stays with it, as long
 * as the Dataset does.
 */
final class AffineScoring extends RDD<Row> {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(AffineScoring.class);
  private static final ClassTag<Row> ROW = ClassTag$.MODULE$.apply(Row.class);

  private final transient Dataset<Row> rows;
  private final transient EngineSpec spec;
  private final transient ScoringColumns columns;
  private final transient AdapterAffinity affinity;
  private final transient Storage storage;
  private final transient ResourceProfile profile;
  private final transient MapPartitionsFunction<Row, Row> score;
  private final transient RowBytes in;
  private final transient RowBytes out;
  private transient Consumer<String> decided = decision -> {};
  private transient RDD<Row> scored;
  private transient boolean inOrder;

  /**
   * Runs nothing.
   *
   * @param rows of a batch, with an adapter column unless affinity is off
   * @param affinity {@code OFF} where rows cannot be moved
   * @param profile of the stage that scores; null for the application's
   * @param score one row out for each that goes in, in order
   * @param out columns that come out
   */
  AffineScoring(
      Dataset<Row> rows,
      EngineSpec spec,
      ScoringColumns columns,
      AdapterAffinity affinity,
      Storage storage,
      ResourceProfile profile,
      MapPartitionsFunction<Row, Row> score,
      StructType out) {
    super(rows.sparkSession().sparkContext(), nothing(), ROW);
    this.rows = rows;
    this.spec = spec;
    this.columns = columns;
    this.affinity = affinity;
    this.storage = storage;
    this.profile = profile;
    this.score = score;
    this.in = new RowBytes(rows.schema());
    this.out = new RowBytes(out);
  }

  /** Tells what was decided, in words, before the first row is scored. */
  AffineScoring telling(Consumer<String> listener) {
    decided = listener;
    return this;
  }

  @Override
  public Partition[] getPartitions() {
    return scored().partitions();
  }

  @Override
  public List<Dependency<?>> getDependencies() {
    return new $colon$colon<>(new OneToOneDependency<>(scored()), nothing());
  }

  @Override
  public Iterator<Row> compute(Partition split, TaskContext context) {
    return firstParent(ROW).iterator(split, context);
  }

  /** Rows that were moved are sorted by their places in the input. */
  @Override
  public Enumeration.Value getOutputDeterministicLevel() {
    return inOrder ? DeterministicLevel.DETERMINATE() : super.getOutputDeterministicLevel();
  }

  private synchronized RDD<Row> scored() {
    if (scored == null) {
      Dataset<Row> fresh = rows.select("*"); // knows of caches that were made since
      RDD<Row> input = fresh.rdd();
      String reason = AffinityStep.reasonToStay(affinity, fresh, input.getNumPartitions());
      if (reason != null) {
        say("off: " + reason);
      }
      scored = reason == null ? moved(fresh, input) : unmoved(input);
    }
    return scored;
  }

  private void say(String decision) {
    LOG.info("Adapter affinity {}", decision);
    decided.accept(decision);
  }

  private RDD<Row> unmoved(RDD<Row> input) {
    JavaRDD<Row> unmoved = input.toJavaRDD().mapPartitions(score::call);
    return (profile == null ? unmoved : unmoved.withResources(profile)).rdd();
  }

  private RDD<Row> moved(Dataset<Row> fresh, RDD<Row> input) {
    AffinityStep step = AffinityStep.of(fresh, input.getNumPartitions(), spec, columns, storage);
    say(step.decision(affinity));
    if (!step.moves(affinity)) {
      return unmoved(input);
    }
    inOrder = MovedRows.comesInOrder(input);
    RequestFields fields = RequestFields.of(rows.schema(), columns);
    return new MovedRows(step.keys(), step.broadcastPlan(), fields, in, out, score)
        .scored(input, profile);
  }

  @SuppressWarnings("unchecked") // an empty list is one of anything
  private static List<Dependency<?>> nothing() {
    return (List<Dependency<?>>) (Object) Nil$.MODULE$;
  }
}
