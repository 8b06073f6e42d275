package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.io.LoadException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
      Map<String, NDArray> parameters) {
    this.name = name;
    this.linears = Map.copyOf(linears);
    this.embeddings = Map.copyOf(embeddings);
    this.parameters = Map.copyOf(parameters);
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
    List<String> problems = new ArrayList<>(conflicts(members));
    Map<String, LinearAdapter> linears = new HashMap<>();
    Map<String, EmbeddingAdapter> embeddings = new HashMap<>();
    Map<String, NDArray> parameters = new HashMap<>();
    for (Member member : members) {
      parameters.putAll(member.adapter.parts().parameters());
    }
    for (Module module : base.all()) {
      if (module.kind() == Kind.EMBEDDING) {
        List<EmbeddingAdapter> changes = new ArrayList<>();
        for (Member member : members) {
          EmbeddingAdapter change = member.adapter.parts().embeddings().get(module.path());
          if (change != null) {
            EmbeddingAdapter scaled = member.weight == 1 ? change : change.scaled(member.weight);
            changes.add(scaled == null ? unscalable(member, module, change, problems) : scaled);
          }
        }
        if (!changes.isEmpty() && problems.isEmpty()) {
          NDArray table = parameters.getOrDefault(module.parameter("weight"), module.weight());
          embeddings.put(module.path(), AdapterStack.Table.over(changes, table, owner));
        }
      } else {
        List<LinearAdapter> changes = new ArrayList<>();
        for (Member member : members) {
          LinearAdapter change = member.adapter.parts().linears().get(module.path());
          if (change != null) {
            LinearAdapter scaled = member.weight == 1 ? change : change.scaled(member.weight);
            changes.add(scaled == null ? unscalable(member, module, change, problems) : scaled);
          }
        }
        if (!changes.isEmpty() && problems.isEmpty()) {
          LinearAdapter stack = AdapterStack.over(changes, module.weight(), owner);
          linears.put(module.path(), stack);
          NDArray plain = parameters.getOrDefault(module.parameter("bias"), module.bias());
          NDArray bias = stack.bias(plain, plain);
          if (bias != plain) {
            bias.attach(owner);
            parameters.put(module.parameter("bias"), bias);
          }
        }
      }
    }
    if (!problems.isEmpty()) {
      throw new LoadException(name, problems);
    }
    return new MixedSet(name, linears, embeddings, parameters);
  }

  private static <T> T unscalable(Member member, Module module, T change, List<String> problems) {
    problems.add(
        member
            + ": the contribution of "
            + member.adapter.config().type()
            + " to "
            + module.path()
            + " cannot be scaled apart from the base's; use the adapter whole");
    return change;
  }

  /**
   * What keeps members from standing in one set: a parameter that two bring, a module that one
   * brings and another changes, or the biases of two, of which PEFT takes only one's.
   */
  private static List<String> conflicts(List<Member> members) {
    Set<String> problems = new LinkedHashSet<>();
    for (int i = 0; i < members.size(); i++) {
      for (int j = 0; j < i; j++) {
        if (members.get(i).adapter != members.get(j).adapter) {
          problems.addAll(
              AdapterReport.conflicts(
                  members.get(j).adapter.toString(),
                  members.get(j).adapter.report(),
                  members.get(i).adapter.toString(),
                  members.get(i).adapter.report()));
        }
      }
    }
    return List.copyOf(problems);
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
  public String toString() {
    return name;
  }
}
