package dev.medley.job;

import dev.medley.engine.Metric;
import dev.medley.engine.Validation;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.Storage;
import dev.medley.spark.RunningTasks;
import dev.medley.spark.Scoring;
import dev.medley.spark.ScoringCounters;
import java.io.PrintWriter;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Scores the rows of a job. */
@Command(name = "score", description = "Scores the rows of a job file, each under its own adapter.")
final class Score implements Callable<Integer> {
  private static final Logger log = LoggerFactory.getLogger(Score.class);

  @Mixin private JobArguments job;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    JobConf conf = job.conf();
    return conf.inSession("medley score " + job.file(), () -> score(conf));
  }

  private int score(JobConf conf) {
    String text = job.text(); // the file may be another one when the job ends
    Storage storage = Session.storage();
    Validation validation = conf.validation(conf.spec(storage), storage);
    validation.orThrow();
    for (AdapterCheck adapter : validation.adapters()) {
      if (!adapter.problems().isEmpty()) {
        log.warn(
            "rows that name adapter {} will get errors: {}",
            adapter.name(),
            String.join("; ", adapter.problems()));
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    try (Session session = Session.open("medley score " + job.file())) {
      SparkContext context = session.spark().sparkContext();
      ScoringCounters counters = ScoringCounters.register(session.spark(), "medley");
      try (RunningTasks running = counters.watch(session.spark());
          Progress progress = progress(counters, running)) {
        Written written = write(session.spark(), conf, validation, counters);
        running.end(); // a late heartbeat may be of a task that has ended
        Timeline timeline = progress.timeline();
        double seconds = timeline.seconds(); // progress goes on until it is closed
        if (written.isAny) {
          RunMetrics metrics =
              new RunMetrics(conf, job.file(), text, context, timeline, seconds, counters);
          metrics.withCounts(written.counts);
          leave(metrics, conf, validation, counters, context, storage);
        }
        out.print(new RunSummary(conf, counters, seconds, written.counts));
        out.flush();
      }
    }
    return Medley.OK;
  }

  /** The rows are there already: what goes wrong here is said, and no more. */
  private static void leave(
      RunMetrics metrics,
      JobConf conf,
      Validation validation,
      ScoringCounters counters,
      SparkContext context,
      Storage storage) {
    try {
      if (context.isLocal()) { // else the driver has another processor, maybe no libtorch
        metrics.withForecast(validation, counters.sets(), storage);
      }
      metrics.write(conf.output().path(), context);
    } catch (RuntimeException e) {
      log.warn("the output has no metrics and no report: {}", Failure.message(e));
    }
  }

  /**
   * What became of an output.
   *
   * @param counts for people, beside the rows that were scored
   */
  private record Written(boolean isAny, Map<String, Long> counts) {}

  private static Written write(
      SparkSession spark, JobConf conf, Validation validation, ScoringCounters counters) {
    if (conf.resume() != null) {
      ResumedScore resumed = ResumedScore.run(spark, conf, validation, counters);
      boolean isNew = resumed.outcome().writtenChunks() > 0;
      String before = conf.output().path() + "/" + RunMetrics.FILE;
      return new Written(isNew || !Rows.exist(before), resumed.counts());
    }
    Dataset<Row> rows = Rows.read(spark, conf.input());
    Dataset<Row> scored =
        Scoring.score(rows, validation.spec(), conf.columns(), conf.adapterAffinity(), counters);
    return new Written(conf.errors().write(scored, conf.output()), Map.of());
  }

  private Progress progress(ScoringCounters counters, RunningTasks running) {
    Supplier<Progress.Counts> counts =
        () ->
            new Progress.Counts(
                Math.max(running.of(Metric.ROWS), running.of(Metric.SCORED)),
                running.of(Metric.TOKENS),
                counters.errors(),
                running.of(Metric.ADAPTER_LOADS));
    return Progress.hasTerminal()
        ? Progress.onTerminal(counts, spec.commandLine().getErr())
        : Progress.inLog(counts);
  }
}
