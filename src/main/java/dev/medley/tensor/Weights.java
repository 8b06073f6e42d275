package dev.medley.tensor;

import ai.djl.ndarray.NDArray;
import dev.medley.io.LoadException;
import dev.medley.io.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * The named tensors of one checkpoint, below one dotted path. Each read states the shape it wants;
 * what is missing, of another shape, or never read is gathered and reported at once by {@link
 * #done}.
 *
 * <p>An <i>outline</i> knows names and shapes only: it checks everything and returns null for every
 * tensor. That is how a driver validates a model or an adapter without reading a weight.
 */
public final class Weights {
  /** A dimension that may have any size. */
  public static final long ANY = -1;

  private final String path;
  private final State state;
  private final TensorReader reader;

  private Weights(String path, State state, TensorReader reader) {
    this.path = path;
    this.state = state;
    this.reader = reader;
  }

  /** Tensors by the names their readers use, which may differ from the names in the file. */
  public static Weights of(String where, Map<String, TensorInfo> tensors, TensorReader reader) {
    return new Weights("", new State(where, tensors), reader);
  }

  /** Names and shapes only. */
  public static Weights outline(String where, Map<String, TensorInfo> tensors) {
    return of(where, tensors, null);
  }

  /** The same tensors and the same record of reads and problems, as an outline. */
  public Weights outline() {
    return new Weights(path, state, null);
  }

  /** The tensors below {@code name}. */
  public Weights scope(String name) {
    return new Weights(full(name), state, reader);
  }

  /** Dotted path of this scope, empty at the top. */
  public String path() {
    return path;
  }

  /** Whether this is an outline, where every read returns null. */
  public boolean isOutline() {
    return reader == null;
  }

  /** Whether the checkpoint has the tensor. */
  public boolean has(String name) {
    return state.tensors.containsKey(full(name));
  }

  /** Stored shape, or null where the checkpoint lacks the tensor. */
  public long[] shape(String name) {
    TensorInfo tensor = state.tensors.get(full(name));
    return tensor == null ? null : tensor.shape();
  }

  /**
   * A tensor that must be there. Null in an outline, and after a problem that {@link #done}
   * reports.
   */
  public NDArray get(String name, long... shape) {
    return get(name, TensorReader::read, shape);
  }

  /** Like {@link #get}, whole numbers: int64 in any precision. */
  public NDArray integers(String name, long... shape) {
    return get(name, TensorReader::readIntegers, shape);
  }

  private NDArray get(
      String name, BiFunction<TensorReader, TensorInfo, TensorReader.Finite> read, long... shape) {
    if (!has(name)) {
      state.missing.add(full(name));
      state.problems.add(full(name) + ": expected a tensor " + show(shape) + ", found none");
      return null;
    }
    return find(name, read, shape);
  }

  /** A tensor that may be absent: then null, as in an outline. */
  public NDArray find(String name, long... shape) {
    return find(name, TensorReader::read, shape);
  }

  private NDArray find(
      String name, BiFunction<TensorReader, TensorInfo, TensorReader.Finite> read, long... shape) {
    TensorInfo tensor = state.tensors.get(full(name));
    if (tensor == null) {
      return null;
    }
    state.read.add(full(name));
    if (!fits(tensor.shape(), shape)) {
      state.problems.add(
          tensor.name() + ": expected " + show(shape) + ", got " + show(tensor.shape()));
      return null;
    }
    if (isOutline()) {
      return null;
    }
    TensorReader.Finite found = read.apply(reader, tensor);
    if (!found.isFinite()) {
      state.problems.add(tensor.name() + ": expected finite numbers, found NaN or infinity");
    }
    return found.array();
  }

  /** Marks tensors as known and not needed. */
  public void skip(Predicate<String> names) {
    state.tensors.keySet().stream().filter(names).forEach(state.read::add);
  }

  /** Adds a problem found by the reader of these tensors. */
  public void problem(String problem) {
    state.problems.add(problem);
  }

  /** Every problem so far. */
  public List<String> problems() {
    return List.copyOf(state.problems);
  }

  /** Paths that were asked for and are not in the checkpoint. */
  public List<String> missing() {
    return List.copyOf(state.missing);
  }

  /** Tensors of this scope that nobody read, by the names in the file. */
  public List<String> unread() {
    String prefix = path.isEmpty() ? "" : path + ".";
    return state.tensors.entrySet().stream()
        .filter(e -> e.getKey().startsWith(prefix) && !state.read.contains(e.getKey()))
        .map(e -> e.getValue().name())
        .sorted()
        .toList();
  }

  /** Throws every problem at once; a tensor that nobody read is one. */
  public void done() {
    List<String> problems = new ArrayList<>(state.problems);
    unread().forEach(name -> problems.add(name + ": no module of this model reads this tensor"));
    if (!problems.isEmpty()) {
      throw new LoadException(state.where, problems);
    }
  }

  private String full(String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  private static boolean fits(long[] found, long[] wanted) {
    if (found.length != wanted.length) {
      return false;
    }
    for (int i = 0; i < found.length; i++) {
      if (wanted[i] != ANY && wanted[i] != found[i]) {
        return false;
      }
    }
    return true;
  }

  /** (9, 3); a dimension of any size is an asterisk. */
  public static String show(long[] shape) {
    return LongStream.of(shape)
        .mapToObj(d -> d == ANY ? "*" : Long.toString(d))
        .collect(Collectors.joining(", ", "(", ")"));
  }

  private static final class State {
    final String where;
    final Map<String, TensorInfo> tensors;
    final Set<String> read = new LinkedHashSet<>();
    final Set<String> missing = new LinkedHashSet<>();
    final List<String> problems = new ArrayList<>();

    State(String where, Map<String, TensorInfo> tensors) {
      this.where = where;
      this.tensors = tensors;
    }
  }
}
