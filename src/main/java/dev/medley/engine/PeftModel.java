package dev.medley.engine;

import ai.djl.ndarray.NDManager;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterLoader;
import dev.medley.adapter.AdapterReport;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.Combination;
import dev.medley.adapter.IdleModules;
import dev.medley.adapter.MixedSet;
import dev.medley.adapter.WeightedAdapter;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Nearest;
import dev.medley.io.Storage;
import dev.medley.model.Architecture;
import dev.medley.model.Labels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A base and its adapters by PEFT's verbs, for people who come from {@code PeftModel} and {@code
 * PeftMixedModel}. It keeps what those keep, which adapters are loaded and which of them are
 * active, and leaves the work to {@link Engine}: the base is never written to, and rows that name
 * their own adapters are better given to an {@link Engine} as they are.
 *
 * <pre>{@code
 * try (PeftModel model =
 *     PeftModel.fromPretrained("bert-base", TextClassification.AUTO, "adapters/math", "math")) {
 *   model.loadAdapter("adapters/polite", "polite");
 *   model.setAdapter("math", "polite");
 *   List<Result> results = model.run(List.of("two and two, please"));
 *   model.mergeAndUnload(Path.of("merged"));
 * }
 * }</pre>
 *
 * <p>Several active adapters do what {@code PeftMixedModel} computes unmerged with the adapters
 * added and activated in the order in which {@link #setAdapter} names them. A verb that throws has
 * changed nothing of the model.
 *
 * <p>Not for concurrent use.
 */
public final class PeftModel implements AutoCloseable {
  /** PEFT's name for an adapter that was given none. */
  public static final String DEFAULT = "default";

  private static final Logger LOG = LoggerFactory.getLogger(PeftModel.class);

  private final EngineSpec spec;
  private final Storage storage;
  private final BaseModel base;
  private final Engine engine;
  private final Map<String, Loaded> adapters = new LinkedHashMap<>(); // in the order of loading
  private final Map<String, AdapterRef> sets = new LinkedHashMap<>(); // loaded from manifests
  private AdapterRef active = new AdapterRef(List.of());
  private Lease activeSet; // null for the base
  private int disabled;
  private boolean closed;

  /**
   * A loaded adapter, which stays in memory until it is deleted.
   *
   * @param source with its small files read
   * @param temporary folder that goes with it; null for none
   */
  private record Loaded(AdapterSource source, Lease lease, Path temporary) {
    Adapter adapter() {
      return lease.adapter();
    }
  }

  private PeftModel(EngineSpec spec, Storage storage) {
    this.spec = spec;
    this.storage = storage;
    if (!spec.adapters().isEmpty() || !spec.sets().isEmpty()) {
      throw new IllegalArgumentException(
          "spec: expected no adapters and no sets, which are loaded by loadAdapter, found "
              + new TreeSet<>(spec.adapters().keySet())
              + " and "
              + new TreeSet<>(spec.sets().keySet()));
    }
    Validation.of(spec, storage).orThrow();
    this.base =
        BaseModel.load(
            storage,
            Location.of(spec.base()),
            spec.task().head(),
            Devices.unassigned(spec.device()),
            spec.dtype());
    try {
      this.engine = Engine.on(base, storage, spec.withAdapterMemory(0));
    } catch (RuntimeException | Error e) {
      base.close();
      throw e;
    }
  }

  /** Loads a base with a first adapter, named {@value #DEFAULT}, which becomes active. */
  public static PeftModel fromPretrained(String base, Task task, String adapter) {
    return fromPretrained(base, task, adapter, DEFAULT);
  }

  /** The same under a name. */
  public static PeftModel fromPretrained(String base, Task task, String adapter, String name) {
    return fromPretrained(EngineSpec.of(base, task, Map.of()), adapter, name, LoadOptions.DEFAULT);
  }

  /**
   * Loads a base with a first adapter, which becomes active.
   *
   * @param spec of the base, without adapters
   * @param adapter path or URI of a PEFT folder
   * @throws LoadException for files that cannot be used, as {@link #loadAdapter}
   */
  public static PeftModel fromPretrained(
      EngineSpec spec, String adapter, String name, LoadOptions options) {
    PeftModel model = new PeftModel(given(spec, "spec"), Storage.standard());
    try {
      model.loadAdapter(adapter, name, options);
      model.setAdapter(name);
      return model;
    } catch (RuntimeException | Error e) {
      model.close();
      throw e;
    }
  }

  /** Loads one more adapter, as {@link #loadAdapter(String, String, LoadOptions)}. */
  public LoadResult loadAdapter(String path, String name) {
    return loadAdapter(path, name, LoadOptions.DEFAULT);
  }

  /**
   * Loads one more adapter. As in PEFT it does not become active.
   *
   * <p>PEFT loads what it can and returns the rest. Here an adapter is loaded whole: one whose
   * tensors are not those that its config asks for is refused, and {@link
   * UnfitAdapterException#loadResult} has PEFT's lists. A result that is returned has neither
   * missing nor unexpected keys.
   *
   * <p>Labels that do not fit the adapter's head are refused, where a job says so in its
   * validation.
   *
   * <p>A saved set ({@link SetManifest}) is loaded member by member, as {@code name/member}; its
   * name then stands for all of them, in the set's order and weights.
   *
   * @param path path or URI of a PEFT folder, or of a saved set
   * @param name one that no other adapter has, without a dot, {@code +} and {@code *}
   * @throws UnfitAdapterException where tensors are missing or unexpected, with every problem
   * @throws LoadException for other files that cannot be used, with every problem
   * @throws IllegalArgumentException for a name or an option that cannot be had
   */
  public LoadResult loadAdapter(String path, String name, LoadOptions options) {
    checkNew(name);
    AdapterSource source = given(options, "options").source(path, base.device(), spec.dtype());
    return SetManifest.isAt(storage, source.location())
        ? loadSet(source, name)
        : load(source, name, null);
  }

  private LoadResult loadSet(AdapterSource source, String name) {
    List<String> problems = new ArrayList<>();
    EngineSpec set =
        SetManifest.expand(spec.with(spec.base(), Map.of(name, source)), storage, problems);
    if (!problems.isEmpty()) {
      throw new LoadException(source.location().toString(), problems);
    }
    AdapterRef ref = set.namedSets().get(name);
    List<String> idle = new ArrayList<>();
    List<String> loaded = new ArrayList<>();
    try {
      for (var member : set.adapters().entrySet()) {
        idle.addAll(load(member.getValue(), member.getKey(), null).idleKeys());
        loaded.add(member.getKey());
      }
    } catch (RuntimeException | Error e) {
      loaded.forEach(this::unload);
      throw e;
    }
    sets.put(name, ref);
    return new LoadResult(List.of(), List.of(), idle);
  }

  /** What names mean, with saved sets in place of theirs; throws for one that is not loaded. */
  private AdapterRef loaded(List<String> names) {
    List<String> blank = new ArrayList<>();
    given(names, "adapter names").stream()
        .filter(name -> name == null || name.isBlank())
        .forEach(blank::add);
    checkLoaded(blank); // in a column they mean the base, which here has no name
    AdapterRef ref = AdapterRef.parse(names).expand(sets);
    checkLoaded(ref.members().stream().map(AdapterRef.Member::name).toList());
    return ref;
  }

  private LoadResult load(AdapterSource given, String name, Path temporary) {
    AdapterSource source = given.resolve(storage);
    source.verify(storage); // other weights may not fit, which would say less
    AdapterConfig config = source.config();
    AdapterReport report =
        new AdapterLoader(base.model().modules(), null)
            .check(config, Checkpoint.headers(storage, source.location(), "adapter_model"));
    LoadResult result = LoadResult.of(report);
    if (!result.missingKeys().isEmpty() || !result.unexpectedKeys().isEmpty()) {
      throw new UnfitAdapterException(source.location().toString(), report.problems(), result);
    }
    List<String> labels =
        Validation.labelProblems(source.headLabels().names(), base.model().modules(), report);
    if (!labels.isEmpty()) {
      throw new LoadException(source.location().toString(), labels);
    }
    engine.store().add(name, source);
    Lease lease;
    try {
      lease = engine.store().lease(AdapterRef.of(name));
    } catch (RuntimeException | Error e) {
      engine.store().remove(name);
      throw e;
    }
    adapters.put(name, new Loaded(source, lease, temporary));
    if (config.type().prefix().contains(name)) {
      LOG.warn(
          "adapter name {}: it is a part of {}, and PEFT confuses such names with its tensors'",
          name,
          config.type().prefix());
    }
    return result;
  }

  private void checkNew(String name) {
    checkOpen();
    AdapterRef.checkName(given(name, "adapter name"));
    if (name.contains(".") || name.contains("/") || name.contains("\\")) {
      throw new IllegalArgumentException(
          "adapter name: expected one without a dot and slashes, since PEFT makes it the name of a"
              + " module and of a folder, got "
              + name);
    }
    if (adapters.containsKey(name) || sets.containsKey(name)) {
      throw new IllegalArgumentException(
          "adapter name: there is an adapter "
              + name
              + " already; delete it first, or choose another name");
    }
  }

  /**
   * Makes adapters the active ones, innermost first; none for the base alone. One that is named
   * twice is applied twice, as in PEFT. {@code 0.7*math} scales an adapter's contribution.
   *
   * @throws IllegalArgumentException for names that are not loaded
   * @throws LoadException where they do not fit together: two of them bring the same module ({@code
   *     modules_to_save}), or one cannot be scaled
   */
  public void setAdapter(String... names) {
    setAdapter(Arrays.asList(given(names, "adapter names")));
  }

  /** The same with a list. */
  public void setAdapter(List<String> names) {
    checkOpen();
    activate(loaded(names));
  }

  private void activate(AdapterRef ref) {
    Lease set = ref.members().isEmpty() ? null : engine.store().lease(ref);
    if (activeSet != null) {
      activeSet.close();
    }
    active = ref;
    activeSet = set;
  }

  private void checkLoaded(Collection<String> names) {
    List<String> unknown =
        given(names, "adapter names").stream()
            .filter(name -> !adapters.containsKey(name))
            .map(name -> name == null ? "null" : name.isBlank() ? "\"" + name + "\"" : name)
            .distinct()
            .sorted()
            .toList();
    for (String name : unknown) {
      if (sets.containsKey(name)) {
        throw new IllegalArgumentException(
            name
                + ": expected an adapter, found a saved set of "
                + sets.get(name).members().stream().map(AdapterRef.Member::name).toList()
                + "; name these");
      }
    }
    Set<String> available = new TreeSet<>(adapters.keySet());
    available.addAll(sets.keySet());
    if (!unknown.isEmpty()) {
      String nearest =
          unknown.stream()
              .map(name -> Nearest.name(name, available).orElse(null))
              .filter(Objects::nonNull)
              .distinct()
              .collect(Collectors.joining(", "));
      throw new IllegalArgumentException(
          "adapters "
              + unknown
              + " are not loaded, available are "
              + available
              + (nearest.isEmpty() ? "" : "; did you mean " + nearest + "?"));
    }
  }

  /** Throws IllegalArgumentException for an argument that is null. */
  static <T> T given(T argument, String name) {
    if (argument == null) {
      throw new IllegalArgumentException(name + ": expected one, got null");
    }
    return argument;
  }

  /** With the reason, which the exception's type has a part of. */
  static UncheckedIOException unwritable(Path folder, IOException e) {
    return new UncheckedIOException(folder + " could not be written: " + e, e);
  }

  /** The active adapters in order; none for the base. They stay active while disabled. */
  public List<String> activeAdapters() {
    checkOpen();
    return active.members().stream().map(AdapterRef.Member::toString).toList();
  }

  /** Configs of the loaded adapters, in the order of loading. */
  public Map<String, AdapterConfig> peftConfig() {
    checkOpen();
    Map<String, AdapterConfig> configs = new LinkedHashMap<>();
    adapters.forEach((name, loaded) -> configs.put(name, loaded.adapter().config()));
    return Collections.unmodifiableMap(configs);
  }

  /**
   * Scores texts under the active adapters, or under the base while they are disabled. A text that
   * cannot be scored has an error in its result and changes no other.
   */
  public List<Result> run(List<String> texts) {
    checkOpen();
    given(texts, "texts");
    String set = isEnabled() ? active.toString() : AdapterRef.BASE;
    return engine.run(texts.stream().map(text -> Request.of(text, set)).toList());
  }

  /**
   * Scores each text under an adapter or a set of its own: PEFT's {@code adapter_names}, with
   * {@code __base__} for the base. As in PEFT the names are ignored while adapters are disabled.
   *
   * @throws IllegalArgumentException where there are not as many names as texts, or unknown ones
   */
  public List<Result> run(List<String> texts, List<String> adapterNames) {
    checkOpen();
    if (given(texts, "texts").size() != given(adapterNames, "adapter_names").size()) {
      throw new IllegalArgumentException(
          "adapter_names: expected one for each of "
              + texts.size()
              + " texts, got "
              + adapterNames.size());
    }
    List<AdapterRef> refs = new ArrayList<>();
    adapterNames.forEach(
        name -> refs.add(AdapterRef.parse(Collections.singletonList(name)).expand(sets)));
    checkLoaded(
        refs.stream().flatMap(ref -> ref.members().stream()).map(AdapterRef.Member::name).toList());
    List<Request> rows = new ArrayList<>();
    for (int row = 0; row < texts.size(); row++) {
      String ref = isEnabled() ? refs.get(row).toString() : AdapterRef.BASE;
      rows.add(Request.of(texts.get(row), ref));
    }
    return engine.run(rows);
  }

  /** The time during which adapters are disabled. */
  public final class Disabled implements AutoCloseable {
    private boolean over;

    private Disabled() {
      disabled++;
    }

    /** Ends it; adapters are enabled when every such time is over. */
    @Override
    public void close() {
      disabled -= over ? 0 : 1;
      over = true;
    }
  }

  /**
   * The base alone until the result is closed: {@code try (var off = model.disableAdapter()) …}.
   * Nothing of an adapter stays, while PEFT keeps the biases of {@code bias=all}.
   */
  public Disabled disableAdapter() {
    checkOpen();
    return new Disabled();
  }

  private boolean isEnabled() {
    return disabled == 0;
  }

  /**
   * Unloads adapters. Where active ones are among them the other active ones stay so; where none of
   * those is left the alphabetically first becomes active, as in PEFT, with a warning.
   *
   * @return the active adapters from now on
   * @throws IllegalArgumentException for names that are not loaded
   */
  public List<String> deleteAdapter(String... names) {
    checkOpen();
    Set<String> gone = new TreeSet<>();
    for (String name : given(names, "adapter names")) {
      AdapterRef set = sets.getOrDefault(given(name, "adapter name"), AdapterRef.of(name));
      set.members().forEach(member -> gone.add(member.name()));
    }
    checkLoaded(gone);
    List<AdapterRef.Member> left =
        active.members().stream().filter(member -> !gone.contains(member.name())).toList();
    if (left.isEmpty() && !active.members().isEmpty()) {
      String next =
          adapters.keySet().stream()
              .filter(name -> !gone.contains(name))
              .sorted()
              .findFirst()
              .orElse(null);
      left = next == null ? List.of() : AdapterRef.of(next).members();
      LOG.warn(
          "the active adapters {} are deleted; active from now on: {}",
          active,
          new AdapterRef(left));
    }
    activate(new AdapterRef(left));
    gone.forEach(this::unload);
    sets.values().removeIf(set -> set.members().stream().anyMatch(m -> gone.contains(m.name())));
    return activeAdapters();
  }

  private void unload(String name) {
    Loaded loaded = adapters.remove(name);
    loaded.lease.close();
    engine.store().remove(name);
    if (loaded.temporary != null) {
      MergedModel.delete(loaded.temporary);
    }
  }

  /**
   * Combines adapters as PEFT does where nothing else is said: LoRAs by SVD, and (IA)³, whose
   * vectors PEFT adds up, in the one way that there is.
   *
   * @see #addWeightedAdapter(List, List, String, Combination)
   */
  public void addWeightedAdapter(List<String> members, List<Double> weights, String name) {
    combine(members, weights, name, null);
  }

  /**
   * Makes one LoRA of several and loads it; it does not become active. It is a PEFT adapter like
   * any other, which {@link #savePretrained} keeps. What differs from PEFT: {@link
   * WeightedAdapter}. Members count as they are in memory, in the precision of the run; what they
   * have for modules that the task does not run, such as a pooler, is combined as well.
   *
   * @param members names, at least one; of one alone it is the linear combination
   * @param weights one for each, of any sign
   * @param name of the new adapter
   * @throws IllegalArgumentException for names and weights that do not fit, members that cannot be
   *     combined, with every reason, and weights that make a result of zeros or one that is not
   *     finite
   */
  public void addWeightedAdapter(
      List<String> members, List<Double> weights, String name, Combination how) {
    combine(members, weights, name, given(how, "combination"));
  }

  private void combine(List<String> members, List<Double> weights, String name, Combination how) {
    checkNew(name);
    checkLoaded(members);
    if (members.size() != given(weights, "weights").size()) {
      throw new IllegalArgumentException(
          "weights: expected one for each of " + members + ", got " + weights);
    }
    List<MixedSet.Member> weighted = new ArrayList<>();
    for (int i = 0; i < members.size(); i++) {
      weighted.add(
          new MixedSet.Member(
              adapters.get(members.get(i)).adapter(), given(weights.get(i), "weights")));
    }
    BaseModules modules = base.model().modules();
    Path folder = null;
    try (NDManager scratch = base.owner().newSubManager()) {
      Map<Adapter, IdleModules> idle = idle(members, scratch);
      boolean hasHead = members.stream().anyMatch(this::hasHead);
      WeightedAdapter made = WeightedAdapter.of(weighted, idle, how, modules, hasHead, scratch);
      folder = Files.createTempDirectory("medley-adapter-");
      made.write(folder);
      AdapterSource source = AdapterSource.of(folder.toString());
      for (String member : members) {
        Adapter adapter = adapters.get(member).adapter();
        IdleModules own = idle.get(adapter);
        if (adapter.bringsLabels(modules) || own != null && own.bringLabels(modules)) {
          AdapterSource head = adapters.get(member).source;
          source = AdapterSource.of(folder.toString(), head.labels());
          if (head.labelsJson() != null) {
            Files.writeString(folder.resolve("config.json"), head.labelsJson());
          }
        }
      }
      load(source, name, folder);
    } catch (LoadException e) {
      if (folder == null) {
        throw e; // of a member
      }
      deleteQuietly(folder);
      String made =
          weighted.stream().map(MixedSet.Member::toString).collect(Collectors.joining("+"));
      throw new IllegalArgumentException(
          "add_weighted_adapter: " + e.getMessage().replace(folder.toString(), made), e);
    } catch (IOException e) {
      deleteQuietly(folder);
      throw new UncheckedIOException("the combined adapter could not be written", e);
    } catch (RuntimeException | Error e) {
      deleteQuietly(folder);
      throw e;
    }
  }

  /** Of those members that have tensors for modules which the task does not run. */
  private Map<Adapter, IdleModules> idle(List<String> members, NDManager owner) {
    Map<Adapter, IdleModules> idle = new HashMap<>();
    for (String member : new TreeSet<>(members)) {
      Adapter adapter = adapters.get(member).adapter();
      if (!adapter.report().idleKeys().isEmpty()) {
        AdapterSource source = adapters.get(member).source;
        SavedAdapter.checkUnchanged(source, storage);
        try (Checkpoint file = Checkpoint.open(storage, source.location(), "adapter_model")) {
          BaseModules modules = base.model().modules();
          idle.put(adapter, IdleModules.read(adapter, file, modules, base.precision(), owner));
        }
      }
    }
    return idle;
  }

  private static void deleteQuietly(Path folder) {
    if (folder != null) {
      MergedModel.delete(folder);
    }
  }

  /** Whether an adapter was trained on a model with a head, and so its names have a prefix. */
  private boolean hasHead(String name) {
    String prefixed = "base_model.model." + base.model().modules().prefix() + ".";
    Location folder = adapters.get(name).source.location();
    return Checkpoint.headers(storage, folder, "adapter_model").keySet().stream()
        .anyMatch(key -> key.startsWith(prefixed));
  }

  /**
   * Copies adapters' files, as PEFT lays them out: one named {@value #DEFAULT} into the folder,
   * others into a folder of their name below. Labels of an adapter's own go into a {@code
   * config.json} beside it, from which they are read again. A saved set is saved as one again: its
   * members below its folder, and its {@link SetManifest}. What earlier adapters of the same names
   * have left in their folders is replaced or deleted.
   *
   * @param names of loaded adapters and sets; none for all, PEFT's {@code selected_adapters}
   * @throws LoadException where files have changed since they were loaded
   * @throws IllegalArgumentException for names that are not loaded, and folders that hold something
   *     else
   * @throws UncheckedIOException where a folder cannot be written
   */
  public void savePretrained(Path folder, String... names) {
    checkOpen();
    given(folder, "folder");
    List<String> asked = Arrays.asList(given(names, "adapter names"));
    checkLoaded(asked.stream().filter(name -> !sets.containsKey(name)).toList());
    Set<String> selected = new LinkedHashSet<>(asked);
    if (asked.isEmpty()) {
      selected.addAll(sets.keySet());
      selected.addAll(adapters.keySet());
      sets.values().forEach(set -> set.members().forEach(each -> selected.remove(each.name())));
    }
    Map<String, SavedAdapter> saved = new LinkedHashMap<>();
    for (String name : selected) {
      if (sets.containsKey(name)) {
        checkNoAdapter(own(folder, name));
        base.checkUnchanged();
      }
      AdapterRef members = sets.getOrDefault(name, AdapterRef.of(name));
      for (AdapterRef.Member member : members.members()) {
        String below = member.name().substring(name.length()); // "" of the adapter itself
        Path place = own(folder, name).resolve(below.replaceFirst("^/", ""));
        AdapterSource source = adapters.get(member.name()).source;
        saved.put(member.name(), new SavedAdapter(storage, source, place));
      }
    }
    saved.values().forEach(SavedAdapter::check);
    try {
      for (SavedAdapter adapter : saved.values()) {
        adapter.write();
      }
    } catch (IOException e) {
      throw unwritable(folder, e);
    }
    selected.stream().filter(sets::containsKey).forEach(name -> saveSet(name, folder, saved));
  }

  private static Path own(Path folder, String name) {
    return name.equals(DEFAULT) ? folder : folder.resolve(name);
  }

  private static void checkNoAdapter(Path folder) {
    if (Files.exists(folder.resolve("adapter_config.json"))) {
      throw new IllegalArgumentException(
          folder
              + ": expected no adapter where a set is saved, found adapter_config.json, which would"
              + " be loaded in the set's place; save the set elsewhere");
    }
  }

  /** The manifest, of members that are saved already. */
  private void saveSet(String name, Path folder, Map<String, SavedAdapter> saved) {
    AdapterRef set = sets.get(name);
    Map<String, AdapterSource> members = new LinkedHashMap<>();
    List<AdapterRef.Member> own = new ArrayList<>();
    for (AdapterRef.Member member : set.members()) {
      String below = member.name().substring(name.length() + 1);
      Path place = saved.get(member.name()).folder().toAbsolutePath().normalize();
      members.put(below, AdapterSource.of(place.toString()));
      own.add(new AdapterRef.Member(below, member.weight()));
    }
    SetManifest.of(storage, spec.with(spec.base(), members), new AdapterRef(own).toString())
        .write(own(folder, name));
  }

  /** Merges the active adapters, as {@link #mergeAndUnload(Path, MergeOptions)}. */
  public void mergeAndUnload(Path folder) {
    mergeAndUnload(folder, MergeOptions.DEFAULT);
  }

  /**
   * Writes the base with adapters merged into it as an HF folder, which transformers loads without
   * PEFT: {@code config.json} with the labels of an adapter's own head, {@code model.safetensors}
   * under the base's names and in its types, and the tokenizer's files. The merged model does what
   * the adapters do unmerged, where PEFT's own merge of some stacks does not (OFT beside other
   * types, DoRA outside of them). Merged numbers are computed in the precision of the run.
   *
   * <p>This model stays as it is: there is nothing to unload.
   *
   * @param folder that is not there yet, or empty; it appears when it is complete
   * @throws IllegalArgumentException where something that the adapters hold would be lost
   * @throws LoadException where the merged numbers are not finite
   * @throws UncheckedIOException where the folder cannot be written
   */
  public void mergeAndUnload(Path folder, MergeOptions options) {
    checkOpen();
    given(folder, "folder");
    given(options, "options");
    AdapterRef ref = options.adapterNames() == null ? active : loaded(options.adapterNames());
    List<String> names = ref.members().stream().map(AdapterRef.Member::name).distinct().toList();
    for (String name : names) {
      List<String> idle = lost(adapters.get(name).adapter().report().idleKeys());
      if (!idle.isEmpty()) {
        throw new IllegalArgumentException(
            "merge_and_unload: "
                + spec.task().pipeline()
                + " does not run the modules of "
                + String.join(", ", idle)
                + " of "
                + name
                + ", which the merged model would lack; load the base with the task that the"
                + " adapter was trained for");
      }
    }
    try (Lease lease = ref.members().isEmpty() ? null : engine.store().lease(ref)) {
      AdapterSet set = lease == null ? AdapterSet.BASE : lease.set();
      List<String> absent =
          base.model().absent().stream().filter(name -> set.parameter(name) == null).toList();
      if (!absent.isEmpty()) {
        throw new IllegalArgumentException(
            "merge_and_unload: neither the base nor "
                + ref
                + " has "
                + String.join(", ", absent)
                + ", which "
                + spec.task().pipeline()
                + " needs; load the base with feature-extraction");
      }
      Labels own = lease == null ? Labels.NONE : lease.headLabels();
      Labels labels =
          new Labels(
              own.names().isEmpty() ? base.model().labels().names() : own.names(),
              own.problemType());
      new MergedModel(base, spec.task().head(), set, labels, options.progress()).write(folder);
    }
  }

  /** Those of the tensors that are for a module which the task does not run and the base has. */
  private List<String> lost(List<String> idleKeys) {
    Set<String> stored = new HashSet<>();
    for (String tensor : Checkpoint.headers(storage, base.folder(), "model").keySet()) {
      stored.add(base.model().parameter(tensor));
    }
    return idleKeys.stream()
        .filter(
            key ->
                base.model().modules().all().stream()
                    .filter(module -> module.place() == Place.IDLE_BASE)
                    .filter(module -> key.contains(module.path() + "."))
                    .allMatch(module -> stored.contains(module.parameter("weight"))))
        .toList();
  }

  /**
   * What stands on one module: PEFT's {@code TunerLayerStatus}, which {@code PeftMixedModel} lacks.
   *
   * @param name the module's path, without the base model's prefix
   * @param moduleType what the module is
   * @param enabled false while adapters are disabled
   * @param activeAdapters those of the active adapters that change this module, innermost first
   * @param availableAdapters those of the loaded adapters that do, sorted
   */
  public record LayerStatus(
      String name,
      BaseModules.Kind moduleType,
      boolean enabled,
      List<String> activeAdapters,
      List<String> availableAdapters) {}

  /**
   * PEFT's {@code TunerModelStatus}.
   *
   * @param baseModelType whose code runs the base
   * @param peftTypes type of each loaded adapter, sorted by name
   * @param numAdapterLayers modules that some loaded adapter changes
   * @param enabled false while adapters are disabled
   * @param device as torch writes it
   */
  public record ModelStatus(
      Architecture baseModelType,
      Map<String, String> peftTypes,
      int numAdapterLayers,
      boolean enabled,
      List<String> activeAdapters,
      List<String> availableAdapters,
      String device) {}

  /** The modules that loaded adapters change or bring, in the model's order. */
  public List<LayerStatus> layerStatus() {
    checkOpen();
    List<LayerStatus> layers = new ArrayList<>();
    for (Module module : base.model().modules().all()) {
      List<String> available =
          adapters.keySet().stream().filter(name -> touches(name, module)).sorted().toList();
      if (!available.isEmpty()) {
        List<String> here =
            active.members().stream()
                .filter(member -> available.contains(member.name()))
                .map(AdapterRef.Member::toString)
                .toList();
        layers.add(new LayerStatus(module.path(), module.kind(), isEnabled(), here, available));
      }
    }
    return layers;
  }

  private boolean touches(String name, Module module) {
    AdapterReport report = adapters.get(name).adapter().report();
    return report.targets().contains(module.path())
        || report.shapes().containsKey(module.parameter("weight"))
        || report.shapes().containsKey(module.parameter("bias"));
  }

  /** What is loaded, and what of it is active. */
  public ModelStatus modelStatus() {
    checkOpen();
    Map<String, String> types = new TreeMap<>();
    adapters.forEach((name, loaded) -> types.put(name, loaded.adapter().config().type().name()));
    return new ModelStatus(
        base.model().architecture(),
        types,
        layerStatus().size(),
        isEnabled(),
        activeAdapters(),
        List.copyOf(types.keySet()),
        Devices.name(base.device()));
  }

  /** Arrays of the base and of everything that is loaded, for tests. */
  int nativeArrays() {
    return base.owner().getManagedArrays().size() + engine.store().arrays();
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
  }

  /** Frees base and adapters, and deletes the folders of combined ones that were not saved. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      engine.close();
    } finally {
      base.close();
      adapters.values().stream()
          .map(Loaded::temporary)
          .filter(Objects::nonNull)
          .forEach(MergedModel::delete);
    }
  }
}
