package dev.medley.spark;

import dev.medley.engine.Metric;
import dev.medley.engine.Result;
import dev.medley.engine.SetUses;
import java.util.function.Supplier;
import org.apache.spark.TaskContext;

/** Who is told what becomes of a task's rows, in the thread that asks for them. */
interface ScoringObserver {
  /** For tasks of which nobody is told anything. */
  Start NONE = (task, device) -> new ScoringObserver() {};

  /** Whoever is told of a task that begins. */
  @FunctionalInterface
  interface Start {
    ScoringObserver of(TaskContext task, String device);
  }

  /**
   * For each row that comes out.
   *
   * @param name of the row, for people
   */
  default void scored(Result result, Supplier<String> name) {}

  /** Now and then, and at the end: how much more there was of something. */
  default void counted(Metric metric, long amount) {}

  /** Now and then, and at the end: what sets were used for since the last time. */
  default void counted(SetUses uses) {}
}
