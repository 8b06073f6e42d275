package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;

/**
 * Several changes to one linear map, each around those before it. It obeys the law of {@link
 * LinearAdapter}: x goes in from the outermost to the innermost, the product comes out the other
 * way, and a weight is merged from the innermost out. That is PEFT's {@code PeftMixedModel},
 * unmerged, with a wrapper for each member in the order in which they were added.
 *
 * @param members innermost first
 */
record AdapterStack(List<LinearAdapter> members) implements LinearAdapter {

  /**
   * The members over one base weight.
   *
   * @param weight [out, in]; null where the base has none, and then nothing can run
   * @param owner of the arrays made
   */
  static LinearAdapter over(List<LinearAdapter> members, NDArray weight, NDManager owner) {
    if (weight == null) {
      return new AdapterStack(members);
    }
    List<LinearAdapter> stages = new ArrayList<>();
    try (NDManager scratch = owner.newSubManager()) {
      NDArray left = weight;
      Set<LinearAdapter> asked = Collections.newSetFromMap(new IdentityHashMap<>());
      for (LinearAdapter member : members) {
        // one that is applied twice was loaded once
        LinearAdapter taken = asked.add(member) ? member.correction(left, owner) : null;
        if (taken != null) {
          stages.add(taken);
          left = taken.merge(left);
          left.attach(scratch);
        }
      }
      for (LinearAdapter member : members) {
        stages.add(member.over(left, owner));
      }
    }
    List<LinearAdapter> joined = joined(stages, owner);
    return joined.size() == 1 ? joined.get(0) : new AdapterStack(joined);
  }

  /**
   * Neighbours that add may change places, so of all LoRAs among them one is made, of the sum of
   * their ranks: two thin products instead of two for each.
   */
  private static List<LinearAdapter> joined(List<LinearAdapter> stages, NDManager owner) {
    List<LinearAdapter> joined = new ArrayList<>();
    List<Lora> neighbours = new ArrayList<>();
    for (LinearAdapter stage : stages) {
      if (stage instanceof Lora lora) {
        neighbours.add(lora);
        continue;
      }
      if (!stage.isAdditive() && !neighbours.isEmpty()) {
        joined.add(Lora.join(List.copyOf(neighbours), owner));
        neighbours.clear();
      }
      joined.add(stage);
    }
    if (!neighbours.isEmpty()) {
      joined.add(Lora.join(neighbours, owner));
    }
    return List.copyOf(joined);
  }

  @Override
  public NDArray input(NDArray x) {
    for (int i = members.size() - 1; i >= 0; i--) {
      x = members.get(i).input(x);
    }
    return x;
  }

  @Override
  public NDArray output(NDArray x, NDArray y) {
    return output(x, input(x), y);
  }

  /** Each member's share of its own x; that of those inside all turning members is seen. */
  @Override
  public NDArray output(NDArray x, NDArray seen, NDArray y) {
    int inner = 0; // members up to the innermost that turns x, whose own x is not seen any more
    while (inner < members.size() && !members.get(inner).turnsInput()) {
      inner++;
    }
    NDArray[] given = new NDArray[members.size()];
    for (int i = members.size() - 1; i >= 0; i--) {
      given[i] = i < inner ? seen : x;
      x = i > inner ? members.get(i).input(x) : x;
    }
    for (int i = 0; i < given.length; i++) {
      y = members.get(i).output(given[i], y);
    }
    return y;
  }

  @Override
  public boolean turnsInput() {
    return members.stream().anyMatch(LinearAdapter::turnsInput);
  }

  @Override
  public boolean isAdditive() {
    return members.stream().allMatch(LinearAdapter::isAdditive);
  }

  @Override
  public boolean isNothing() {
    return members.stream().allMatch(LinearAdapter::isNothing);
  }

  @Override
  public NDArray merge(NDArray weight) {
    return fold(members, weight, LinearAdapter::merge);
  }

  @Override
  public void mergeInto(NDArray weight, NDArray into) {
    NDArray inner = weight;
    for (LinearAdapter member : members) {
      member.mergeInto(inner, into);
      inner = into;
    }
  }

  @Override
  public NDArray bias(NDArray base, NDArray bias) {
    return fold(members, bias, (member, inner) -> member.bias(base, inner));
  }

  /** Changes one after the other, the innermost first; frees what is between start and result. */
  private static <T> NDArray fold(
      List<T> members, NDArray start, BiFunction<T, NDArray, NDArray> change) {
    NDArray changed = start;
    for (T member : members) {
      NDArray inner = changed;
      changed = change.apply(member, inner);
      if (inner != start && inner != changed) {
        inner.close();
      }
    }
    return changed;
  }

  /** Several changes to one table, innermost first. */
  record Table(List<EmbeddingAdapter> members) implements EmbeddingAdapter {

    /** The members over one base table; {@code owner} of the arrays made. */
    static EmbeddingAdapter over(List<EmbeddingAdapter> members, NDArray table, NDManager owner) {
      List<EmbeddingAdapter> bound = members.stream().map(m -> m.over(table, owner)).toList();
      return bound.size() == 1 ? bound.get(0) : new Table(bound);
    }

    @Override
    public NDArray output(NDArray ids, NDArray y) {
      for (EmbeddingAdapter member : members) {
        y = member.output(ids, y);
      }
      return y;
    }

    @Override
    public boolean isNothing() {
      return members.stream().allMatch(EmbeddingAdapter::isNothing);
    }

    @Override
    public NDArray merge(NDArray table) {
      return fold(members, table, EmbeddingAdapter::merge);
    }
  }
}
