package dev.medley.spark;

/** A number over all tasks. */
final class TaskSum extends OncePerTask<Long, Long> {
  private static final long serialVersionUID = 1L;

  private long sum;

  @Override
  public synchronized boolean isZero() {
    return sum == 0;
  }

  @Override
  public synchronized void reset() {
    sum = 0;
  }

  @Override
  public synchronized void add(Long amount) {
    sum += amount;
  }

  @Override
  void plus(OncePerTask<Long, Long> other) {
    add(other.value());
  }

  @Override
  TaskSum empty() {
    return new TaskSum();
  }

  @Override
  public synchronized Long value() {
    return sum;
  }
}
