package dev.medley.job;

import dev.medley.engine.AdapterRef;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.Forecast;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.Validation;
import dev.medley.io.Storage;
import dev.medley.spark.InputCounts;
import dev.medley.spark.TaskDevices;
import dev.medley.tensor.Torch;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what a job would do and cost: counts its rows, reads no weight, scores nothing. */
@Command(
    name = "explain",
    description =
        "Counts a job's rows and shows how they would be scored, at what cost; scores nothing.")
final class Explain implements Callable<Integer> {
  /** Sets that are shown where not all are asked for. */
  private static final int SHOWN = 20;

  @Mixin private JobArguments job;

  @Option(names = "--all", description = "Show every set, not only the " + SHOWN + " largest.")
  private boolean all;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    JobConf conf = job.conf();
    return conf.inSession("medley explain " + job.file(), () -> explain(conf));
  }

  private int explain(JobConf conf) {
    Storage storage = Session.storage();
    PrintWriter out = spec.commandLine().getOut();
    Ansi terminal = spec.commandLine().getColorScheme().ansi();
    JobCheck check = new JobCheck(conf, job.file(), storage);
    if (!check.isFine()) {
      out.print(check.shown(terminal));
      out.flush();
      return Medley.FAILED;
    }
    Validation checked = check.validation();
    try (Session session = Session.open("medley explain " + job.file())) {
      Dataset<Row> rows = Rows.read(session.spark(), conf.input());
      InputCounts counts =
          InputCounts.of(rows, checked.spec(), conf.columns(), conf.adapterAffinity());
      SparkContext context = session.spark().sparkContext();
      int cpus = context.getConf().getInt("spark.task.cpus", 1);
      int threads = Torch.threads(checked.spec().threads(cpus));
      Forecast forecast = Forecast.of(checked, demands(counts), storage);
      out.print(sets(checked, counts, forecast, terminal));
      out.println();
      out.print(
          totals(
                  checked,
                  counts,
                  forecast,
                  context.getConf(),
                  context.defaultParallelism() / cpus,
                  threads)
              .shown(terminal));
      out.flush();
    }
    return Medley.OK;
  }

  private static List<Forecast.Demand> demands(InputCounts counts) {
    return counts.sets().stream()
        .map(set -> new Forecast.Demand(set.set(), set.rows(), set.tokens(), set.runs()))
        .toList();
  }

  private String sets(Validation checked, InputCounts counts, Forecast forecast, Ansi terminal) {
    Map<AdapterRef, Forecast.OfSet> forecasts = new HashMap<>();
    forecast.sets().forEach(set -> forecasts.put(set.set(), set));
    List<InputCounts.OfSet> sets =
        counts.sets().stream()
            .sorted(
                Comparator.comparingLong(InputCounts.OfSet::tokens)
                    .reversed()
                    .thenComparing(set -> set.set().toString()))
            .toList();
    int shown = all ? sets.size() : Math.min(SHOWN, sets.size());
    Table table = new Table(20, 9, 11, 5, 7, 18, 7, 9);
    table.head("SET", "ROWS", "TOKENS*", "PARTS", "BATCHES", "MODE", "SECONDS", "TO LOAD");
    for (InputCounts.OfSet set : sets.subList(0, shown)) {
      Forecast.OfSet how = forecasts.get(set.set());
      boolean isPlanned = how.mode() != null;
      table.row(
          set.set().toString(),
          Long.toString(set.rows()),
          Long.toString(set.tokens()),
          Long.toString(set.partitions()),
          isPlanned ? Long.toString(how.batches()) : "-",
          isPlanned ? how.mode() : "-",
          isPlanned ? seconds(how.seconds()) : "-",
          Table.bytes(how.bytes()));
    }
    List<InputCounts.OfSet> rest = sets.subList(shown, sets.size());
    String more = "";
    if (!rest.isEmpty()) {
      more =
          "and %d more: %d rows, %d tokens, %s s, %s; --all shows them\n"
              .formatted(
                  rest.size(),
                  rest.stream().mapToLong(InputCounts.OfSet::rows).sum(),
                  rest.stream().mapToLong(InputCounts.OfSet::tokens).sum(),
                  seconds(rest.stream().mapToDouble(s -> forecasts.get(s.set()).seconds()).sum()),
                  Table.bytes(
                      Forecast.bytes(rest.stream().map(InputCounts.OfSet::set).toList(), checked)));
    }
    return table.shown(terminal) + more + "* estimated from the bytes of texts\n";
  }

  private static Table totals(
      Validation checked,
      InputCounts counts,
      Forecast forecast,
      SparkConf conf,
      int tasks,
      int threads) {
    EngineSpec spec = checked.spec();
    Batching batching = spec.batching();
    List<AdapterRef> refs = counts.sets().stream().map(InputCounts.OfSet::set).toList();
    long rows = counts.sets().stream().mapToLong(InputCounts.OfSet::rows).sum();
    long tokens = counts.sets().stream().mapToLong(InputCounts.OfSet::tokens).sum();
    long adapters =
        refs.stream()
            .flatMap(ref -> ref.members().stream())
            .map(AdapterRef.Member::name)
            .distinct()
            .count();
    Table table = new Table(16, Table.WIDTH - 18);
    table.row("rows", rows + counts.errors() + " in " + counts.partitions() + " partitions");
    table.row("rows in error", counts.errors() + " that name no adapter of the job");
    table.row("tokens", tokens + ", estimated");
    table.row("sets", Integer.toString(refs.size()));
    table.row("adapters", adapters + ", " + Table.bytes(Forecast.bytes(refs, checked)));
    table.row("adapter memory", Table.bytes(spec.adapterMemory()) + " of an executor");
    table.row(
        "loads",
        counts.loads() + " where rows stay, " + counts.plannedLoads() + " where they are moved");
    table.row("affinity", counts.affinity());
    table.row("window", batching.windowRows() + " rows");
    if (spec.task() instanceof TextGeneration) {
      table.row("modes", "none are chosen: shares are added in each step; seconds not predicted");
    } else {
      long merged = forecast.sets().stream().mapToLong(Forecast.OfSet::merged).max().orElse(0);
      table.row(
          "batches",
          spec.has(Extra.DETERMINISTIC)
              ? forecast.batches() + " of one row"
              : "about %d of at most %d rows and %d tokens"
                  .formatted(forecast.batches(), batching.batchSize(), batching.batchTokens()));
      table.row("base products", seconds(forecast.seconds()) + " s*");
      table.row(
          "changes",
          seconds(forecast.sets().stream().mapToDouble(Forecast.OfSet::seconds).sum()) + " s*");
      table.row(
          "merged weights",
          "at most "
              + Table.bytes(merged)
              + " of a set, merge memory "
              + Table.bytes(spec.merging().memory())
              + " of a task");
    }
    table.row("device", TaskDevices.forecast(spec.device(), conf));
    table.row("threads", threads + " of each task, " + tasks + " tasks at a time");
    if (!(spec.task() instanceof TextGeneration)) {
      table.note(
          "* of one task after the other, by a measurement of this machine's processor; attention,"
              + " heads, tokens and loads not counted");
    }
    return table;
  }

  private static String seconds(double seconds) {
    return String.format(Locale.ROOT, seconds < 10 ? "%.3f" : "%.0f", seconds);
  }
}
