package dev.medley.spark;

import dev.medley.engine.SetUses;
import java.io.IOException;
import java.io.ObjectOutputStream;

/** What each adapter set was used for, over all tasks, as far as memory allows. */
final class SetUseCounts extends OncePerTask<SetUses, SetUses> {
  private static final long serialVersionUID = 1L;

  /** Sets that a task passes on apart: its result is part of what Spark allows a driver to get. */
  static final int OF_A_TASK = 256;

  /** Sets that the driver keeps apart. */
  private static final int OF_ALL = 8192;

  private final SetUses uses;

  private SetUseCounts(int most) {
    uses = new SetUses(most);
  }

  /** Where those of tasks come together. */
  static SetUseCounts ofAllTasks() {
    return new SetUseCounts(OF_ALL);
  }

  @Override
  public synchronized boolean isZero() {
    return uses.isEmpty();
  }

  @Override
  public synchronized void reset() {
    uses.clear();
  }

  @Override
  public synchronized void add(SetUses more) {
    uses.add(more);
  }

  @Override
  void plus(OncePerTask<SetUses, SetUses> other) {
    add(other.value());
  }

  @Override
  SetUseCounts empty() {
    return new SetUseCounts(OF_A_TASK);
  }

  /** A copy. */
  @Override
  public synchronized SetUses value() {
    SetUses copy = new SetUses(OF_ALL);
    copy.add(uses);
    return copy;
  }

  /** An executor's heartbeat sends it while the task adds. */
  private synchronized void writeObject(ObjectOutputStream out) throws IOException {
    out.defaultWriteObject();
  }
}
