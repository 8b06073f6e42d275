package dev.medley.spark;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import dev.medley.engine.Metric;
import dev.medley.engine.RowError.Code;
import java.util.Map;
import java.util.function.LongSupplier;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * Puts Medley's numbers of each executor into Spark's metrics system, whose sinks take them to
 * Prometheus, Graphite, JMX and so on: {@code spark.plugins=dev.medley.spark.MedleyPlugin}. They
 * are gauges named {@code plugin.dev.medley.spark.MedleyPlugin.rows} and so on, of all that the
 * executor did since it started.
 */
public final class MedleyPlugin implements SparkPlugin {
  @Override
  public DriverPlugin driverPlugin() {
    return null; // rows are scored on executors, of which a local master has one, too
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return new ExecutorPlugin() {
      @Override
      public void init(PluginContext context, Map<String, String> extraConf) {
        register(context.metricRegistry(), ExecutorEngines.OF_THIS_JVM);
      }
    };
  }

  static void register(MetricRegistry registry, ExecutorEngines engines) {
    MetricTotals totals = engines.totals();
    for (Metric metric : Metric.values()) {
      gauge(registry, metric.word(), () -> totals.of(metric));
    }
    for (Code code : Code.values()) {
      gauge(registry, "errors." + code, () -> totals.of(code));
    }
    gauge(registry, "base_loads", engines::baseLoads);
    gauge(registry, "engines", engines::size);
    gauge(registry, "tasks", engines::leases);
    gauge(registry, "adapter_memory_bytes", engines::adapterBytes);
  }

  private static void gauge(MetricRegistry registry, String name, LongSupplier value) {
    registry.register(name, (Gauge<Long>) value::getAsLong);
  }
}
