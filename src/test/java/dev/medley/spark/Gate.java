package dev.medley.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Row;

/**
 * A row at which the first task that comes there waits until it is killed, so that something can
 * happen to it half way. Later attempts, and copies of the task, pass.
 *
 * @param folder where the task says who it is
 * @param id of the row
 */
record Gate(String folder, int id) implements MapFunction<Row, Row> {

  /** The task that waits. */
  record Visitor(long pid, String executor, long task) {}

  @Override
  public Row call(Row row) throws Exception {
    TaskContext task = TaskContext.get();
    if (row.getInt(0) == id && !Files.exists(visitor())) {
      say(ProcessHandle.current().pid() + " " + SparkEnv.get().executorId(), task);
      while (true) {
        Thread.sleep(1000);
      }
    }
    return row;
  }

  private void say(String who, TaskContext task) throws IOException {
    Path said = Files.writeString(Path.of(folder, "arriving"), who + " " + task.taskAttemptId());
    Files.move(said, visitor(), StandardCopyOption.ATOMIC_MOVE);
  }

  private Path visitor() {
    return Path.of(folder, "visitor");
  }

  /** Waits for the task to come. */
  Visitor await() throws Exception {
    for (int i = 0; i < 6000 && !Files.exists(visitor()); i++) {
      Thread.sleep(50);
    }
    String[] said = Files.readString(visitor()).split(" ");
    return new Visitor(Long.parseLong(said[0]), said[1], Long.parseLong(said[2]));
  }
}
