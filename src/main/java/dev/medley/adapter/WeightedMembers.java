package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.AdapterConfig.Bias;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Adapters to be made one, and what keeps them from it.
 *
 * @param idle of members that have tensors for modules which the task does not run
 */
record WeightedMembers(List<Member> list, Map<Adapter, IdleModules> idle) {

  /** Throws IllegalArgumentException with every reason why they cannot be combined. */
  void check() {
    if (list.isEmpty()) {
      throw new IllegalArgumentException("adapters: expected at least one, found none");
    }
    List<String> problems = new ArrayList<>();
    for (Member member : list) {
      check(member, problems);
    }
    for (Member one : list) {
      for (Member other : list) {
        checkBrought(one.adapter(), other.adapter(), problems);
      }
    }
    checkTypes(problems);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "add_weighted_adapter: " + String.join("\n  ", new LinkedHashSet<>(problems)));
    }
  }

  private void checkTypes(List<String> problems) {
    Map<AdapterType, Set<String>> types = new TreeMap<>();
    for (Member member : list) {
      Adapter adapter = member.adapter();
      types
          .computeIfAbsent(adapter.config().type(), type -> new TreeSet<>())
          .add(adapter.toString());
    }
    if (types.size() > 1 && problems.isEmpty()) {
      problems.add("expected members of one type, found " + types);
    }
  }

  private static void check(Member member, List<String> problems) {
    Adapter adapter = member.adapter();
    if (!Double.isFinite(member.weight())) {
      problems.add(adapter + ": expected a finite weight, got " + member.weight());
    }
    AdapterType type = adapter.config().type();
    if (type == AdapterType.LORA) {
      checkLora(adapter, (Lora.Config) adapter.config().method(), problems);
    } else if (type != AdapterType.IA3) {
      problems.add(
          adapter + ": expected LORA or IA3, found " + type + ", of which PEFT combines none");
      return;
    }
    boolean replaces =
        adapter.parts().parameters().keySet().stream()
            .anyMatch(name -> !adapter.report().saved().contains(module(name)));
    if (adapter.config().bias() != Bias.NONE || replaces) {
      problems.add(
          adapter
              + ": replaces biases or embeddings of the base outside of modules_to_save; PEFT, too,"
              + " has no place for them in the result");
    }
  }

  private static void checkLora(Adapter adapter, Lora.Config lora, List<String> problems) {
    if (lora.dora()) {
      problems.add(adapter + ": use_dora: its magnitudes are of its own change and not additive");
    }
    if (lora.correction() != BaseCorrection.NONE) {
      problems.add(
          adapter
              + ": "
              + lora.correction()
              + " also changes the base's weights, which the result could not do");
    }
    if (lora.bias()) {
      problems.add(adapter + ": lora_bias: PEFT leaves it out of the result");
    }
    if (!lora.trainableTokens().isEmpty()) {
      problems.add(
          adapter + ": trainable_token_indices: rows in place of the base's have no factors");
    }
  }

  private void checkBrought(Adapter one, Adapter other, List<String> problems) {
    if (one == other) {
      return;
    }
    for (String path : saved(one)) {
      if (saved(other).contains(path)) {
        List<String> both = Stream.of(one, other).map(Adapter::toString).sorted().toList();
        problems.add(
            path
                + ": both "
                + String.join(" and ", both)
                + " bring it in modules_to_save, and PEFT combines no such modules");
      } else if (changes(other, path)) {
        problems.add(
            path
                + ": "
                + one
                + " brings it in modules_to_save and "
                + other
                + " changes it; an adapter does one or the other");
      }
    }
  }

  /** Modules that a member brings whole, whether the task runs them or not. */
  Set<String> saved(Adapter adapter) {
    Set<String> saved = new TreeSet<>(adapter.report().saved());
    saved.addAll(idle(adapter).saved());
    return saved;
  }

  private boolean changes(Adapter adapter, String path) {
    return adapter.parts().linears().containsKey(path)
        || adapter.parts().embeddings().containsKey(path)
        || idle(adapter).linears().containsKey(path);
  }

  private static String module(String parameter) {
    return parameter.substring(0, parameter.lastIndexOf('.'));
  }

  /** What a member has for modules that the task does not run. */
  IdleModules idle(Adapter adapter) {
    return idle.getOrDefault(adapter, IdleModules.NONE);
  }

  AdapterConfig first() {
    return list.get(0).adapter().config();
  }

  /** Throws IllegalArgumentException where an array of the result is not finite. */
  void checkFinite(String name, NDArray array) {
    if (!Kernels.isFinite(array)) {
      throw new IllegalArgumentException(
          "add_weighted_adapter: "
              + this
              + " is NaN or infinite at "
              + name
              + "; expected weights with which it is finite in float32");
    }
  }

  @Override
  public String toString() {
    return list.stream().map(Member::toString).collect(Collectors.joining("+"));
  }
}
