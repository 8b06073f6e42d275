package dev.medley.spark;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A few rows in error of each code, over all tasks: those that come first. */
final class ErrorExamples extends OncePerTask<ErrorExample, Map<String, List<ErrorExample>>> {
  private static final long serialVersionUID = 1L;

  /** Of a code. */
  private static final int MOST = 5;

  private final TreeMap<String, ArrayList<ErrorExample>> examples = new TreeMap<>();

  /** Whether one more of that code would stay. */
  synchronized boolean wants(String code) {
    return !examples.containsKey(code) || examples.get(code).size() < MOST;
  }

  @Override
  public synchronized boolean isZero() {
    return examples.isEmpty();
  }

  @Override
  public synchronized void reset() {
    examples.clear();
  }

  @Override
  public synchronized void add(ErrorExample example) {
    if (wants(example.code())) {
      examples.computeIfAbsent(example.code(), first -> new ArrayList<>()).add(example);
    }
  }

  @Override
  void plus(OncePerTask<ErrorExample, Map<String, List<ErrorExample>>> other) {
    other.value().values().forEach(some -> some.forEach(this::add));
  }

  @Override
  ErrorExamples empty() {
    return new ErrorExamples();
  }

  /** A copy. */
  @Override
  public synchronized Map<String, List<ErrorExample>> value() {
    Map<String, List<ErrorExample>> copy = new TreeMap<>();
    examples.forEach((code, some) -> copy.put(code, List.copyOf(some)));
    return copy;
  }

  /** An executor's heartbeat sends it while the task adds. */
  private synchronized void writeObject(ObjectOutputStream out) throws IOException {
    out.defaultWriteObject();
  }
}
