package dev.medley.spark;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.util.Map;
import java.util.TreeMap;

/** How often each of a few names came up, over all tasks. */
final class NamedCounts extends OncePerTask<String, Map<String, Long>> {
  private static final long serialVersionUID = 1L;

  private final TreeMap<String, Long> counts = new TreeMap<>();

  @Override
  public synchronized boolean isZero() {
    return counts.isEmpty();
  }

  @Override
  public synchronized void reset() {
    counts.clear();
  }

  @Override
  public synchronized void add(String name) {
    counts.merge(name, 1L, Long::sum);
  }

  @Override
  void plus(OncePerTask<String, Map<String, Long>> other) {
    Map<String, Long> theirs = other.value();
    synchronized (this) {
      theirs.forEach((name, count) -> counts.merge(name, count, Long::sum));
    }
  }

  @Override
  NamedCounts empty() {
    return new NamedCounts();
  }

  @Override
  public synchronized Map<String, Long> value() {
    return new TreeMap<>(counts);
  }

  /** An executor's heartbeat sends it while the task adds. */
  private synchronized void writeObject(ObjectOutputStream out) throws IOException {
    out.defaultWriteObject();
  }
}
