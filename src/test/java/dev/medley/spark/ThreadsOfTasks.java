package dev.medley.spark;

import dev.medley.Fixtures;
import dev.medley.engine.Batching;
import dev.medley.engine.TextClassification;
import dev.medley.tensor.Torch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Scores in a JVM of its own under {@code local[2]} and says which threads that took. */
final class ThreadsOfTasks {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");

  /** Tasks that score at the same time wait here for each other. */
  private static final Map<Integer, CyclicBarrier> BARRIERS = new TreeMap<>();

  private ThreadsOfTasks() {}

  /** {@code spark.task.cpus} of the job, and of a second job in the same JVM. */
  public static void main(String[] args) throws Exception {
    for (String cpus : args) {
      try (SparkSession session = session(cpus)) {
        score(session, 2 / Integer.parseInt(cpus));
      }
      System.out.println("spark.task.cpus " + cpus + ": " + Torch.threads() + " threads each");
    }
  }

  private static SparkSession session(String cpus) {
    return SparkSession.builder()
        .master("local[2]")
        .appName("threads")
        .config("spark.task.cpus", cpus)
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate();
  }

  /** Batches of some thousand tokens, so that every operation is worth a team of threads. */
  private static void score(SparkSession session, int atATime) {
    synchronized (BARRIERS) {
      BARRIERS.put(atATime, new CyclicBarrier(atATime));
    }
    Dataset<Row> rows =
        session
            .createDataFrame(LocalSpark.random(1200, 3, "qv", "rslora", null), LocalSpark.ROWS)
            .repartition(2);
    Dataset<Row> scored =
        Scoring.score(
            rows,
            LocalSpark.spec(
                    Fixtures.path("models/bert-sequence"), TextClassification.AUTO, "qv", "rslora")
                .with(new Batching(256, 8192, 2048, 0, true)),
            COLUMNS,
            null);
    long fine = scored.filter("prediction is not null").count();
    int most =
        JavaSparkContext.fromSparkContext(session.sparkContext())
            .parallelize(Collections.nCopies(2, 0), 2)
            .map(
                any -> {
                  CyclicBarrier barrier;
                  synchronized (BARRIERS) {
                    barrier = BARRIERS.get(atATime);
                  }
                  return barrier.await(60, TimeUnit.SECONDS); // else too few run at a time
                })
            .collect()
            .size();
    System.out.println(fine + " rows, " + most + " tasks, " + atATime + " at a time");
    ofTasks();
  }

  /**
   * Threads called as Spark calls those that run tasks, as Java has them and as the system has
   * them: OpenMP's workers bear the name of the thread that called for them.
   */
  private static void ofTasks() {
    String name = "Executor task l"; // the system keeps 15 characters
    long java =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith(name))
            .count();
    long ofSystem;
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      ofSystem = tasks.filter(task -> name.equals(comm(task))).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    System.out.println("task threads: " + java + ", workers of theirs: " + (ofSystem - java));
  }

  private static String comm(Path task) {
    try {
      return Files.readString(task.resolve("comm")).strip();
    } catch (NoSuchFileException e) {
      return ""; // it has ended
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
