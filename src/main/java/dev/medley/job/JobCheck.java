package dev.medley.job;

import dev.medley.engine.EngineSpec;
import dev.medley.engine.Validation;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.job.JobConf.Output;
import dev.medley.spark.Scoring;
import java.util.List;
import org.apache.spark.sql.types.StructType;
import picocli.CommandLine.Help.Ansi;

/** All of a job that can be checked without reading weights or scoring a row, and what is wrong. */
final class JobCheck {
  private final JobConf conf;
  private final String file;
  private final Table report = new Table(16, Table.WIDTH - 18);
  private final Table adapters;
  private final Validation validation;
  private int problems;

  /**
   * Checks it.
   *
   * @param file that the job is in
   */
  JobCheck(JobConf conf, String file, Storage storage) {
    this.conf = conf;
    this.file = file;
    EngineSpec engine;
    try {
      engine = conf.spec(storage);
    } catch (LoadException e) {
      engine = conf.namedSpec(); // so that the rest is checked all the same
      report("adapters-from", List.of(e.getMessage()), "");
    }
    validation = conf.validation(engine, storage);
    adapters = adapters(validation.adapters());
    report(
        "base",
        validation.problems(),
        Location.shown(conf.base()) + " (" + conf.task().pipeline() + ")");
    input();
    output("output", conf.output());
    if (conf.errors().output() != null) {
      output("output.errors", conf.errors().output());
    }
    if (problems == 0) {
      report.good("problems", "none");
    } else {
      report.bad("problems", Integer.toString(problems));
    }
  }

  /** What was checked, and every problem, in colours on a terminal. */
  String shown(Ansi terminal) {
    String start = validation.adapters().isEmpty() ? "" : adapters.shown(terminal) + "\n";
    return start + report.shown(terminal);
  }

  boolean isFine() {
    return problems == 0;
  }

  Validation validation() {
    return validation;
  }

  private Table adapters(List<AdapterCheck> adapters) {
    Table table = new Table(26, 12, 8, 26, 10, 8);
    table.head("ADAPTER", "TYPE", "RANK", "TARGETS", "SIZE", "PROBLEMS");
    for (AdapterCheck adapter : adapters) {
      int count = adapter.problems().size();
      table.row(
          adapter.name(),
          orNone(adapter.type()),
          orNone(adapter.rank()),
          orNone(adapter.targets()),
          Table.bytes(adapter.bytes()),
          count == 0 ? "none" : Integer.toString(count));
      adapter.problems().forEach(table::problem);
      problems += count;
    }
    return table;
  }

  private void input() {
    String path = conf.input().path();
    String shown = Location.shown(path) + " (" + conf.input().format() + ")";
    try {
      if (!Rows.exist(path)) {
        report("input", List.of(), shown + ": nothing there yet, columns not checked");
        return;
      }
      StructType schema = schema();
      Scoring.schema(schema, conf.task(), conf.columns());
      report("input", List.of(), shown + ": " + String.join(", ", schema.fieldNames()));
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      report("input", List.of(Failure.message(e)), shown);
    }
  }

  private StructType schema() {
    try (Session session = Session.open("medley validate " + file)) {
      return Rows.read(session.spark(), conf.input()).schema();
    }
  }

  private void output(String key, Output output) {
    String path = output.path();
    if (output.mode().equals(JobConf.RESUME)) {
      report(key, ResumedScore.problems(conf), Location.shown(path) + " (" + output.format() + ")");
      return;
    }
    boolean taken = output.mode().equals("error") && Rows.exist(path);
    List<String> found =
        taken
            ? List.of(
                key + ".path: expected nothing there, since " + key + ".mode = error, found files")
            : List.of();
    report(key, found, Location.shown(path) + " (" + output.format() + ")");
  }

  private void report(String what, List<String> found, String fine) {
    report.row(what, fine);
    found.forEach(report::problem);
    problems += found.size();
  }

  private static String orNone(String text) {
    return text == null ? "-" : text;
  }
}
