package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;
import java.util.List;

/**
 * A place in a model under construction: reads the weights of the modules made there, with the
 * shapes that they must have, and enters them in the list that adapters are checked against.
 *
 * @param weights below this place; idle places read none
 * @param modules the list
 * @param place whether what is made here is run, and whether it is the head
 * @param absent where parameters are noted that are run and that the checkpoint lacks; null where
 *     lacking one is an error
 */
public record Scope(Weights weights, BaseModules modules, Place place, List<String> absent) {

  /** The same below {@code name}. */
  public Scope child(String name) {
    return new Scope(weights.scope(name), modules, place, absent);
  }

  /** Modules made there are entered in the list and never run. */
  public Scope idle(Place idlePlace) {
    return new Scope(weights.outline(), modules, idlePlace, null);
  }

  /** Modules made there may be lacking: an adapter has to bring them. */
  public Scope optional(Place place, List<String> absent) {
    return new Scope(weights, modules, place, absent);
  }

  /** x·Wᵀ + b from {@code name.weight} [out, in] and {@code name.bias} [out]. */
  public Linear linear(String name, long out, long in) {
    return linear(name, new long[] {out, in}, new long[] {out, in}, true);
  }

  /** x·Wᵀ from {@code name.weight} [out, in]. */
  public Linear projection(String name, long out, long in) {
    return linear(name, new long[] {out, in}, new long[] {out, in}, false);
  }

  /** HF's {@code Conv1D}: x·W + b from {@code name.weight} [in, out] and {@code name.bias}. */
  public Linear conv1d(String name, long out, long in) {
    long[] shape = {out, in};
    NDArray stored = read(name, "weight", in, out);
    NDArray weight = null;
    if (stored != null) {
      try (stored) {
        weight = Kernels.transpose(stored);
      }
    }
    NDArray bias = read(name, "bias", out);
    return new Linear(enter(name, Kind.CONV1D, true, shape, shape, weight, bias), weight, bias);
  }

  /**
   * The map from a last hidden state to a score for each token, HF's output embeddings: {@code
   * name.weight} [v, d], or the table that the config ties it to. As in transformers, a checkpoint
   * that holds another weight than the table's decides against its config.
   *
   * @param tied the table of tokens, [v, d]; null where the config ties nothing
   */
  public Linear lmHead(String name, long v, long d, Embedding tied) {
    long[] shape = {v, d};
    boolean isStored = weights.has(name + ".weight");
    NDArray own = isStored || tied == null ? read(name, "weight", shape) : null;
    boolean isTied = tied != null && (!isStored || place == Place.HEAD && isSame(own, tied));
    if (isTied && own != null) {
      own.close();
    }
    NDArray weight = isTied ? tied.weight() : own;
    BaseModules.Module module = enter(name, Kind.LINEAR, false, shape, shape, weight, null);
    modules.outputEmbeddings(module);
    if (isTied) {
      modules.tie();
    }
    return new Linear(module, weight, null);
  }

  /** As far as one can tell: in an outline, the config is believed. */
  private static boolean isSame(NDArray own, Embedding tied) {
    return own == null || tied.weight() == null || Kernels.areEqual(own, tied.weight());
  }

  /** A linear map to as many labels as the checkpoint or an adapter has. */
  public Linear labels(String name, long in) {
    return labels(name, in, true);
  }

  /** The same without a bias, as decoders have it. */
  public Linear scores(String name, long in) {
    return labels(name, in, false);
  }

  private Linear labels(String name, long in, boolean hasBias) {
    long[] stored = weights.shape(name + ".weight");
    long labels = stored == null || stored.length != 2 ? Weights.ANY : stored[0];
    if (labels == 0 && place == Place.HEAD) {
      weights.problem(
          weights.scope(name).path()
              + ".weight: expected a row for each label, found "
              + Weights.show(stored)
              + ", a head without labels");
    }
    return linear(name, new long[] {labels, in}, new long[] {Weights.ANY, in}, hasBias);
  }

  private Linear linear(String name, long[] shape, long[] ownShape, boolean hasBias) {
    NDArray weight = read(name, "weight", shape);
    NDArray bias = hasBias ? read(name, "bias", shape[0]) : null;
    return new Linear(
        enter(name, Kind.LINEAR, hasBias, shape, ownShape, weight, bias), weight, bias);
  }

  /** Rows of {@code name.weight} [v, d]. */
  public Embedding embedding(String name, long v, long d) {
    long[] shape = {v, d};
    NDArray weight = read(name, "weight", shape);
    return new Embedding(enter(name, Kind.EMBEDDING, false, shape, shape, weight, null), weight);
  }

  /** The same of tokens: HF's input embeddings. */
  public Embedding words(String name, long v, long d) {
    Embedding words = embedding(name, v, d);
    modules.inputEmbeddings(words.module());
    return words;
  }

  /** Layer normalisation by {@code name.weight} [d] and {@code name.bias} [d]. */
  public LayerNorm norm(String name, long d, double eps) {
    long[] shape = {d};
    NDArray weight = read(name, "weight", shape);
    NDArray bias = read(name, "bias", shape);
    return new LayerNorm(
        enter(name, Kind.NORM, true, shape, shape, weight, bias), weight, bias, eps);
  }

  /** RMS normalisation by {@code name.weight} [d]. */
  public RmsNorm rmsNorm(String name, long d, double eps, RmsNorm.Gain gain) {
    long[] shape = {d};
    NDArray weight = read(name, "weight", shape);
    return new RmsNorm(
        enter(name, Kind.NORM, false, shape, shape, weight, null), weight, eps, gain);
  }

  private BaseModules.Module enter(
      String name,
      Kind kind,
      boolean hasBias,
      long[] shape,
      long[] ownShape,
      NDArray weight,
      NDArray bias) {
    String path = weights.scope(name).path();
    var module = new BaseModules.Module(path, kind, place, hasBias, shape, ownShape, weight, bias);
    modules.add(module);
    return module;
  }

  private NDArray read(String name, String parameter, long... shape) {
    Weights own = weights.scope(name);
    boolean required = place == Place.BASE && absent == null;
    if (required) {
      return own.get(parameter, shape);
    }
    if (absent != null && !own.has(parameter)) {
      absent.add(own.path() + "." + parameter);
    }
    return own.find(parameter, shape);
  }
}
