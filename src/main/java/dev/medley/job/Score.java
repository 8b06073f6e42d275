package dev.medley.job;

import dev.medley.engine.RowError.Code;
import dev.medley.engine.Validation;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.Storage;
import dev.medley.spark.Scoring;
import dev.medley.spark.ScoringCounters;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
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
      Dataset<Row> rows = Rows.read(session.spark(), conf.input());
      ScoringCounters counters = ScoringCounters.register(session.spark(), "medley");
      Dataset<Row> scored =
          Scoring.score(rows, validation.spec(), conf.columns(), conf.adapterAffinity(), counters);
      try (Progress progress = progress(counters)) {
        conf.errors().write(scored, conf.output());
        summary(conf, counters, progress.seconds(), out);
      }
    }
    return Medley.OK;
  }

  private Progress progress(ScoringCounters counters) {
    return Progress.hasTerminal()
        ? Progress.onTerminal(counters::rows, counters::adapterLoads, spec.commandLine().getErr())
        : Progress.inLog(counters::rows, counters::adapterLoads);
  }

  private static void summary(
      JobConf conf, ScoringCounters counters, double seconds, PrintWriter out) {
    Map<String, Long> codes = new TreeMap<>(counters.errorsByCode());
    Predicate<String> isWarning = code -> Code.valueOf(code).isWarning();
    Table table = new Table(16, Table.WIDTH - 18);
    table.row("rows", Long.toString(counters.rows()));
    table.row("errors", counts(codes, isWarning.negate()));
    table.row("warnings", counts(codes, isWarning));
    table.row("adapters loaded", Long.toString(counters.adapterLoads()));
    table.row("seconds", String.format(Locale.ROOT, "%.1f", seconds));
    table.row("rows/s", String.format(Locale.ROOT, "%.1f", counters.rows() / seconds));
    table.row("output", conf.output().path() + " (" + conf.output().format() + ")");
    out.print(table);
    out.flush();
  }

  /** Such as {@code 3: ADAPTER_UNKNOWN 2, TEXT_NULL 1}. */
  private static String counts(Map<String, Long> codes, Predicate<String> kept) {
    List<Map.Entry<String, Long>> some =
        codes.entrySet().stream().filter(code -> kept.test(code.getKey())).toList();
    long sum = some.stream().mapToLong(Map.Entry::getValue).sum();
    return sum == 0
        ? "0"
        : some.stream()
            .map(code -> code.getKey() + " " + code.getValue())
            .collect(Collectors.joining(", ", sum + ": ", ""));
  }
}
