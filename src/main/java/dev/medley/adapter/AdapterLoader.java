package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.TensorInfo;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TensorReader;
import dev.medley.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Puts a PEFT adapter's tensors on the modules of one base, strictly: a tensor that no module
 * takes, one that is missing, or one of another shape makes the adapter unfit. PEFT loads such
 * files and goes on with what is left of them.
 */
public final class AdapterLoader {
  private static final String ROOT = "base_model.model.";

  /** The names by which PEFT knows embeddings: {@code EMBEDDING_LAYER_NAMES}. */
  private static final Set<String> EMBEDDINGS = Set.of("embed_tokens", "lm_head");

  /** All other tasks have heads, which go by the same names and often have the same shapes. */
  private static final Set<String> TASKS_WITHOUT_HEADS = Set.of("", "FEATURE_EXTRACTION");

  private final BaseModules base;
  private final Precision precision;

  /** For adapters of one base. */
  public AdapterLoader(BaseModules base, Precision precision) {
    this.base = base;
    this.precision = precision;
  }

  /** Checks names and shapes; reads no weight. */
  public AdapterReport check(AdapterConfig config, Map<String, TensorInfo> headers) {
    return new Assembly(config, headers, null).report();
  }

  /**
   * Loads an adapter, whose arrays then belong to {@code owner}, and {@code owner} to it.
   *
   * @throws LoadException with every problem; also where all changes are zero, since rows would
   *     come out as under the base model
   */
  public Adapter load(String name, AdapterConfig config, Checkpoint checkpoint, NDManager owner) {
    Assembly assembly;
    try (TensorReader reader = TensorReader.ahead(checkpoint, owner, precision)) {
      assembly = new Assembly(config, checkpoint.tensors(), reader);
    }
    checkpoint.verifyWhole();
    AdapterReport report = assembly.report();
    report.orThrow(checkpoint.folder().toString());
    Adapter.Parts parts =
        new Adapter.Parts(assembly.linears, assembly.embeddings, assembly.parameters);
    Adapter adapter = new Adapter(name, config, report, parts, base, owner);
    if (adapter.isNothing()) {
      throw new LoadException(
          checkpoint.folder().toString(),
          "would change nothing: expected some module to be changed, found only zeros, as before"
              + " any training, in "
              + String.join(", ", report.targets()));
    }
    return adapter;
  }

  /** Whether it is of the adapter as a whole, as {@code base_model.vera_A} is. */
  private static boolean isShared(String name) {
    return name.startsWith("base_model.") && name.indexOf('.', "base_model.".length()) < 0;
  }

  /** One adapter on its way from names in a file to changes of modules. */
  private final class Assembly {
    final Map<String, LinearAdapter> linears = new HashMap<>();
    final Map<String, EmbeddingAdapter> embeddings = new HashMap<>();
    final Map<String, NDArray> parameters = new HashMap<>();
    private final Set<String> targets = new TreeSet<>();
    private final Set<String> saved = new TreeSet<>();
    private final Map<String, long[]> shapes = new TreeMap<>();
    private final Map<Module, NDArray> weightsOfBase = new IdentityHashMap<>();
    private final List<String> misnamed = new ArrayList<>();
    private final Map<String, String> misplaced = new TreeMap<>(); // by name, where it belongs
    private final List<String> idle = new ArrayList<>();
    private final AdapterConfig config;
    private final Map<String, TensorInfo> file;
    private final Map<String, TensorInfo> tensors = new TreeMap<>();
    private final Weights weights;
    private final AdapterMethod method;
    private final boolean headed;
    private final boolean tiesSaved;
    private final boolean tiesTargets;
    private final Set<String> targeted; // paths
    private int changes;
    private boolean changesHead;
    private long bytes;
    private Work work = Work.NONE;

    Assembly(AdapterConfig config, Map<String, TensorInfo> file, TensorReader reader) {
      this.config = config;
      this.file = file;
      for (TensorInfo tensor : file.values()) {
        bytes += tensor.bytes();
        String name = tensor.name();
        if (isShared(name)) {
          tensors.put(name, tensor);
          continue;
        }
        if (!name.startsWith(ROOT)
            || tensors.put(base.canonical(name.substring(ROOT.length())), tensor) != null) {
          misnamed.add(name);
        }
      }
      // A bare model has no head, so an adapter of one neither targets nor brings any.
      String trainedWithHead = ROOT + base.prefix() + ".";
      headed =
          file.keySet().stream().anyMatch(name -> name.startsWith(trainedWithHead))
              || base.all().stream().anyMatch(m -> m.place().isHead() && touches(m));
      if (headed) {
        dropMisplaced();
      }
      weights = Weights.of("", tensors, reader);
      boolean ties = config.method().ensuresWeightTying() && sharesHead();
      tiesSaved = ties && config.modulesToSave().stream().anyMatch(Assembly::isEmbedding);
      tiesTargets = ties && !tiesSaved && config.targets().nameAny(EMBEDDINGS);
      targeted =
          base.all().stream().filter(this::matches).map(Module::path).collect(Collectors.toSet());
      method = config.method().with(weights.scope("base_model"), most(0), most(1));
      Set<String> second = secondTables();
      weights.skip(name -> second.contains(name) || isSecondBias(name));
      Set<String> idleKeys = idleKeys();
      weights.skip(idleKeys::contains);
      idleKeys.forEach(key -> idle.add(tensors.get(key).name()));
      Set<String> groups = new TreeSet<>();
      for (Module module : base.all()) {
        if (module == base.outputEmbeddings() && !module.place().isRun() && headed) {
          readIdle(module);
        }
        if (module.place().isRun() && (headed || !module.place().isHead())) {
          read(module);
          String name = nameOf(module);
          for (String group = parent(name); !group.isEmpty(); group = parent(group)) {
            groups.add(group);
          }
        }
      }
      groups.stream()
          .filter(config.targets()::names)
          .forEach(
              group ->
                  weights.problem(
                      "target_modules: expected layers, found a match of "
                          + group
                          + ", a group of them, "
                          + (method.replacement() == null
                              ? "on which PEFT fails"
                              : "whose layers have to be named here")));
      if (ties) {
        checkTies();
      }
      bringWeightsOfBase();
      Set<String> names = base.all().stream().map(this::nameOf).collect(Collectors.toSet());
      if (method.trainableTokens().ofWords() != null && base.inputEmbeddings() == null) {
        weights.problem("trainable_token_indices: this base has no table of tokens");
      }
      method.trainableTokens().unmatched(names).stream()
          .map(end -> "trainable_token_indices: this base has no table whose name ends in " + end)
          .forEach(weights::problem);
    }

    /**
     * The names of one file are of one model: with a head the base model's have its prefix, and the
     * head's have not. Others PEFT finds no module for.
     */
    private void dropMisplaced() {
      String prefix = base.prefix() + ".";
      for (TensorInfo tensor : List.copyOf(tensors.values())) {
        if (isShared(tensor.name())) {
          continue;
        }
        String name = tensor.name().substring(ROOT.length());
        String canonical = base.canonical(name);
        boolean hasPrefix = name.startsWith(prefix);
        boolean isMisplaced =
            base.all().stream()
                .filter(module -> module.place().isHead() == hasPrefix) // of most names few heads
                .anyMatch(module -> canonical.startsWith(module.path() + "."));
        if (isMisplaced) {
          tensors.remove(canonical);
          misplaced.put(tensor.name(), ROOT + (hasPrefix ? "" : prefix) + canonical);
        }
      }
    }

    /** Whether the head that is run and the table of tokens are one tensor. */
    private boolean sharesHead() {
      return base.isTied() && base.outputEmbeddings().place().isRun() && headed;
    }

    /** Whether PEFT takes an entry of a config for an embedding's. */
    private static boolean isEmbedding(String entry) {
      return EMBEDDINGS.contains(entry.substring(entry.lastIndexOf('.') + 1));
    }

    /** Most outputs (axis 0) or inputs (1) of a targeted linear module, idle ones included. */
    private long most(int axis) {
      return base.all().stream()
          .filter(m -> m.kind() == Kind.LINEAR || m.kind() == Kind.CONV1D)
          .filter(m -> headed || !m.place().isHead())
          .filter(this::isTargeted)
          .mapToLong(m -> m.shape()[axis])
          .max()
          .orElse(0);
    }

    /** As the adapter's config has it. */
    private String nameOf(Module module) {
      return headed ? base.headed(module) : module.path();
    }

    AdapterReport report() {
      List<String> unexpected = new ArrayList<>(misnamed);
      unexpected.addAll(misplaced.keySet());
      unexpected.addAll(weights.unread());
      List<String> problems = new ArrayList<>(weights.problems());
      for (String name : misnamed) {
        problems.add(
            name.startsWith(ROOT)
                ? name + ": unexpected, another tensor of this file is for the same module"
                : name + ": expected a name that begins with " + ROOT);
      }
      misplaced.forEach(
          (name, expected) ->
              problems.add(
                  name
                      + ": expected "
                      + expected
                      + ", since this file is of a model with a head, in which PEFT finds no module"
                      + " of that name"));
      weights.unread().forEach(name -> problems.add(name + ": unexpected, " + whyUnread(name)));
      boolean hasHead =
          changesHead || base.all().stream().anyMatch(m -> m.place() == Place.HEAD && touches(m));
      if (hasHead
          && !TASKS_WITHOUT_HEADS.contains(config.taskType())
          && !config.taskType().equals(base.taskType())) {
        problems.add(
            "task_type: expected "
                + base.taskType()
                + ", the task whose head is run here and which this adapter changes, found "
                + config.taskType()
                + "; run it under the task that it was trained for");
      }
      if (changes == 0) {
        problems.add(
            "would change nothing: none of its "
                + file.size()
                + " tensors is for a module that this task runs");
      }
      return new AdapterReport(
          weights.missing().stream().map(this::fileName).toList(),
          unexpected,
          List.copyOf(idle),
          problems,
          targets,
          saved,
          shapes,
          config.bias() != AdapterConfig.Bias.NONE,
          bytes,
          work);
    }

    private String whyUnread(String name) {
      long[] shape = file.get(name).shape();
      if (name.contains(".mha.")) {
        return "it is for a torch.nn.MultiheadAttention, of which this base has none";
      }
      return shape.length > 2
          ? "it is for a convolution, by its shape " + Weights.show(shape) + "; this base has none"
          : "the config puts no adapter on such a module of this base";
    }

    /** The name that PEFT would have given to a tensor that is not there. */
    private String fileName(String name) {
      if (isShared(name)) {
        return name;
      }
      boolean inHead =
          base.all().stream().anyMatch(m -> m.place().isHead() && name.startsWith(m.path() + "."));
      return ROOT + (isPrefixed() && !inHead ? base.prefix() + "." : "") + name;
    }

    /** As in the file, and where no name in it says so, as in the model that the task makes. */
    private boolean isPrefixed() {
      boolean isBare =
          file.keySet().stream()
              .anyMatch(
                  key ->
                      base.all().stream()
                          .filter(m -> !m.place().isHead())
                          .anyMatch(m -> key.startsWith(ROOT + m.path() + ".")));
      return headed
          || !isBare && base.all().stream().anyMatch(m -> m.place().isHead() && m.place().isRun());
    }

    private void read(Module module) {
      Weights params = weights.scope(module.path());
      String name = nameOf(module);
      boolean targeted = isTargeted(module);
      if (followsRows(module)) {
        follow(module, params);
      } else {
        if (targeted) {
          target(module, name, params);
        }
        replaceRows(module, name, params);
      }
      if (isSaved(module)) {
        bringAll(module, "", params);
        if (targeted) { // only where it is saved for the sake of the table; else it is no target
          params.problem(name + ": ensure_weight_tying saves it, and it is a target as well");
        }
      } else {
        replaceBase(module, targeted, params);
      }
    }

    private boolean isTargeted(Module module) {
      return targeted.contains(module.path());
    }

    private boolean matches(Module module) {
      boolean isHead = isSequenceHead(module) || module == base.outputEmbeddings();
      return tiesTargets && base.twin(module) != null
          || config.targets().matches(nameOf(module), module, isHead);
    }

    /** A head that is not run, but whose weight may be that of a table which is. */
    private void readIdle(Module head) {
      Weights params = weights.scope(head.path());
      if (base.isTied()) {
        boolean targeted = isTargeted(head);
        checkTaken(head, targeted, params);
        readWeightOfBase(head, params);
      }
    }

    /** The tokens whose rows of a table or a head are replaced; null for none. */
    private long[] tokens(Module module) {
      return method.trainableTokens().of(nameOf(module), module, base.inputEmbeddings());
    }

    /**
     * Whether PEFT has a module do what is done to the rows of the table whose weight it shares.
     */
    private boolean followsRows(Module module) {
      if (module != base.outputEmbeddings() || !sharesHead()) {
        return false;
      }
      Module table = base.twin(module);
      if (method.replacesRows()) {
        return isTargeted(table);
      }
      long[] ofTable = tokens(table);
      long[] own = tokens(module);
      if (ofTable == null || own == null || Arrays.equals(ofTable, own)) {
        return ofTable != null;
      }
      if (method.ensuresWeightTying()) {
        weights.problem(
            "trainable_token_indices: expected the same of "
                + nameOf(table)
                + " and "
                + nameOf(module)
                + ", which ensure_weight_tying keeps equal, found others");
      }
      return false;
    }

    /** The rows of the table are the head's, too. TRAINABLE_TOKENS stores them for both. */
    private void follow(Module head, Weights params) {
      Module table = base.twin(head);
      TrainableTokens rows = embeddings.get(table.path()) instanceof TrainableTokens t ? t : null;
      if (!method.replacesRows() && (isTargeted(head) || isSaved(head))) {
        params.problem(notBeside(nameOf(head)));
      }
      String at = method.replacesRows() ? "" : "token_adapter.";
      String key = at + "trainable_tokens_delta";
      if (params.has(key)) {
        EmbeddingAdapter again =
            method.replacesRows()
                ? method.embedding(nameOf(head), params, head.shape()[0], head.shape()[1])
                : ofTokens(tokens(table), head, params);
        if (rows != null && again instanceof TrainableTokens other) {
          if (!Kernels.areEqual(rows.rows(), other.rows())) {
            params.problem(notEqual(head.path() + "." + key, table.path() + "." + key));
          }
          other.rows().close();
          other.tokens().close();
        }
      }
      change(head);
      targets.add(head.path());
      if (rows != null) {
        linears.put(head.path(), rows.ofHead());
      }
    }

    private static String notEqual(String key, String other) {
      return key + ": expected the numbers of " + other + ", as the base has one tensor for both";
    }

    private static String notBeside(String name) {
      return name
          + ": trainable_token_indices fits modules here that are neither targets nor saved";
    }

    /** LoRA's {@code trainable_token_indices}. */
    private void replaceRows(Module module, String name, Weights params) {
      long[] tokens = tokens(module);
      if (tokens == null) {
        return;
      }
      if (isTargeted(module) || isSaved(module)) {
        params.problem(notBeside(name));
        return;
      }
      if (module.kind() != Kind.EMBEDDING && module != base.outputEmbeddings()) {
        params.problem(name + ": trainable_token_indices fits embeddings and the head only");
        return;
      }
      change(module);
      targets.add(module.path());
      put(module, ofTokens(tokens, module, params));
    }

    private static TrainableTokens ofTokens(long[] tokens, Module module, Weights params) {
      Weights own = params.scope("token_adapter");
      long[] shape = module.shape();
      return TrainableTokens.read("trainable_token_indices", tokens, own, shape[0], shape[1]);
    }

    private void put(Module module, EmbeddingAdapter adapter) {
      if (adapter != null && module.kind() == Kind.EMBEDDING) {
        embeddings.put(module.path(), adapter);
      } else if (adapter instanceof TrainableTokens rows) {
        linears.put(module.path(), rows.ofHead());
      }
    }

    /** What {@code ensure_weight_tying} keeps equal is stored twice, and so may differ. */
    private void checkTies() {
      Module table = base.inputEmbeddings();
      Module head = base.outputEmbeddings();
      String names = nameOf(table) + " and " + nameOf(head);
      boolean touched = isTargeted(table) || isSaved(table) || isTargeted(head) || isSaved(head);
      if (!isEmbedding(table.path()) && (touched || touches(head))) {
        weights.problem(
            "ensure_weight_tying: expected false on a base whose table is "
                + table.path()
                + ", found true: PEFT ties only one called embed_tokens, and reads this adapter"
                + " otherwise than it was trained");
        return;
      }
      if (tiesSaved) {
        NDArray ofTable = parameters.get(table.parameter("weight"));
        NDArray ofHead = parameters.get(head.parameter("weight"));
        if (ofTable != null && ofHead != null && !Kernels.areEqual(ofTable, ofHead)) {
          weights.problem("ensure_weight_tying: expected equal copies of " + names);
        }
      }
      if (tiesTargets
          && embeddings.containsKey(table.path())
          && linears.containsKey(head.path())
          && !Lora.Config.areTied(embeddings.get(table.path()), linears.get(head.path()))) {
        weights.problem("ensure_weight_tying: expected the same change of " + names);
      }
    }

    private void target(Module module, String name, Weights params) {
      long[] shape = module.shape();
      if (module.kind() == Kind.CONV1D && !method.fitsConv1d()) {
        params.problem(
            name
                + ": "
                + config.type()
                + " under this config does not fit a Conv1D, as GPT-2's linear layers are; nor does"
                + " it in PEFT"
                + (shape[0] == shape[1] ? ", but for OLoRA where one is square, as here" : ""));
        return;
      }
      if (method.replacement() != null) {
        bringAll(module, method.replacement() + ".", params);
        return;
      }
      if (module.kind() == Kind.NORM) {
        params.problem(name + ": " + config.type() + " fits linear and embedding modules only");
        return;
      }
      if (shape[0] == Weights.ANY) {
        params.problem(name + ": this base has no such head for " + config.type() + " to adapt");
        return;
      }
      checkTaken(module, true, params);
      change(module);
      targets.add(module.path());
      if (module.kind() == Kind.EMBEDDING
          || method.replacesRows() && module == base.outputEmbeddings()) {
        put(module, method.embedding(name, params, shape[0], shape[1]));
      } else {
        work = work.plus(method.work(name, shape[0], shape[1]));
        LinearAdapter adapter = method.linear(name, params, shape[0], shape[1]);
        if (adapter != null) {
          linears.put(module.path(), adapter);
        }
      }
    }

    /** PEFT takes PiSSA's part of a head from the table, too, where both are one tensor. */
    private void checkTaken(Module module, boolean targeted, Weights params) {
      if (targeted
          && module.kind() != Kind.EMBEDDING
          && method.takesFromWeight()
          && base.twin(module) != null
          && !params.has("base_layer.weight")) {
        params.problem(
            nameOf(module)
                + ": expected base_layer.weight, what the adapter's training left of this weight,"
                + " which "
                + nameOf(base.twin(module))
                + " shares, found none; save the adapter with save_embedding_layers=True");
      }
    }

    /** {@code bias} and saved base embeddings: in PEFT they overwrite the base for everybody. */
    private void replaceBase(Module module, boolean targeted, Weights params) {
      boolean biased =
          switch (config.bias()) {
            case NONE -> false;
            case ALL -> module.hasBias();
            case ADAPTED -> module.hasBias() && targeted;
          };
      if (biased) {
        bring(module, "bias", targeted ? "base_layer.bias" : "bias", params);
      }
      if (module.kind() == Kind.EMBEDDING || module == base.outputEmbeddings()) {
        readWeightOfBase(module, params);
      }
    }

    /** What wraps a module in PEFT stands before the name of the base's own weight. */
    private String keyOfBase(Module module) {
      if (isTargeted(module) || method.replacesRows() && followsRows(module)) {
        return "base_layer.weight";
      }
      boolean hasRows = tokens(module) != null || followsRows(module);
      return hasRows ? "token_adapter.base_layer.weight" : "weight";
    }

    private void readWeightOfBase(Module module, Weights params) {
      String key = keyOfBase(module);
      if (params.has(key)) {
        NDArray weight = params.get(key, module.ownShape());
        if (module.place().isRun() || method.takesFromWeight()) { // from the table that is run
          change(module);
        }
        if (weight != null) {
          weightsOfBase.put(module, weight);
        }
      }
    }

    /**
     * Base embeddings of the file, mostly those of the base itself. Others stand in their place for
     * this adapter's rows, in both modules where the base has one tensor for both.
     */
    private void bringWeightsOfBase() {
      NDArray ofHead = weightsOfBase.get(base.outputEmbeddings());
      NDArray ofTable = weightsOfBase.get(base.inputEmbeddings());
      if (base.isTied()
          && ofHead != null
          && ofTable != null
          && !Kernels.areEqual(ofHead, ofTable)) {
        String table = base.inputEmbeddings().path();
        weights.problem(notEqual("the base's " + base.outputEmbeddings().path(), table));
      }
      weightsOfBase.forEach(
          (module, weight) -> {
            if (module.weight() != null && Kernels.areEqual(weight, module.weight())) {
              weight.close();
              return;
            }
            bringWeightOfBase(module, weight);
            if (base.twin(module) != null) {
              bringWeightOfBase(base.twin(module), weight);
            }
          });
    }

    private void bringWeightOfBase(Module module, NDArray weight) {
      boolean isReplaced = isTargeted(module) && method.replacement() != null;
      if (module.place().isRun() && !isSaved(module) && !isReplaced) {
        parameters.put(module.parameter("weight"), weight);
        shapes.put(module.parameter("weight"), module.ownShape());
      }
    }

    private void bringAll(Module module, String at, Weights params) {
      saved.add(module.path());
      bring(module, "weight", at + "weight", params);
      if (module.hasBias()) {
        bring(module, "bias", at + "bias", params);
      }
    }

    private void bring(Module module, String parameter, String key, Weights params) {
      long[] own = module.ownShape();
      boolean isWeight = parameter.equals("weight");
      boolean isTurned = module.kind() == Kind.CONV1D && isWeight;
      long[] shape =
          isTurned ? new long[] {own[1], own[0]} : isWeight ? own : new long[] {outputs(module)};
      NDArray array = params.get(key, shape);
      if (array != null && isTurned) {
        try (NDArray stored = array) { // [in, out]
          array = Kernels.transpose(stored);
        }
      }
      if (params.has(key)) {
        change(module);
        long[] stored = params.shape(key);
        if (stored.length == shape.length) { // else it is a problem already
          shapes.put(module.parameter(parameter), stored);
          if (stored[0] == 0) {
            params.problem(
                module.parameter(parameter) + ": expected a row for each label, found none");
          } else if (own[0] == Weights.ANY && !isWeight && stored[0] != shape[0]) {
            params.problem(
                module.parameter("weight") + ": expected as many rows as there are biases");
          }
        }
      }
      if (array != null) {
        parameters.put(module.parameter(parameter), array);
      }
    }

    /** How long a bias is: the rows of the weight beside it, which may be the adapter's own. */
    private long outputs(Module module) {
      long[] own = shapes.get(module.parameter("weight"));
      return module.ownShape()[0] != Weights.ANY
          ? module.ownShape()[0]
          : own == null ? module.shape()[0] : own[0];
    }

    private void change(Module module) {
      changes++;
      changesHead |= module.place() == Place.HEAD;
    }

    private boolean isSaved(Module module) {
      return !wrappers(module).isEmpty();
    }

    /** Paths, of the module or of what it is a part of, that are in {@code modules_to_save}. */
    private List<String> wrappers(Module module) {
      List<String> wrappers = new ArrayList<>();
      for (String path = module.path(); !path.isEmpty(); path = parent(path)) {
        String name = headed && !module.place().isHead() ? base.prefix() + "." + path : path;
        if (tiesSaved && base.twin(module) != null
            || config.modulesToSave().stream()
                .anyMatch(name::endsWith)) { // no dot asked for, as in PEFT
          wrappers.add(path);
        }
      }
      return wrappers;
    }

    /**
     * With bias=all PEFT writes a saved module's bias, and the base's, again under other names; the
     * adapter's own name is in them where the saved module has parts.
     */
    private boolean isSecondBias(String name) {
      if (config.bias() != AdapterConfig.Bias.ALL || !name.endsWith(".bias")) {
        return false;
      }
      for (Module module : base.all()) {
        for (String wrapper : wrappers(module)) {
          String rest = module.parameter("bias").substring(wrapper.length());
          boolean isWhole = module.path().equals(wrapper);
          String copy = Pattern.quote(wrapper + ".modules_to_save") + (isWhole ? "" : "\\.[^.]+");
          if (name.equals(wrapper + ".original_module" + rest)
              || name.matches(copy + Pattern.quote(rest))) {
            return isBiasOf(module, tensors.get(name).shape());
          }
        }
      }
      return false;
    }

    private boolean isBiasOf(Module module, long[] shape) {
      TensorInfo own = tensors.get(module.parameter("bias"));
      return shape.length == 1
          && (shape[0] == module.shape()[0] || own != null && Arrays.equals(shape, own.shape()));
    }

    /** So it does with a saved table when the vocabulary was resized. */
    private Set<String> secondTables() {
      return base.all().stream()
          .filter(m -> m.kind() == Kind.EMBEDDING || m == base.outputEmbeddings())
          .filter(this::isSaved)
          .flatMap(
              m ->
                  Stream.of(
                      m.parameter("modules_to_save.weight"), m.parameter("original_module.weight")))
          .collect(Collectors.toSet());
    }

    private static String parent(String path) {
      return path.substring(0, Math.max(0, path.lastIndexOf('.')));
    }

    private boolean isSequenceHead(Module module) {
      return config.taskType().equals("SEQ_CLS")
          && module.place().isHead()
          && (module.path().equals("classifier") || module.path().equals("score"));
    }

    /**
     * Tensors of which the task runs nothing. A head that is not run may have been any head: only
     * what it is called counts, not which modules this base would give it.
     */
    private Set<String> idleKeys() {
      List<String> paths =
          base.all().stream()
              .filter(m -> !m.place().isRun())
              .map(m -> m.place().isHead() ? m.path().split("\\.")[0] : m.path())
              .map(path -> path + ".")
              .distinct()
              .toList();
      return tensors.keySet().stream()
          .filter(key -> paths.stream().anyMatch(key::startsWith))
          .collect(Collectors.toCollection(TreeSet::new));
    }

    private boolean touches(Module module) {
      return tensors.keySet().stream().anyMatch(key -> key.startsWith(module.path() + "."));
    }
  }
}
