package dev.medley.spark;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.SparkSession;
import scala.Function1;
import scala.collection.Iterator;
import scala.reflect.ClassTag$;

/** What an executor of a {@link Cluster} says of itself. */
record ExecutorState(String executor, long pid, int baseLoads, int leases) implements Serializable {

  private static ExecutorState here() {
    return new ExecutorState(
        SparkEnv.get().executorId(),
        ProcessHandle.current().pid(),
        ExecutorEngines.OF_THIS_JVM.baseLoads(),
        ExecutorEngines.OF_THIS_JVM.leases());
  }

  /**
   * All executors by their ids. A barrier stage runs only when it has every core, so that no
   * executor can be left out.
   */
  static Map<String, ExecutorState> all(SparkSession session) {
    RDD<Integer> cores =
        JavaSparkContext.fromSparkContext(session.sparkContext())
            .parallelize(IntStream.range(0, Cluster.CORES).boxed().toList(), Cluster.CORES)
            .rdd();
    List<ExecutorState> found =
        cores
            .barrier()
            .mapPartitions(
                (Function1<Iterator<Integer>, Iterator<ExecutorState>> & Serializable)
                    any -> any.map((Function1<Integer, ExecutorState>) core -> here()),
                false,
                ClassTag$.MODULE$.apply(ExecutorState.class))
            .toJavaRDD()
            .collect();
    return found.stream()
        .distinct()
        .collect(Collectors.toMap(ExecutorState::executor, state -> state));
  }
}
