package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.io.LoadException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * An ordered set of adapters over one base, as PEFT's {@code PeftMixedModel} computes it unmerged:
 * the first member is innermost on every module that it shares with others. Where PEFT refuses a
 * set, or keeps a member off its place, this order decides all the same.
 *
 * <p>Immutable. The members must stay open as long as the set is used; what the set adds to them
 * (DoRA's norms, PiSSA's corrections, changed biases) belongs to the manager it was made with.
 */
public final class MixedSet implements AdapterSet {
  private final String name;
  private final Map<String, LinearAdapter> linears;
  private final Map<String, EmbeddingAdapter> embeddings;
  private final Map<String, NDArray> parameters;
  private final Work work;

  /**
   * One adapter of a set.
   *
   * @param weight of its contribution; what it brings whole ({@code modules_to_save}, {@code bias})
   *     counts whole, as under PEFT's {@code set_scale}
   */
  public record Member(Adapter adapter, double weight) {
    @Override
    public String toString() {
      return weight == 1 ? adapter.toString() : weight + "*" + adapter;
    }
  }

  private MixedSet(
      String name,
      Map<String, LinearAdapter> linears,
      Map<String, EmbeddingAdapter> embeddings,
      Map<String, NDArray> parameters,
      Work work) {
    this.name = name;
    this.linears = Map.copyOf(linears);
    this.embeddings = Map.copyOf(embeddings);
    this.parameters = Map.copyOf(parameters);
    this.work = work;
  }

  /**
   * Puts members together.
   *
   * @param members innermost first
   * @param owner of the arrays that the set adds to its members'
   * @throws LoadException where two members bring the same parameter, or one cannot be scaled
   */
  public static MixedSet of(List<Member> members, BaseModules base, NDManager owner) {
    String name = members.stream().map(Member::toString).collect(Collectors.joining("+"));
    Map<Module, List<LinearAdapter>> linearChanges = new LinkedHashMap<>();
    Map<Module, List<EmbeddingAdapter>> tableChanges = new LinkedHashMap<>();
    List<String> problems = conflicts(members);
    if (!problems.isEmpty()) {
      throw new LoadException(name, problems);
    }
    for (Module module : base.all()) {
      if (module.kind() == Kind.EMBEDDING) {
        tableChanges.put(module, tables(members, module));
      } else {
        linearChanges.put(module, linears(members, module));
      }
    }
    Map<String, LinearAdapter> linears = new HashMap<>();
    Map<String, EmbeddingAdapter> embeddings = new HashMap<>();
    Map<String, NDArray> parameters = new HashMap<>();
    members.forEach(member -> parameters.putAll(member.adapter.parts().parameters()));
    members.forEach(member -> parameters.putAll(owned(member.adapter)));
    tableChanges.forEach(
        (module, changes) -> {
          if (!changes.isEmpty()) {
            NDArray table = parameters.getOrDefault(module.parameter("weight"), module.weight());
            embeddings.put(module.path(), AdapterStack.Table.over(changes, table, owner));
          }
        });
    linearChanges.forEach(
        (module, changes) -> {
          if (!changes.isEmpty()) {
            NDArray weight = parameters.getOrDefault(module.parameter("weight"), module.weight());
            LinearAdapter stack = over(changes, weight, owner, name, module);
            linears.put(module.path(), stack);
            NDArray plain = parameters.getOrDefault(module.parameter("bias"), module.bias());
            NDArray bias = stack.bias(plain, plain);
            if (bias != plain) {
              bias.attach(owner);
              parameters.put(module.parameter("bias"), bias);
            }
          }
        });
    Work work = members.stream().map(m -> m.adapter.report().work()).reduce(Work.NONE, Work::plus);
    return new MixedSet(name, linears, embeddings, parameters, work);
  }

  /** What it brings in {@code modules_to_save}: biases that it replaces elsewhere come before. */
  private static Map<String, NDArray> owned(Adapter adapter) {
    Map<String, NDArray> owned = new HashMap<>(adapter.parts().parameters());
    owned.keySet().removeIf(parameter -> !adapter.report().owns(parameter));
    return owned;
  }

  private static LinearAdapter over(
      List<LinearAdapter> changes, NDArray weight, NDManager owner, String set, Module module) {
    try {
      return AdapterStack.over(changes, weight, owner);
    } catch (ArithmeticException e) {
      throw new LoadException(set, module.path() + ": " + e.getMessage());
    }
  }

  /** The members' changes to one linear map, innermost first. */
  private static List<LinearAdapter> linears(List<Member> members, Module module) {
    List<LinearAdapter> changes = new ArrayList<>();
    for (List<Member> layer :
        layers(members, adapter -> adapter.parts().linears().containsKey(module.path()))) {
      if (layer.get(0).adapter.parts().linears().get(module.path()).turnsInput()) {
        Collections.reverse(layer); // the first turns x first, and so is the outermost of them
      }
      for (Member member : layer) {
        LinearAdapter change = member.adapter.parts().linears().get(module.path());
        changes.add(member.weight == 1 ? change : change.scaled(member.weight));
      }
    }
    return changes;
  }

  /** The members' changes to one table, innermost first. */
  private static List<EmbeddingAdapter> tables(List<Member> members, Module module) {
    List<EmbeddingAdapter> changes = new ArrayList<>();
    for (List<Member> layer :
        layers(members, adapter -> adapter.parts().embeddings().containsKey(module.path()))) {
      for (Member member : layer) {
        EmbeddingAdapter change = member.adapter.parts().embeddings().get(module.path());
        changes.add(member.weight == 1 ? change : change.scaled(member.weight));
      }
    }
    return changes;
  }

  /**
   * The layers that PEFT would nest around a module, innermost first: neighbours of one type, among
   * the adapters that change it, share one layer, which applies them in the order of the set. An
   * adapter that is named again is applied again where it is, in its own layer.
   */
  private static List<List<Member>> layers(List<Member> members, Predicate<Adapter> changes) {
    List<Set<Adapter>> nested = new ArrayList<>();
    Set<Adapter> placed = new HashSet<>();
    AdapterType last = null;
    for (Member member : members) {
      if (changes.test(member.adapter) && placed.add(member.adapter)) {
        AdapterType type = member.adapter.config().type();
        if (type != last) {
          nested.add(new HashSet<>());
        }
        nested.get(nested.size() - 1).add(member.adapter);
        last = type;
      }
    }
    List<List<Member>> layers = new ArrayList<>();
    for (Set<Adapter> layer : nested) {
      layers.add(new ArrayList<>(members.stream().filter(m -> layer.contains(m.adapter)).toList()));
    }
    return layers;
  }

  /**
   * What keeps members from standing in one set: a parameter that two bring, a module that one
   * brings and another changes, the biases of two, of which PEFT takes only one's, or a weight
   * before an adapter that cannot be scaled.
   */
  private static List<String> conflicts(List<Member> members) {
    Set<String> problems = new LinkedHashSet<>();
    for (int i = 0; i < members.size(); i++) {
      Adapter later = members.get(i).adapter;
      problems.addAll(later.config().unscalable(members.get(i).toString(), members.get(i).weight));
      for (Member member : members.subList(0, i)) {
        Adapter one = member.adapter;
        if (one != later) {
          problems.addAll(
              AdapterReport.conflicts(
                  one.toString(), one.report(), later.toString(), later.report()));
        }
      }
    }
    return List.copyOf(problems);
  }

  /** Whether no module's output is changed; parameters that members bring whole are not asked. */
  boolean isNothing() {
    return linears.values().stream().allMatch(LinearAdapter::isNothing)
        && embeddings.values().stream().allMatch(EmbeddingAdapter::isNothing);
  }

  @Override
  public LinearAdapter linear(String path) {
    return linears.get(path);
  }

  @Override
  public EmbeddingAdapter embedding(String path) {
    return embeddings.get(path);
  }

  @Override
  public NDArray parameter(String parameter) {
    return parameters.get(parameter);
  }

  @Override
  public Work work() {
    return work;
  }

  @Override
  public String toString() {
    return name;
  }
}
