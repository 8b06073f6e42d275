package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.Checkpoint;
import dev.medley.io.TensorInfo;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TensorReader;
import dev.medley.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What an adapter's file has for modules that the task does not run ({@link
 * AdapterReport#idleKeys}), such as a pooler under mean pooling. An {@link Adapter} leaves it out;
 * an adapter that is made of several has to have it.
 */
public final class IdleModules {
  /** Of an adapter of whose tensors the task runs all. */
  static final IdleModules NONE = new IdleModules();

  private static final String ROOT = "base_model.model.";

  private final Map<String, LinearAdapter> linears = new TreeMap<>();
  private final Map<String, NDArray> parameters = new TreeMap<>();

  private IdleModules() {}

  /**
   * Reads them.
   *
   * @param file the adapter's
   * @param owner of the arrays
   * @throws IllegalArgumentException where some of them cannot be combined, with all of these
   */
  public static IdleModules read(
      Adapter adapter, Checkpoint file, BaseModules base, Precision precision, NDManager owner) {
    AdapterType type = adapter.config().type();
    if (type != AdapterType.LORA && type != AdapterType.IA3) {
      return NONE; // no other is combined
    }
    Map<String, TensorInfo> tensors = new TreeMap<>();
    for (String key : adapter.report().idleKeys()) {
      tensors.put(key.substring(ROOT.length()), file.tensors().get(key));
    }
    IdleModules idle = new IdleModules();
    Weights weights = Weights.of("", tensors, new TensorReader(file, owner, precision));
    Set<String> targets = new TreeSet<>();
    for (String name : tensors.keySet()) {
      int end = name.indexOf("." + type.prefix());
      if (end > 0) {
        targets.add(name.substring(0, end));
      } else if (isSaved(name, adapter.config())) {
        NDArray array = weights.find(name, tensors.get(name).shape());
        idle.parameters.put(base.canonical(name), array);
      }
    }
    for (String name : targets) {
      Weights params = weights.scope(name);
      long[] shape = shape(base, base.canonical(name), params);
      LinearAdapter change = adapter.config().method().linear(name, params, shape[0], shape[1]);
      idle.linears.put(base.canonical(name), change);
    }
    List<String> problems = new ArrayList<>(weights.problems());
    weights.unread().forEach(key -> problems.add(key + ": it has no place in a combination"));
    if (!problems.isEmpty()) {
      String task = adapter.config().taskType();
      throw new IllegalArgumentException(
          "add_weighted_adapter: "
              + adapter
              + " has tensors for modules that this task does not run; load the base with the task"
              + " that the adapter was trained for"
              + (task.isEmpty() ? "" : ", " + task)
              + ":\n  "
              + String.join("\n  ", problems));
    }
    return idle;
  }

  private static boolean isSaved(String name, AdapterConfig config) {
    String path = name.substring(0, name.lastIndexOf('.'));
    for (; !path.isEmpty(); path = path.substring(0, Math.max(0, path.lastIndexOf('.')))) {
      if (config.modulesToSave().stream().anyMatch(path::endsWith)) {
        return true;
      }
    }
    return false;
  }

  /** Of a module's weight; of a head, which may have been any, what the tensors say. [out, in] */
  private static long[] shape(BaseModules base, String path, Weights params) {
    for (Module module : base.all()) {
      if (module.path().equals(path) && module.place() == Place.IDLE_BASE) {
        return module.shape();
      }
    }
    long[] l = params.shape("ia3_l"); // [out, 1] or [1, in]
    return l == null ? new long[] {size(params, "B", 0), size(params, "A", 1)} : l;
  }

  private static long size(Weights params, String factor, int axis) {
    long[] shape = params.shape("lora_" + factor + ".weight");
    return shape == null || shape.length != 2 ? Weights.ANY : shape[axis];
  }

  /** Changes of linear maps, by path. */
  Map<String, LinearAdapter> linears() {
    return linears;
  }

  /** What is brought whole ({@code modules_to_save}), by name. */
  Map<String, NDArray> parameters() {
    return parameters;
  }

  /** Paths of the modules that are brought whole. */
  Set<String> saved() {
    Set<String> saved = new TreeSet<>();
    parameters.keySet().forEach(name -> saved.add(name.substring(0, name.lastIndexOf('.'))));
    return saved;
  }

  /** Whether a layer of labels is among what is brought, so that the labels are the adapter's. */
  public boolean bringLabels(BaseModules base) {
    return saved().stream()
        .anyMatch(
            path ->
                base.all().stream()
                    .filter(module -> module.path().equals(path))
                    .allMatch(module -> module.ownShape()[0] == Weights.ANY));
  }

  /** A module for a change of a head that this base's code does not know. */
  static Module unknown(String path) {
    long[] any = {Weights.ANY, Weights.ANY};
    return new Module(path, Kind.LINEAR, Place.IDLE_HEAD, false, any, any, null, null);
  }
}
