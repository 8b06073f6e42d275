package dev.medley.job;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.engine.AdapterRef;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Forecast;
import dev.medley.engine.Metric;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.SetUses;
import dev.medley.engine.Validation;
import dev.medley.engine.Version;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.spark.ErrorExample;
import dev.medley.spark.ScoringCounters;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkContext;

/**
 * What a {@code score} job leaves in its output as {@code _metrics.json}, over which Spark's
 * readers pass: what was asked, what was planned, what was done by what and how fast. Options of
 * readers and writers are named without their values, and URIs without their users, which may be
 * secrets.
 */
final class RunMetrics {
  /** The name of the file. */
  static final String FILE = "_metrics.json";

  private static final String FORMAT = "medley-metrics";
  private static final int VERSION = 1;

  /** Sets that are told apart. */
  private static final int SETS = 100;

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final ObjectNode json = JSON.createObjectNode();

  /**
   * Of a job at its end.
   *
   * @param file that the job is in
   * @param text of the job, whole
   * @param seconds that it took
   */
  RunMetrics(
      JobConf conf,
      String file,
      String text,
      SparkContext context,
      Timeline timeline,
      double seconds,
      ScoringCounters counters) {
    json.put("format", FORMAT).put("version", VERSION);
    ObjectNode versions = json.putObject("versions");
    versions.put("medley", Version.OF_THIS_LIBRARY).put("spark", context.version());
    versions.put("java", Runtime.version().toString());
    json.put("application", context.applicationId()).put("master", context.master());
    json.put(
        "started",
        Instant.now()
            .minusMillis((long) (1000 * seconds))
            .truncatedTo(ChronoUnit.SECONDS)
            .toString());
    json.put("seconds", seconds(seconds));
    conf(conf, json.putObject("job").put("file", file).put("conf", text));
    if (counters.affinity() != null) {
      json.putObject("plan").put("affinity", counters.affinity());
    }
    counts(counters);
    sets(counters.sets());
    devices(counters.rowsByDevice());
    timeline(timeline);
  }

  private static void conf(JobConf conf, ObjectNode job) {
    job.put("base", Location.shown(conf.base())).put("task", conf.task().pipeline());
    job.put("adapters", conf.adapters().size());
    job.put("adapters_from", conf.adaptersFrom() == null ? null : conf.adaptersFrom().shown());
    job.put("sets", conf.sets().size());
    job.put("device", word(conf.device())).put("dtype", word(conf.dtype()));
    job.put("batch_size", conf.batching().batchSize());
    job.put("batch_tokens", conf.batching().batchTokens());
    job.put("window_rows", conf.batching().windowRows());
    job.put("max_length", conf.batching().maxLength());
    job.put("truncation", conf.batching().truncation());
    job.put("merging", word(conf.merging().mode()));
    job.put("merge_memory", conf.merging().memory());
    job.put("adapter_affinity", word(conf.adapterAffinity()));
    job.put("adapter_memory", conf.adapterMemory());
    job.put("deterministic", conf.deterministic());
    job.put("on_error", word(conf.onError())).put("max_error_rate", conf.errors().maxRate());
    ObjectNode input = job.putObject("input");
    input
        .put("format", conf.input().format().toString())
        .put("path", Location.shown(conf.input().path()));
    conf.input().options().keySet().forEach(input.putArray("options")::add);
    output(conf.output(), job.putObject("output"));
    if (conf.errors().output() != null) {
      output(conf.errors().output(), job.putObject("output_of_errors"));
    }
  }

  private static void output(JobConf.Output output, ObjectNode to) {
    to.put("format", output.format().toString()).put("path", Location.shown(output.path()));
    to.put("mode", output.mode()).put("column", output.column()).put("lineage", output.lineage());
    output.options().keySet().forEach(to.putArray("options")::add);
  }

  private void counts(ScoringCounters counters) {
    ObjectNode metrics = json.putObject("metrics");
    for (Metric metric : Metric.values()) {
      metrics.put(metric.word(), counters.of(metric));
    }
    examples(counters.errorExamples());
    ObjectNode errors = json.putObject("errors");
    ObjectNode warnings = json.putObject("warnings");
    counters
        .errorsByCode()
        .forEach(
            (code, rows) -> (Code.valueOf(code).isWarning() ? warnings : errors).put(code, rows));
  }

  /** Counts beside the rows that were scored, by what they are of. */
  RunMetrics withCounts(Map<String, Long> counts) {
    if (!counts.isEmpty()) {
      ObjectNode resumed = json.putObject("resumed");
      counts.forEach((what, count) -> resumed.put(what.replace(' ', '_'), count));
    }
    return this;
  }

  private void examples(Map<String, List<ErrorExample>> examples) {
    ObjectNode codes = json.putObject("examples");
    examples.forEach(
        (code, some) -> {
          ArrayNode to = codes.putArray(code);
          some.forEach(
              each -> to.addObject().put("row", each.row()).put("message", each.message()));
        });
  }

  private void sets(SetUses uses) {
    List<SetUses.OfSet> all = uses.sets();
    int shown = Math.min(SETS, all.size());
    ArrayNode top = json.putArray("sets");
    for (SetUses.OfSet set : all.subList(0, shown)) {
      use(set.use(), top.addObject().put("set", set.set()));
    }
    use(uses.others(shown), json.putObject("other_sets"));
  }

  private static void use(SetUses.Use use, ObjectNode to) {
    to.put("rows", use.rows()).put("runs", use.runs()).put("tokens", use.tokens());
    to.put("ms", use.nanos() / 1_000_000);
    use.modes().forEach(to.putArray("modes")::add);
  }

  private void devices(Map<String, Long> rows) {
    ArrayNode devices = json.putArray("devices");
    rows.forEach(
        (place, count) -> {
          String[] words = place.split(" ");
          ObjectNode device = devices.addObject().put("executor", words[0]).put("host", words[1]);
          device.put("device", words[2]).put("rows", count);
        });
  }

  private void timeline(Timeline timeline) {
    ArrayNode points = json.putArray("timeline");
    for (Timeline.Point point : timeline.points()) {
      ObjectNode to = points.addObject().put("seconds", seconds(point.seconds()));
      to.put("rows", point.rows()).put("tokens", point.tokens());
    }
  }

  /**
   * What {@code explain} would have said of the sets that came, with their rows and tokens as they
   * were; measures this machine's processor.
   */
  RunMetrics withForecast(Validation checked, SetUses uses, Storage storage) {
    EngineSpec spec = checked.spec();
    List<Forecast.Demand> demands = new ArrayList<>();
    for (SetUses.OfSet set : uses.sets()) {
      SetUses.Use use = set.use();
      if (use.rows() > 0 && use.runs() > 0) {
        AdapterRef ref = AdapterRef.parse(List.of(set.set())).expand(spec.namedSets());
        demands.add(new Forecast.Demand(ref, use.rows(), use.tokens(), use.runs()));
      }
    }
    Forecast forecast = Forecast.of(checked, demands, storage);
    ObjectNode plan = json.withObject("/plan").putObject("forecast");
    plan.put("batches", forecast.batches()).put("seconds_of_base", forecast.seconds());
    ArrayNode sets = plan.putArray("sets");
    double changes = forecast.sets().stream().mapToDouble(Forecast.OfSet::seconds).sum();
    plan.put("seconds_of_changes", changes);
    for (Forecast.OfSet set : forecast.sets().subList(0, Math.min(SETS, forecast.sets().size()))) {
      ObjectNode to = sets.addObject().put("set", set.set().toString()).put("mode", set.mode());
      to.put("batches", set.batches()).put("seconds", set.seconds());
      to.put("bytes", set.bytes()).put("merged_bytes", set.merged());
    }
    return this;
  }

  /**
   * Puts it, and a {@link RunReport}, into the folder, in place of what an earlier run left there.
   */
  void write(String folder, SparkContext context) {
    write(new Path(folder, FILE), json.toPrettyString(), context);
    write(new Path(folder, RunReport.FILE), new RunReport(json).toString(), context);
  }

  private static void write(Path file, String text, SparkContext context) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    try (OutputStream out = file.getFileSystem(context.hadoopConfiguration()).create(file, true)) {
      out.write(bytes);
    } catch (IOException e) {
      throw new LoadException(file.toString(), "could not be written: " + e, e);
    }
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  private static double seconds(double seconds) {
    return Math.round(seconds * 1000) / 1000.0;
  }
}
