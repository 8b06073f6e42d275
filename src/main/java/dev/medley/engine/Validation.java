package dev.medley.engine;

import dev.medley.adapter.AdapterReport;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.Work;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.TextModel;
import dev.medley.tensor.Weights;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Everything that can be known of a spec without reading a weight: configs, and the names and
 * shapes in the headers of the base and of every adapter.
 *
 * @param spec the same with the adapters' small files read, and commits in place of branches of the
 *     Hub: ready to broadcast
 * @param problems of the base and of the named sets; with any, nothing can be scored
 */
public record Validation(EngineSpec spec, List<AdapterCheck> adapters, List<String> problems) {

  /**
   * One adapter.
   *
   * @param type PEFT's {@code peft_type}; null where the config cannot be read
   * @param rank as the config gives it, such as {@code 8}; null as above
   * @param targets {@code target_modules} in short; null as above
   * @param bytes of its tensors
   * @param work of its changes to linear maps; none where it is not known
   * @param problems with any, every row that names it fails, or, where only the labels' names do
   *     not fit, has LABEL_0, LABEL_1, … in their place
   */
  public record AdapterCheck(
      String name,
      String type,
      String rank,
      String targets,
      long bytes,
      Work work,
      List<String> problems) {}

  /** Checks all of it; finds every problem rather than the first. */
  public static Validation of(EngineSpec given, Storage storage) {
    return of(given, storage, new ArrayList<>());
  }

  /** The same where rows hold chats: checks also the template that writes them. */
  public static Validation ofChats(EngineSpec given, Storage storage) {
    List<String> problems = new ArrayList<>();
    Location folder = Location.of(given.base());
    noting(problems, () -> ChatTemplate.of(storage, folder).checkExists());
    return of(given, storage, problems);
  }

  private static Validation of(EngineSpec given, Storage storage, List<String> problems) {
    EngineSpec spec = SetManifest.expand(pinned(given, storage, problems), storage, problems);
    TextModel base = outline(spec, storage, problems);
    noting(problems, () -> checkTexts(spec, storage, base));
    if (spec.task() instanceof TextGeneration asked && base != null) { // else config.json is none
      Location folder = Location.of(spec.base());
      noting(problems, () -> GenerationSettings.of(storage, folder, asked));
    }
    Map<String, AdapterSource> resolved = new LinkedHashMap<>();
    Map<String, AdapterChecks.Read> reads = new LinkedHashMap<>();
    List<AdapterCheck> checks = new ArrayList<>();
    for (AdapterChecks.Checked adapter : new AdapterChecks(base, storage).of(spec.adapters())) {
      String name = adapter.check().name();
      resolved.put(name, adapter.source());
      checks.add(adapter.check());
      if (base != null && adapter.read() != null) {
        reads.put(name, adapter.read());
      }
    }
    List<String> absent = base == null ? List.of() : base.absent();
    noting(
        problems,
        () ->
            spec.namedSets()
                .forEach((name, set) -> checkSet(name, set, spec, reads, absent, problems)));
    EngineSpec ready = spec.with(spec.base(), resolved);
    boolean isBrought = reads.values().stream().anyMatch(read -> brings(read, absent));
    return new Validation(ready, isBrought ? withoutAbsent(checks) : checks, problems);
  }

  private static EngineSpec pinned(EngineSpec given, Storage storage, List<String> problems) {
    try {
      Location base = Location.of(given.base());
      Location pinned = storage.pinned(base);
      return pinned.equals(base) ? given : given.with(pinned.uri(), given.adapters());
    } catch (LoadException e) {
      problems.add(e.getMessage());
      return given;
    }
  }

  /** Null and a problem where there is no such model. */
  private static TextModel outline(EngineSpec spec, Storage storage, List<String> problems) {
    try {
      return TextModel.outline(storage, Location.of(spec.base()), spec.task().head());
    } catch (LoadException e) {
      note(problems, e);
      return null;
    }
  }

  private static void noting(List<String> problems, Runnable check) {
    try {
      check.run();
    } catch (LoadException | IllegalArgumentException e) {
      note(problems, e);
    }
  }

  /** Once: a base that cannot be reached is the same problem for each check. */
  private static void note(List<String> problems, RuntimeException e) {
    if (!problems.contains(e.getMessage())) {
      problems.add(e.getMessage());
    }
  }

  /** Makes the tokenizer as an executor will: it is the one part of an engine that costs little. */
  private static void checkTexts(EngineSpec spec, Storage storage, TextModel base) {
    Location folder = Location.of(spec.base());
    SentenceFiles files = SentenceFiles.of(storage, folder, spec.task().head());
    int positions = base == null ? Integer.MAX_VALUE : base.maxTokens();
    int maxLength = spec.batching().maxLength();
    TextTokenizer.of(storage, folder, spec.task(), positions, maxLength, files).close();
  }

  private static boolean brings(AdapterChecks.Read read, List<String> absent) {
    return read.report().shapes().keySet().containsAll(absent);
  }

  /**
   * Who brings no head may stand in a set with one who does; rows of it alone say that it lacks.
   */
  private static List<AdapterCheck> withoutAbsent(List<AdapterCheck> checks) {
    return checks.stream()
        .map(
            check ->
                new AdapterCheck(
                    check.name(),
                    check.type(),
                    check.rank(),
                    check.targets(),
                    check.bytes(),
                    check.work(),
                    check.problems().stream()
                        .filter(problem -> !problem.endsWith(AdapterChecks.NOWHERE))
                        .toList()))
        .toList();
  }

  private static void checkSet(
      String name,
      AdapterRef set,
      EngineSpec spec,
      Map<String, AdapterChecks.Read> reads,
      List<String> absent,
      List<String> problems) {
    List<String> found = new ArrayList<>();
    try {
      AdapterRef.checkName(name);
      if (spec.adapters().containsKey(name)) {
        found.add("an adapter has the same name");
      }
      List<AdapterRef.Member> members = set.members();
      if (members.isEmpty()) {
        found.add("expected at least one adapter, found none");
      }
      absent.stream()
          .filter(
              parameter ->
                  members.stream()
                      .map(member -> reads.get(member.name()))
                      .allMatch(read -> read != null && !brings(read, List.of(parameter))))
          .forEach(parameter -> found.add(parameter + ": neither the base nor a member has it"));
      for (int i = 0; i < members.size(); i++) {
        AdapterRef.Member member = members.get(i);
        AdapterChecks.Read read = reads.get(member.name());
        if (!spec.adapters().containsKey(member.name())) {
          found.add("no adapter is named " + member.name());
        }
        if (read == null) {
          continue;
        }
        found.addAll(read.config().unscalable(member.toString(), member.weight()));
        for (AdapterRef.Member one : members.subList(0, i)) {
          AdapterChecks.Read other = reads.get(one.name());
          if (other != null && !one.name().equals(member.name())) {
            found.addAll(
                AdapterReport.conflicts(one.name(), other.report(), member.name(), read.report()));
          }
        }
      }
    } catch (IllegalArgumentException e) {
      found.add(e.getMessage());
    }
    found.forEach(problem -> problems.add("set " + name + ": " + problem));
  }

  /** Names of labels that do not fit the head whose labels they name. */
  static List<String> labelProblems(List<String> names, BaseModules modules, AdapterReport report) {
    List<String> problems = new ArrayList<>();
    for (Module module : modules.all()) {
      if (!module.isLabels()) {
        continue;
      }
      String weight = module.parameter("weight");
      long[] shape = report.shapes().getOrDefault(weight, module.shape());
      boolean isKnown = shape[0] != Weights.ANY && shape[0] != 0; // none is the loader's to say
      if (!names.isEmpty() && isKnown && shape[0] != names.size()) {
        problems.add(
            "labels: expected "
                + shape[0]
                + ", the rows of "
                + weight
                + ", found "
                + names.size()
                + ", "
                + names
                + "; correct the adapter's labels or the config.json beside it");
      }
    }
    return problems;
  }

  /** Throws where nothing can be scored, and for an unfit adapter where errors are to fail. */
  public void orThrow() {
    List<String> all = new ArrayList<>(problems);
    if (spec.onError() == EngineSpec.OnError.FAIL) {
      for (AdapterCheck adapter : adapters) {
        adapter.problems().forEach(problem -> all.add(adapter.name() + ": " + problem));
      }
    }
    if (!all.isEmpty()) {
      throw new LoadException(Location.of(spec.base()).toString(), all);
    }
  }
}
