package dev.medley.spark;

import dev.medley.engine.Metric;
import dev.medley.engine.Result;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.SetUses;
import java.io.Serializable;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.SparkSession;

/**
 * Counts of a scoring run that a driver can read while it goes: Spark accumulators, which move when
 * a task succeeds. One that is tried again, or whose output was lost and is computed anew, counts
 * once; a Dataset that is used twice without a cache counts twice.
 */
public final class ScoringCounters implements Serializable {
  private static final long serialVersionUID = 1L;

  private final EnumMap<Metric, TaskSum> sums = new EnumMap<>(Metric.class);
  private final NamedCounts errors = new NamedCounts();
  private final ErrorExamples examples = new ErrorExamples();
  private final NamedCounts places = new NamedCounts();
  private final SetUseCounts sets = SetUseCounts.ofAllTasks();
  private transient volatile String affinity; // on the driver alone

  private ScoringCounters() {}

  /** Counters at zero; Spark's UI shows them as {@code name rows} and so on. */
  public static ScoringCounters register(SparkSession session, String name) {
    SparkContext context = session.sparkContext();
    ScoringCounters counters = new ScoringCounters();
    for (Metric metric : Metric.values()) {
      TaskSum sum = new TaskSum();
      context.register(sum, name + " " + metric.word().replace('_', ' '));
      counters.sums.put(metric, sum);
    }
    context.register(counters.errors, name + " errors");
    context.register(counters.examples);
    context.register(counters.places, name + " devices");
    context.register(counters.sets);
    return counters;
  }

  /** Over all tasks that have succeeded. */
  public long of(Metric metric) {
    return sums.get(metric).value();
  }

  /** Rows that came out, those in error too. */
  public long rows() {
    return of(Metric.ROWS);
  }

  /** Adapters read from files: one that is in an executor's memory already is not read again. */
  public long adapterLoads() {
    return of(Metric.ADAPTER_LOADS);
  }

  /** Rows by the name of their error's code, warnings such as {@code TEXT_TRUNCATED} included. */
  public Map<String, Long> errorsByCode() {
    return errors.value();
  }

  /** A few rows in error of each code, warnings included. */
  public Map<String, List<ErrorExample>> errorExamples() {
    return examples.value();
  }

  /** Rows in error, without warnings. */
  public long errors() {
    return errorsByCode().entrySet().stream()
        .filter(code -> !Code.valueOf(code.getKey()).isWarning())
        .mapToLong(Map.Entry::getValue)
        .sum();
  }

  /** Rows by where they were scored: executor, host and device, such as {@code 1 node7 cuda:0}. */
  public Map<String, Long> rowsByDevice() {
    return places.value();
  }

  /** What each adapter set was used for. */
  public SetUses sets() {
    return sets.value();
  }

  /** Whether rows were moved to their adapters, and why; null where nobody has decided yet. */
  public String affinity() {
    return affinity;
  }

  /** Of its accumulator. */
  long id(Metric metric) {
    return sums.get(metric).id();
  }

  void decided(String decision) {
    affinity = decision;
  }

  /**
   * Also looks at tasks that are running, which tell their executor's heartbeat, every ten seconds
   * unless Spark is told otherwise; until the listener is closed.
   */
  public RunningTasks watch(SparkSession session) {
    return new RunningTasks(session.sparkContext(), sums);
  }

  /** Of one task, on its executor; for its thread alone. */
  ScoringObserver ofTask(TaskContext task, String device) {
    sums.values().forEach(sum -> sum.begin(task));
    errors.begin(task);
    examples.begin(task);
    places.begin(task);
    sets.begin(task);
    String place = SparkEnv.get().executorId() + " " + host() + " " + device;
    return new OfTask(place);
  }

  private static String host() {
    return SparkEnv.get().blockManager().blockManagerId().host();
  }

  /** Where a task counts. */
  private final class OfTask implements ScoringObserver {
    private final String place;

    private OfTask(String place) {
      this.place = place;
    }

    @Override
    public void scored(Result result, Supplier<String> name) {
      places.add(place);
      if (result.error() != null) {
        String code = result.error().code().name();
        errors.add(code);
        if (examples.wants(code)) {
          examples.add(new ErrorExample(code, name.get(), result.error().message()));
        }
      }
    }

    @Override
    public void counted(Metric metric, long amount) {
      sums.get(metric).add(amount);
    }

    @Override
    public void counted(SetUses uses) {
      sets.add(uses);
    }
  }
}
