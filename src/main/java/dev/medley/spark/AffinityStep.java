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
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What an input holds, counted, and whether its rows are to be moved to their adapters.
 *
 * @param keys {@link SetKeys}
 */
record AffinityStep(
    SparkContext context,
    Broadcast<byte[]> keys,
    List<SetCount> counts,
    AffinityPlan plan,
    AffinityGain gain) {
  /** Where nobody says how many. */
  private static final int NEW_TOKENS = 64;

  /** Why rows are not even counted; null where they are. */
  static String reasonToStay(AdapterAffinity affinity, Dataset<Row> fresh, int partitions) {
    if (affinity == AdapterAffinity.OFF) {
      return "it is not asked for";
    }
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

  /**
   * Counts and plans.
   *
   * @param partitions at least 1
   */
  static AffinityStep of(
      Dataset<Row> fresh,
      int partitions,
      EngineSpec spec,
      ScoringColumns columns,
      Storage storage) {
    SparkContext context = fresh.sparkSession().sparkContext();
    int windowRows = spec.batching().windowRows();
    Broadcast<byte[]> keys = broadcast(context, new SetKeys(spec));
    TokenEstimate tokens = tokens(spec, storage);
    String description = context.getLocalProperty("spark.job.description");
    context.setJobDescription("medley: rows of each adapter set");
    List<SetCount> counts;
    try {
      counts = SetCounts.of(fresh, columns, keys, tokens, windowRows);
    } finally {
      context.setJobDescription(description);
    }
    AffinityPlan plan =
        AffinityPlan.of(counts.stream().map(AffinityStep::demand).toList(), partitions);
    AffinityGain gain =
        AffinityGain.of(
            counts, plan, executors(context, partitions), windowRows, spec.adapterMemory());
    return new AffinityStep(context, keys, counts, plan, gain);
  }

  /** Whether rows are moved, by {@code AUTO} or {@code ON}. */
  boolean moves(AdapterAffinity affinity) {
    return affinity == AdapterAffinity.ON || gain.pays();
  }

  /** The same in words, and why. */
  String decision(AdapterAffinity affinity) {
    return (moves(affinity) ? "on" : "off") + ": " + plan + "; it " + gain;
  }

  Broadcast<byte[]> broadcastPlan() {
    return broadcast(context, plan);
  }

  private static Broadcast<byte[]> broadcast(SparkContext context, Serializable object) {
    return JavaSparkContext.fromSparkContext(context).broadcast(JavaBytes.write(object));
  }

  private static TokenEstimate tokens(EngineSpec spec, Storage storage) {
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
  private static int executors(SparkContext context, int partitions) {
    if (context.getConf().getBoolean("spark.dynamicAllocation.enabled", false)) {
      return partitions;
    }
    int all = context.statusTracker().getExecutorInfos().length; // the driver is among them
    return Math.max(1, all - 1);
  }
}
