package dev.medley.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.Work;
import dev.medley.engine.Batches.Batch;
import dev.medley.engine.Batches.Part;
import dev.medley.engine.Planner.Mode;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.TextModel;
import dev.medley.tensor.Torch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * How sets of rows would be scored, by the rules that put batches together and choose modes, as if
 * all rows of a set had the same length and all its runs the same rows. Seconds are of one task at
 * a time on the processor that was measured.
 *
 * @param sets in the order of their demands
 * @param batches forward passes of all sets together
 * @param seconds of the base's own products with linear maps, attention and the head's left out
 */
public record Forecast(List<OfSet> sets, long batches, double seconds) {

  /**
   * Rows that ask for a set.
   *
   * @param runs windows that they are spread over, each run in one partition; 1 to {@code rows}
   */
  public record Demand(AdapterRef set, long rows, long tokens, long runs) {}

  /**
   * One set.
   *
   * @param batches that its rows are in
   * @param mode base, added, merged per run or merged per product; null for a task that chooses
   *     none
   * @param seconds of its changes; 0 where no mode is chosen
   * @param bytes of its adapters in their files
   * @param merged bytes of merged weights that its run holds; 0 for none
   */
  public record OfSet(
      AdapterRef set, long batches, String mode, double seconds, long bytes, long merged) {}

  /**
   * Reads no weight; measures this machine's processor where modes are chosen.
   *
   * @param checked without problems
   * @throws IllegalArgumentException for a set with a member that was not checked
   */
  public static Forecast of(Validation checked, List<Demand> demands, Storage storage) {
    EngineSpec spec = checked.spec();
    Map<String, AdapterCheck> adapters = new HashMap<>();
    checked.adapters().forEach(adapter -> adapters.put(adapter.name(), adapter));
    BaseModules modules =
        TextModel.outline(storage, Location.of(spec.base()), spec.task().head()).modules();
    try (NDManager owner = Torch.manager(Device.cpu())) {
      return of(spec, adapters, numbers(modules), demands, () -> CostModel.of(owner, spec.dtype()));
    }
  }

  /** Of the base's linear maps, Σ out·in. */
  static double numbers(BaseModules modules) {
    return modules.all().stream()
        .filter(module -> module.place() == Place.BASE)
        .filter(module -> module.kind() == Kind.LINEAR || module.kind() == Kind.CONV1D)
        .map(Module::shape)
        .mapToDouble(shape -> (double) shape[0] * shape[1])
        .sum();
  }

  /**
   * The same by what is given.
   *
   * @param numbers of the base's linear maps
   * @param cost asked for where modes are chosen
   */
  static Forecast of(
      EngineSpec spec,
      Map<String, AdapterCheck> adapters,
      double numbers,
      List<Demand> demands,
      Supplier<CostModel> cost) {
    boolean isPlanned = spec.task() instanceof OnePass;
    Planner planner = new Planner(spec.modes(), spec.dtype().bytes(), cost);
    List<OfSet> sets = new ArrayList<>();
    double passes = 0;
    double tokens = 0;
    for (Demand demand : demands) {
      Work work = Work.NONE;
      for (AdapterRef.Member member : demand.set.members()) {
        work = work.plus(check(adapters, member).work());
      }
      long bytes = bytes(List.of(demand.set), adapters);
      if (!isPlanned) {
        sets.add(new OfSet(demand.set, 0, null, 0, bytes, 0));
        continue;
      }
      long rows = ceil(demand.rows, demand.runs);
      long ofRun = ceil(demand.tokens, demand.runs);
      Planner.Run run = run(spec.passes(), rows, ofRun, demands.size() > 1);
      Mode mode = demand.set.members().isEmpty() ? Mode.BASE : planner.mode(work, run);
      sets.add(
          new OfSet(
              demand.set,
              demand.runs * run.batches(),
              word(mode),
              demand.runs * planner.seconds(mode, work, run),
              bytes,
              mode == Mode.MERGED ? planner.memory(work) : 0));
      passes += demand.runs * (run.alone() ? run.batches() : filled(spec.passes(), rows, ofRun));
      tokens += demand.tokens;
    }
    long batches = (long) Math.ceil(passes - 1e-9);
    double seconds = batches == 0 ? 0 : batches * cost.get().products(numbers, tokens / batches);
    return new Forecast(List.copyOf(sets), batches, seconds);
  }

  /** Bytes of the files of all adapters that some sets have, each once. */
  public static long bytes(List<AdapterRef> sets, Validation checked) {
    Map<String, AdapterCheck> adapters = new HashMap<>();
    checked.adapters().forEach(adapter -> adapters.put(adapter.name(), adapter));
    return bytes(sets, adapters);
  }

  private static long bytes(List<AdapterRef> sets, Map<String, AdapterCheck> adapters) {
    Set<AdapterCheck> members = new HashSet<>();
    sets.forEach(set -> set.members().forEach(member -> members.add(check(adapters, member))));
    return members.stream().mapToLong(AdapterCheck::bytes).sum();
  }

  private static AdapterCheck check(Map<String, AdapterCheck> adapters, AdapterRef.Member member) {
    AdapterCheck found = adapters.get(member.name());
    if (found == null) {
      throw new IllegalArgumentException("adapter: none is named " + member.name());
    }
    return found;
  }

  /**
   * What batches make of rows of one length.
   *
   * @param beside whether a window has another set, as small as can be
   */
  private static Planner.Run run(Batching batching, long rows, long tokens, boolean beside) {
    List<Batches.Row> window = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      window.add(new Batches.Row(i, 0, (int) (tokens * (i + 1) / rows - tokens * i / rows)));
    }
    if (beside) {
      window.add(new Batches.Row((int) rows, 1, 1));
    }
    for (Batch batch : Batches.of(window, batching.batchSize(), batching.batchTokens(), null)) {
      for (Part part : batch.parts()) {
        if (part.set() == 0) {
          return part.run();
        }
      }
    }
    throw new IllegalStateException("a run of " + rows + " rows is in no batch");
  }

  /** Which part of a batch that sets share is filled. */
  private static double filled(Batching batching, long rows, long tokens) {
    return Math.max((double) rows / batching.batchSize(), (double) tokens / batching.batchTokens());
  }

  private static String word(Mode mode) {
    return switch (mode) {
      case BASE -> "base";
      case ADDED -> "added";
      case MERGED -> "merged per run";
      case SCRATCH -> "merged per product";
    };
  }

  private static long ceil(long number, long by) {
    return (number + by - 1) / by;
  }
}
