package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.tensor.Weights;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The modules of one base model that an adapter may touch, by dotted path. Paths carry no {@code
 * base_model_prefix}: {@code encoder.layer.0.attention.self.query}, whether the checkpoint says
 * {@code bert.encoder…} or {@code encoder…}.
 */
public final class BaseModules {
  /** What a module does with its weight. */
  public enum Kind {
    /** x·Wᵀ + b, weight [out, in] */
    LINEAR,
    /** HF's Conv1D: x·W + b; stored as [in, out], and here [out, in] like any linear map's */
    CONV1D,
    /** Rows looked up, weight [v, d] */
    EMBEDDING,
    /** Layer normalisation, weight [d] */
    NORM
  }

  /** Where a module stands in a model that has a head. */
  public enum Place {
    /** In the base model, and run by the task. */
    BASE,
    /** In the base model, and not run by the task, as a pooler under mean pooling. */
    IDLE_BASE,
    /** In the head, and run by the task. */
    HEAD,
    /** A head that the task does not run. */
    IDLE_HEAD;

    /** Whether it is a head's. */
    public boolean isHead() {
      return this == HEAD || this == IDLE_HEAD;
    }

    /** Whether the task runs it. */
    public boolean isRun() {
      return this == BASE || this == HEAD;
    }
  }

  /**
   * One module.
   *
   * @param shape of its weight; {@code Weights.ANY} for a number of labels that the base leaves
   *     open
   * @param ownShape that an adapter's own copy of the weight must have; {@code Weights.ANY} for a
   *     number of labels, which is the adapter's to choose
   * @param weight the base's own; null in an outline, and where the base lacks it
   * @param bias the base's own; null as above, and where there is none
   */
  public record Module(
      String path,
      Kind kind,
      Place place,
      boolean hasBias,
      long[] shape,
      long[] ownShape,
      NDArray weight,
      NDArray bias) {
    /** Whether its outputs are the labels of the head that is run. */
    public boolean isLabels() {
      return place == Place.HEAD && ownShape[0] == Weights.ANY;
    }

    /** Dotted name of a parameter of this module. */
    public String parameter(String name) {
      return path + "." + name;
    }
  }

  private final String prefix;
  private final String taskType;
  private final Map<String, Module> modules = new LinkedHashMap<>();
  private Module inputEmbeddings;
  private Module outputEmbeddings;
  private boolean tied;

  /**
   * None so far.
   *
   * @param prefix HF's {@code base_model_prefix}, such as {@code bert}
   * @param taskType PEFT's {@code task_type} of the head that is run, such as SEQ_CLS; empty where
   *     none is
   */
  public BaseModules(String prefix, String taskType) {
    this.prefix = prefix;
    this.taskType = taskType;
  }

  /** Enters a module. */
  public void add(Module module) {
    if (modules.put(module.path(), module) != null) {
      throw new IllegalStateException(module.path() + " is declared twice");
    }
  }

  /** Says which module is HF's input embeddings, the table of tokens. */
  public void inputEmbeddings(Module module) {
    inputEmbeddings = module;
  }

  /** Says which module is HF's output embeddings, the map to a score for each token. */
  public void outputEmbeddings(Module module) {
    outputEmbeddings = module;
  }

  /** Says that the input and the output embeddings are one tensor. */
  public void tie() {
    tied = true;
  }

  /** The table of tokens; null where there is none. */
  public Module inputEmbeddings() {
    return inputEmbeddings;
  }

  /** The map to a score for each token, run or not; null where there is none. */
  public Module outputEmbeddings() {
    return outputEmbeddings;
  }

  /** Whether the two are one tensor. */
  public boolean isTied() {
    return tied;
  }

  /** The module whose weight is the same tensor as this one's; null for none. */
  Module twin(Module module) {
    if (!tied) {
      return null;
    }
    return module == inputEmbeddings
        ? outputEmbeddings
        : module == outputEmbeddings ? inputEmbeddings : null;
  }

  /** All modules, in the model's order. */
  public Collection<Module> all() {
    return modules.values();
  }

  /** HF's {@code base_model_prefix}. */
  public String prefix() {
    return prefix;
  }

  /** PEFT's {@code task_type} of the head that is run; empty where none is. */
  String taskType() {
    return taskType;
  }

  /** A name without {@link #prefix}. */
  public String canonical(String name) {
    return name.startsWith(prefix + ".") ? name.substring(prefix.length() + 1) : name;
  }

  /** A module's name in a model with a head, which is how most adapters were trained. */
  String headed(Module module) {
    return module.place().isHead() ? module.path() : prefix + "." + module.path();
  }
}
