package dev.medley.job.bench;

import ai.djl.pytorch.jni.JniUtils;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.job.Table;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * Where the time goes, by libtorch's own profiler. It sees the thread that it was started in, and
 * the operators that this calls; what they do in libtorch's other threads is theirs. A call from
 * Java shows as the kernel that it asks for, with operators in it.
 *
 * @param wallMillis of everything
 * @param operators the longest in themselves first
 * @param kernels what was called from outside any operator, by name, the longest first
 */
record OperatorProfile(double wallMillis, List<Time> operators, List<Time> kernels) {
  /**
   * Of one name.
   *
   * @param totalMillis with what it calls; a call within one of the same name counts once
   * @param selfMillis without
   */
  record Time(String name, int calls, double totalMillis, double selfMillis) {}

  /** In nanoseconds, which times are whole numbers of. */
  private record Event(String name, String thread, long start, long end) {}

  private static final class Sum {
    int calls;
    long total;
    long self;

    void add(long totalNanos, long selfNanos) {
      calls++;
      total += totalNanos;
      self += selfNanos;
    }
  }

  /** An event in work, and how much of it others took. */
  private static final class Frame {
    final Event event;
    long inside;

    Frame(Event event) {
      this.event = event;
    }
  }

  /** Runs something in this thread; leaves a trace that chrome://tracing shows in {@code trace}. */
  static OperatorProfile of(Runnable run, Path trace) {
    JniUtils.startProfile(false, false, false);
    long start = System.nanoTime();
    double millis;
    try {
      run.run();
    } finally {
      millis = (System.nanoTime() - start) / 1e6;
      JniUtils.stopProfile(trace.toString());
    }
    return read(trace, millis);
  }

  /** Of a trace in Chrome's format, times in microseconds. */
  static OperatorProfile read(Path trace, double wallMillis) {
    List<Event> events = new ArrayList<>();
    try {
      for (JsonNode event : new ObjectMapper().readTree(trace.toFile())) {
        if (event.get("ph").asText().equals("X")) {
          long start = nanos(event.get("ts"));
          events.add(
              new Event(
                  event.get("name").asText(),
                  event.get("tid").asText(),
                  start,
                  start + nanos(event.get("dur"))));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    // who contains another comes before it
    events.sort(
        Comparator.comparingLong(Event::start)
            .thenComparing(Comparator.comparingLong(Event::end).reversed()));
    Map<String, ArrayDeque<Frame>> stacks = new HashMap<>();
    Map<String, Sum> operators = new LinkedHashMap<>();
    Map<String, Sum> kernels = new LinkedHashMap<>();
    for (Event event : events) {
      ArrayDeque<Frame> stack = stacks.computeIfAbsent(event.thread, made -> new ArrayDeque<>());
      while (!stack.isEmpty() && stack.peek().event.end <= event.start) {
        close(stack, operators, kernels);
      }
      stack.push(new Frame(event));
    }
    stacks
        .values()
        .forEach(
            stack -> {
              while (!stack.isEmpty()) {
                close(stack, operators, kernels);
              }
            });
    return new OperatorProfile(
        wallMillis, times(operators, Time::selfMillis), times(kernels, Time::totalMillis));
  }

  private static long nanos(JsonNode micros) {
    return Math.round(1e3 * micros.doubleValue());
  }

  private static void close(
      ArrayDeque<Frame> stack, Map<String, Sum> operators, Map<String, Sum> kernels) {
    Frame frame = stack.pop();
    Event event = frame.event;
    long nanos = event.end - event.start;
    boolean isNested = stack.stream().anyMatch(outer -> outer.event.name.equals(event.name));
    operators
        .computeIfAbsent(event.name, made -> new Sum())
        .add(isNested ? 0 : nanos, nanos - frame.inside);
    if (stack.isEmpty()) {
      kernels.computeIfAbsent(event.name, made -> new Sum()).add(nanos, nanos - frame.inside);
    } else {
      stack.peek().inside += nanos;
    }
  }

  private static List<Time> times(Map<String, Sum> sums, ToDoubleFunction<Time> order) {
    return sums.entrySet().stream()
        .map(
            each ->
                new Time(
                    each.getKey(),
                    each.getValue().calls,
                    each.getValue().total / 1e6,
                    each.getValue().self / 1e6))
        .sorted(Comparator.comparingDouble(order).reversed())
        .toList();
  }

  /** Milliseconds in no operator: Java, tokenising, waiting, and the profiler itself. */
  double outsideMillis() {
    return wallMillis - kernels.stream().mapToDouble(Time::totalMillis).sum();
  }

  /** Both lists, as far as they matter, and what is in neither. */
  @Override
  public String toString() {
    Table table = new Table(44, 9, 11, 11, 8);
    table.head("CALLED FROM JAVA", "CALLS", "TOTAL ms", "SELF ms", "SHARE");
    kernels.forEach(time -> row(table, time, time.totalMillis));
    table.row("outside any", "", millis(outsideMillis()), "", share(outsideMillis()));
    table.row("wall", "", millis(wallMillis), "", "");
    table.row("", "", "", "", "");
    table.head("OPERATOR", "CALLS", "TOTAL ms", "SELF ms", "SHARE");
    shown().forEach(time -> row(table, time, time.selfMillis));
    return table.toString();
  }

  /** Those of at least a thousandth. */
  private Stream<Time> shown() {
    return operators.stream().filter(time -> time.selfMillis >= wallMillis / 1000);
  }

  private void row(Table table, Time time, double shared) {
    table.row(
        time.name,
        Integer.toString(time.calls),
        millis(time.totalMillis),
        millis(time.selfMillis),
        share(shared));
  }

  private String share(double part) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * part / wallMillis);
  }

  private static String millis(double millis) {
    return String.format(Locale.ROOT, "%.1f", millis);
  }
}
