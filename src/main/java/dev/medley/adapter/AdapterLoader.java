package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.TensorInfo;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TensorReader;
import dev.medley.tensor.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Puts a PEFT adapter's tensors on the modules of one base, strictly: a tensor that no module
 * takes, one that is missing, or one of another shape makes the adapter unfit. PEFT loads such
 * files and goes on with what is left of them.
 */
public final class AdapterLoader {
  private static final String ROOT = "base_model.model.";

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
    TensorReader reader = new TensorReader(checkpoint, owner, precision);
    Assembly assembly = new Assembly(config, checkpoint.tensors(), reader);
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
    private final List<String> misnamed = new ArrayList<>();
    private final List<String> idle = new ArrayList<>();
    private final AdapterConfig config;
    private final Map<String, TensorInfo> file;
    private final Map<String, TensorInfo> tensors = new TreeMap<>();
    private final Weights weights;
    private final AdapterMethod method;
    private final boolean headed;
    private int changes;
    private boolean changesHead;
    private long bytes;

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
      weights = Weights.of("", tensors, reader);
      method = config.method().with(weights.scope("base_model"), most(0), most(1));
      weights.skip(name -> isSecondBias(name) || isSecondTable(name));
      weights.skip(this::isIdle);
      tensors.forEach(
          (key, tensor) -> {
            if (isIdle(key)) {
              idle.add(tensor.name());
            }
          });
      Set<String> groups = new TreeSet<>();
      for (Module module : base.all()) {
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
                          + ", a group of them, on which PEFT fails"));
    }

    /** Most outputs (axis 0) or inputs (1) of a targeted linear module, idle ones included. */
    private long most(int axis) {
      return base.all().stream()
          .filter(m -> m.kind() == Kind.LINEAR && (headed || !m.place().isHead()))
          .filter(m -> config.targets().matches(nameOf(m), m, isSequenceHead(m)))
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
      unexpected.addAll(weights.unread());
      List<String> problems = new ArrayList<>(weights.problems());
      for (String name : misnamed) {
        problems.add(
            name.startsWith(ROOT)
                ? name + ": unexpected, another tensor of this file is for the same module"
                : name + ": expected a name that begins with " + ROOT);
      }
      weights.unread().forEach(name -> problems.add(name + ": unexpected, " + whyUnread(name)));
      if (changesHead
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
                + (tensors.size() + misnamed.size())
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
          bytes);
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
      boolean inHead =
          base.all().stream().anyMatch(m -> m.place().isHead() && name.startsWith(m.path() + "."));
      return ROOT + (headed && !inHead ? base.prefix() + "." : "") + name;
    }

    private void read(Module module) {
      Weights params = weights.scope(module.path());
      String name = nameOf(module);
      boolean targeted = config.targets().matches(name, module, isSequenceHead(module));
      if (targeted) {
        target(module, name, params);
      }
      if (isSaved(module)) {
        bringAll(module, "", params);
      } else {
        replaceBase(module, targeted, params);
      }
    }

    private void target(Module module, String name, Weights params) {
      long[] shape = module.shape();
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
      change(module);
      targets.add(module.path());
      if (module.kind() == Kind.EMBEDDING) {
        EmbeddingAdapter adapter = method.embedding(name, params, shape[0], shape[1]);
        if (adapter != null) {
          embeddings.put(module.path(), adapter);
        }
      } else {
        LinearAdapter adapter = method.linear(name, params, shape[0], shape[1]);
        if (adapter != null) {
          linears.put(module.path(), adapter);
        }
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
      String table = targeted ? "base_layer.weight" : "weight";
      if (module.kind() == Kind.EMBEDDING && params.has(table)) {
        if (targeted && method.replacement() != null) {
          weights.skip(key -> key.equals(module.parameter(table))); // nobody looks rows up in it
        } else {
          bring(module, "weight", table, params);
        }
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
      long[] shape =
          parameter.equals("weight") ? module.ownShape() : new long[] {module.ownShape()[0]};
      NDArray array = params.get(key, shape);
      if (params.has(key)) {
        change(module);
        shapes.put(module.parameter(parameter), params.shape(key));
      }
      if (array != null) {
        parameters.put(module.parameter(parameter), array);
      }
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
        if (config.modulesToSave().stream()
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
            return true;
          }
        }
      }
      return false;
    }

    /** So it does with a saved table when the vocabulary was resized. */
    private boolean isSecondTable(String name) {
      return base.all().stream()
          .filter(module -> module.kind() == Kind.EMBEDDING && isSaved(module))
          .anyMatch(
              module ->
                  name.equals(module.parameter("modules_to_save.weight"))
                      || name.equals(module.parameter("original_module.weight")));
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
     * Whether the task runs nothing that the tensor is for. A head that is not run may have been
     * any head: only what it is called counts, not which modules this base would give it.
     */
    private boolean isIdle(String key) {
      return base.all().stream()
          .filter(m -> !m.place().isRun())
          .map(m -> m.place().isHead() ? m.path().split("\\.")[0] : m.path())
          .anyMatch(path -> key.startsWith(path + "."));
    }

    private boolean touches(Module module) {
      return tensors.keySet().stream().anyMatch(key -> key.startsWith(module.path() + "."));
    }
  }
}
