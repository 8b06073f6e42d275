package dev.medley.job;

import dev.medley.engine.Metric;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.SetUses;
import dev.medley.io.Location;
import dev.medley.spark.ScoringCounters;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What a {@code score} job says at its end. */
final class RunSummary {
  /** Sets that are shown. */
  private static final int SHOWN = 10;

  private final JobConf conf;
  private final ScoringCounters counters;
  private final double seconds;
  private final Map<String, Long> more;

  /**
   * So far.
   *
   * @param more counts beside those of the rows that were scored
   */
  RunSummary(JobConf conf, ScoringCounters counters, double seconds, Map<String, Long> more) {
    this.more = more;
    this.conf = conf;
    this.counters = counters;
    this.seconds = seconds;
  }

  /** Plain text, every line with a line break. */
  @Override
  public String toString() {
    SetUses sets = counters.sets();
    return sets.sets().size() < 2 ? totals().toString() : totals() + "\n" + sets(sets);
  }

  private Table totals() {
    Map<String, Long> codes = new TreeMap<>(counters.errorsByCode());
    Predicate<String> isWarning = code -> Code.valueOf(code).isWarning();
    Table table = new Table(16, Table.WIDTH - 18);
    table.row("rows", Long.toString(counters.rows()));
    more.forEach((what, count) -> table.row(what, Long.toString(count)));
    table.row("errors", counts(codes, isWarning.negate()));
    table.row("warnings", counts(codes, isWarning));
    table.row(
        "tokens",
        of(Metric.TOKENS) + ", and " + of(Metric.PADDING_TOKENS) + " of padding for heads");
    table.row(
        "forward passes",
        "%d in %d ms: base in %d, added in %d, merged per run in %d, per product in %d"
            .formatted(
                of(Metric.FORWARDS),
                of(Metric.FORWARD_MS),
                of(Metric.FORWARDS_BASE),
                of(Metric.FORWARDS_ADDED),
                of(Metric.FORWARDS_MERGED),
                of(Metric.FORWARDS_SCRATCH)));
    table.row(
        "adapters loaded",
        "%d, %s in %d ms; in memory %d times, evicted %d"
            .formatted(
                counters.adapterLoads(),
                Table.bytes(of(Metric.ADAPTER_BYTES)),
                of(Metric.ADAPTER_LOAD_MS),
                of(Metric.ADAPTER_HITS),
                of(Metric.ADAPTER_EVICTIONS)));
    table.row("seconds", String.format(Locale.ROOT, "%.1f", seconds));
    table.row("rows/s", String.format(Locale.ROOT, "%.1f", counters.rows() / seconds));
    table.row("tokens/s", String.format(Locale.ROOT, "%.1f", of(Metric.TOKENS) / seconds));
    table.row("output", Location.shown(conf.output().path()) + " (" + conf.output().format() + ")");
    if (conf.errors().output() != null) {
      JobConf.Output errors = conf.errors().output();
      table.row("error output", Location.shown(errors.path()) + " (" + errors.format() + ")");
    }
    return table;
  }

  private long of(Metric metric) {
    return counters.of(metric);
  }

  private static Table sets(SetUses uses) {
    List<SetUses.OfSet> all = uses.sets();
    int shown = Math.min(SHOWN, all.size());
    Table table = new Table(60, 10, 12, 10);
    table.head("SET", "ROWS", "TOKENS", "MS");
    all.subList(0, shown).forEach(set -> row(table, set.set(), set.use()));
    SetUses.Use others = uses.others(shown);
    if (others.tokens() > 0) {
      row(table, "others", others);
    }
    return table;
  }

  private static void row(Table table, String name, SetUses.Use use) {
    table.row(
        name,
        Long.toString(use.rows()),
        Long.toString(use.tokens()),
        Long.toString(use.nanos() / 1_000_000));
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
