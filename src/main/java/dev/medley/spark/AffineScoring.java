package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import dev.medley.engine.TextGeneration;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.TextModel;
import dev.medley.spark.AffinityPlan.Demand;
import dev.medley.spark.SetCounts.SetCount;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.Dependency;
import org.apache.spark.OneToOneDependency;
import org.apache.spark.Partition;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.DeterministicLevel;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Enumeration;
import scala.collection.Iterator;
import scala.collection.Seq;
import scala.collection.immutable.$colon$colon;
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

  /** Where nobody says how many. */
  private static final int NEW_TOKENS = 64;

  private final transient Dataset<Row> rows;
  private final transient EngineSpec spec;
  private final transient ScoringColumns columns;
  private final transient AdapterAffinity affinity;
  private final transient Storage storage;
  private final transient MapPartitionsFunction<Row, Row> score;
  private final transient RowBytes in;
  private final transient RowBytes out;
  private transient RDD<Row> scored;
  private transient boolean inOrder;

  /**
   * Runs nothing.
   *
   * @param rows of a batch, with an adapter column
   * @param affinity {@code AUTO} or {@code ON}
   * @param score one row out for each that goes in, in order
   * @param out columns that come out
   */
  AffineScoring(
      Dataset<Row> rows,
      EngineSpec spec,
      ScoringColumns columns,
      AdapterAffinity affinity,
      Storage storage,
      MapPartitionsFunction<Row, Row> score,
      StructType out) {
    super(rows.sparkSession().sparkContext(), nothing(), ROW);
    this.rows = rows;
    this.spec = spec;
    this.columns = columns;
    this.affinity = affinity;
    this.storage = storage;
    this.score = score;
    this.in = new RowBytes(rows.schema());
    this.out = new RowBytes(out);
  }

  @Override
  public Partition[] getPartitions() {
    return scored().partitions();
  }

  @Override
  public Seq<Dependency<?>> getDependencies() {
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
      String reason = reasonToStay(fresh, input.getNumPartitions());
      if (reason != null) {
        LOG.info("Adapter affinity off: {}", reason);
      }
      scored = reason == null ? moved(fresh, input) : unmoved(input);
    }
    return scored;
  }

  /** Why rows are not even counted; null where they are. */
  private String reasonToStay(Dataset<Row> fresh, int partitions) {
    if (partitions == 0 || affinity == AdapterAffinity.AUTO && partitions == 1) {
      return "the input has " + (partitions == 0 ? "no partition" : "one partition");
    }
    String costly =
        affinity == AdapterAffinity.ON
            ? null
            : CheapInput.obstacle(fresh.queryExecution().withCachedData());
    return costly == null
        ? null
        : "to count the rows of each adapter would run "
            + costly
            + " twice; cache the input, or set adapter affinity to on";
  }

  private RDD<Row> unmoved(RDD<Row> input) {
    return input.toJavaRDD().mapPartitions(score::call).rdd();
  }

  private RDD<Row> moved(Dataset<Row> fresh, RDD<Row> input) {
    int partitions = input.getNumPartitions();
    int windowRows = spec.batching().windowRows();
    Broadcast<byte[]> keys = broadcast(new SetKeys(spec));
    List<SetCount> counts = counts(fresh, keys, windowRows);
    AffinityPlan plan =
        AffinityPlan.of(counts.stream().map(AffineScoring::demand).toList(), partitions);
    AffinityGain gain = AffinityGain.of(counts, plan, executors(partitions), windowRows);
    boolean on = affinity == AdapterAffinity.ON || gain.pays();
    LOG.info("Adapter affinity {}: {}; it {}", on ? "on" : "off", plan, gain);
    if (!on) {
      return unmoved(input);
    }
    inOrder = input.outputDeterministicLevel().equals(DeterministicLevel.DETERMINATE());
    RequestFields fields = RequestFields.of(rows.schema(), columns);
    return new MovedRows(keys, broadcast(plan), fields, in, out, score).scored(input);
  }

  private Broadcast<byte[]> broadcast(Serializable object) {
    return JavaSparkContext.fromSparkContext(sparkContext()).broadcast(JavaBytes.write(object));
  }

  private List<SetCount> counts(Dataset<Row> fresh, Broadcast<byte[]> keys, int windowRows) {
    SparkContext context = sparkContext();
    String description = context.getLocalProperty("spark.job.description");
    context.setJobDescription("medley: rows of each adapter set");
    try {
      return SetCounts.of(fresh, columns, keys, tokens(), windowRows);
    } finally {
      context.setJobDescription(description);
    }
  }

  private TokenEstimate tokens() {
    int most = spec.batching().maxLength();
    if (most == 0) {
      most = TextModel.outline(storage, Location.of(spec.base()), spec.task().head()).maxTokens();
    }
    int generated = 0;
    if (spec.task() instanceof TextGeneration asked) {
      generated = asked.maxNewTokens() == null ? NEW_TOKENS : asked.maxNewTokens();
    }
    return new TokenEstimate(most, generated);
  }

  private static Demand demand(SetCount count) {
    long presence = AffinityGain.presence(SetKeys.members(count.key()));
    return new Demand(count.key(), count.rows(), count.tokens(), presence);
  }

  /** As many as there are partitions where executors come and go. */
  private int executors(int partitions) {
    if (sparkContext().getConf().getBoolean("spark.dynamicAllocation.enabled", false)) {
      return partitions;
    }
    int all = sparkContext().statusTracker().getExecutorInfos().length; // the driver is among them
    return Math.max(1, all - 1);
  }

  @SuppressWarnings("unchecked") // an empty list is one of anything
  private static scala.collection.immutable.List<Dependency<?>> nothing() {
    return (scala.collection.immutable.List<Dependency<?>>) (Object) Nil$.MODULE$;
  }
}
