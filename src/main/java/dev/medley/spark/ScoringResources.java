package dev.medley.spark;

import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.resource.ExecutorResourceRequests;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.resource.ResourceProfileBuilder;
import org.apache.spark.resource.ResourceProfileManager;
import org.apache.spark.resource.TaskResourceRequests;

/**
 * What the stage that scores has, and no other: Spark's stage-level scheduling. So a job may read
 * and shuffle with many small tasks, and score with few that have a GPU each.
 *
 * <p>A stage reaches from shuffle to shuffle: what reads the rows right before they are scored, and
 * writes them right after, is in it, too. Put a {@code repartition} between what should not be.
 *
 * <p>What tasks have may differ from stage to stage wherever there is a cluster. What executors
 * have may not unless {@code spark.dynamicAllocation.enabled} is true: Spark then starts other
 * executors for the stage, which load the base anew.
 *
 * @param taskCpus cores of a task; null for {@code spark.task.cpus}
 * @param taskGpus of a task: 1, or at most 0.5 for tasks to share one; null for none. Spark 3.5
 *     cuts the GPUs of an executor into shares when it starts: where executors stay as they are a
 *     task gets one of the shares of {@code spark.task.resource.gpu.amount}, whatever the number
 *     here
 * @param executorCores null, as for the next, to keep the application's executors
 * @param executorMemory such as {@code 16g}
 * @param executorMemoryOverhead beside the heap, where libtorch has the base, such as {@code 8g}
 * @param executorGpus of an executor
 * @param gpuDiscoveryScript which prints an executor's addresses, for YARN and Kubernetes
 * @param gpuVendor for Kubernetes, such as {@code nvidia.com}
 */
public record ScoringResources(
    Integer taskCpus,
    Double taskGpus,
    Integer executorCores,
    String executorMemory,
    String executorMemoryOverhead,
    Integer executorGpus,
    String gpuDiscoveryScript,
    String gpuVendor) {
  /** As everywhere in the application. */
  public static final ScoringResources OF_THE_APPLICATION =
      new ScoringResources(null, null, null, null, null, null, null, null);

  /** Throws IllegalArgumentException for numbers that Spark, or a task, cannot do with. */
  public ScoringResources {
    atLeastOne("task cpus", taskCpus);
    atLeastOne("executor cores", executorCores);
    atLeastOne("executor GPUs", executorGpus);
    if (taskGpus != null && !(taskGpus > 0 && taskGpus <= 0.5 || taskGpus == 1)) {
      throw new IllegalArgumentException(
          "task GPUs: expected 1, or at most 0.5 for tasks to share one, got " + taskGpus);
    }
    if (executorGpus != null && taskGpus == null) {
      throw new IllegalArgumentException(
          "task GPUs: expected some, since executors have " + executorGpus + ", found none");
    }
  }

  private static void atLeastOne(String name, Integer number) {
    if (number != null && number < 1) {
      throw new IllegalArgumentException(name + ": expected at least 1, got " + number);
    }
  }

  public ScoringResources withTaskCpus(int cpus) {
    return new ScoringResources(
        cpus,
        taskGpus,
        executorCores,
        executorMemory,
        executorMemoryOverhead,
        executorGpus,
        gpuDiscoveryScript,
        gpuVendor);
  }

  public ScoringResources withTaskGpus(double gpus) {
    return new ScoringResources(
        taskCpus,
        gpus,
        executorCores,
        executorMemory,
        executorMemoryOverhead,
        executorGpus,
        gpuDiscoveryScript,
        gpuVendor);
  }

  /** Memory as Spark writes it, such as {@code 16g}; the overhead is libtorch's. */
  public ScoringResources withExecutors(int cores, String memory, String memoryOverhead) {
    return new ScoringResources(
        taskCpus,
        taskGpus,
        cores,
        memory,
        memoryOverhead,
        executorGpus,
        gpuDiscoveryScript,
        gpuVendor);
  }

  /** The script and the vendor may be null; what tasks have of these comes first. */
  public ScoringResources withExecutorGpus(int gpus, String discoveryScript, String vendor) {
    return new ScoringResources(
        taskCpus,
        taskGpus,
        executorCores,
        executorMemory,
        executorMemoryOverhead,
        gpus,
        discoveryScript,
        vendor);
  }

  /**
   * The same for Spark, which {@code RDD.withResources} takes: one profile for equal ones, since
   * Spark starts executors for each.
   *
   * @throws IllegalArgumentException where the cluster of this application has no such thing
   */
  public ResourceProfile profile(SparkContext context) {
    check(context.getConf());
    ResourceProfileBuilder builder = new ResourceProfileBuilder();
    if (hasExecutors()) {
      builder.require(executors());
    }
    ResourceProfile made = builder.require(tasks()).build();
    ResourceProfileManager profiles = context.resourceProfileManager();
    synchronized (profiles) {
      var known = profiles.getEquivalentProfile(made);
      if (known.isDefined()) {
        return known.get();
      }
      profiles.addResourceProfile(made);
      return made;
    }
  }

  private boolean hasExecutors() {
    return executorCores != null
        || executorMemory != null
        || executorMemoryOverhead != null
        || executorGpus != null;
  }

  private ExecutorResourceRequests executors() {
    ExecutorResourceRequests executors = new ExecutorResourceRequests();
    if (executorCores != null) {
      executors.cores(executorCores);
    }
    if (executorMemory != null) {
      executors.memory(executorMemory);
    }
    if (executorMemoryOverhead != null) {
      executors.memoryOverhead(executorMemoryOverhead);
    }
    if (executorGpus != null) {
      executors.resource("gpu", executorGpus, orEmpty(gpuDiscoveryScript), orEmpty(gpuVendor));
    }
    return executors;
  }

  private static String orEmpty(String text) {
    return text == null ? "" : text;
  }

  private TaskResourceRequests tasks() {
    TaskResourceRequests tasks = new TaskResourceRequests();
    if (taskCpus != null) {
      tasks.cpus(taskCpus);
    }
    if (taskGpus != null) {
      tasks.resource("gpu", taskGpus);
    }
    return tasks;
  }

  void check(SparkConf conf) {
    if (TaskDevices.isLocal(conf)) {
      throw new IllegalArgumentException(
          "scoring resources: expected none in local mode, where all tasks run in the driver's JVM"
              + " with what it has, found "
              + this
              + "; leave them out, or run on a cluster, be it local-cluster");
    }
    if (hasExecutors() && !conf.getBoolean("spark.dynamicAllocation.enabled", false)) {
      throw new IllegalArgumentException(
          "scoring resources: expected none of executors where spark.dynamicAllocation.enabled is"
              + " false, since Spark starts other executors for a stage that has them, found "
              + this
              + "; set it to true, or say only what tasks have");
    }
    String gpus = conf.get("spark.executor.resource.gpu.amount", null);
    if (taskGpus != null && executorGpus == null && gpus == null) {
      throw new IllegalArgumentException(
          "scoring resources: expected no GPUs of tasks where executors have none, found "
              + this
              + "; set spark.executor.resource.gpu.amount, or give executors some here");
    }
  }
}
