package dev.medley.spark;

import dev.medley.engine.Metric;
import dev.medley.engine.RowError.Code;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What all tasks of this JVM have done since it started, those that failed included. */
final class MetricTotals {
  private final Map<Metric, LongAdder> metrics = new EnumMap<>(Metric.class);
  private final Map<Code, LongAdder> errors = new EnumMap<>(Code.class);

  MetricTotals() {
    for (Metric metric : Metric.values()) {
      metrics.put(metric, new LongAdder());
    }
    for (Code code : Code.values()) {
      errors.put(code, new LongAdder());
    }
  }

  void add(Metric metric, long amount) {
    metrics.get(metric).add(amount);
  }

  void add(Code code) {
    errors.get(code).increment();
  }

  long of(Metric metric) {
    return metrics.get(metric).sum();
  }

  long of(Code code) {
    return errors.get(code).sum();
  }
}
