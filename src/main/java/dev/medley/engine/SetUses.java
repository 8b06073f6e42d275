package dev.medley.engine;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What each adapter set was used for, in bounded memory: of more sets than are kept, those with the
 * fewest tokens are counted together. A set that comes back after that begins anew, so that what is
 * said of a single set is then the least that it had. Not for concurrent use.
 */
public final class SetUses implements Serializable {
  private static final long serialVersionUID = 1L;

  private final int most;
  private final Map<String, Use> uses = new HashMap<>();
  private Use others = Use.NONE;

  /**
   * The use of one set, or of several.
   *
   * @param runs windows that had rows of it; 0 in generation, which has none
   * @param tokens that went through the model
   * @param nanos of passes, each shared among its sets by their tokens
   * @param modes how it was applied, in words as a {@link Lineage} has them
   */
  public record Use(long rows, long runs, long tokens, long nanos, Set<String> modes)
      implements Serializable {
    static final Use NONE = new Use(0, 0, 0, 0, Set.of());

    /** Both together. */
    public Use plus(Use other) {
      return new Use(
          rows + other.rows,
          runs + other.runs,
          tokens + other.tokens,
          nanos + other.nanos,
          both(modes, other.modes));
    }

    private static Set<String> both(Set<String> some, Set<String> others) {
      if (some.containsAll(others)) {
        return some;
      }
      Set<String> both = new TreeSet<>(some);
      both.addAll(others);
      return both;
    }
  }

  /**
   * One set.
   *
   * @param set as {@link AdapterRef} writes it
   */
  public record OfSet(String set, Use use) {}

  /** Nothing yet, and at least so many sets apart. */
  public SetUses(int most) {
    this.most = most;
  }

  void add(String set, Use use) {
    uses.merge(set, use, Use::plus);
    if (uses.size() >= 2 * most) {
      List<OfSet> all = sets();
      all.subList(most, all.size())
          .forEach(
              small -> {
                uses.remove(small.set);
                others = others.plus(small.use);
              });
    }
  }

  /** Adds all of the other's. */
  public void add(SetUses more) {
    more.uses.forEach(this::add);
    others = others.plus(more.others);
  }

  /** Sets that are counted apart, those with the most tokens first. */
  public List<OfSet> sets() {
    List<OfSet> all = new ArrayList<>();
    uses.forEach((set, use) -> all.add(new OfSet(set, use)));
    all.sort(
        Comparator.comparingLong((OfSet each) -> each.use.tokens)
            .reversed()
            .thenComparing(OfSet::set));
    return all;
  }

  /** All other sets together. */
  public Use others() {
    return others;
  }

  /** All but the first of {@link #sets}. */
  public Use others(int first) {
    List<OfSet> all = sets();
    return all.subList(Math.min(first, all.size()), all.size()).stream()
        .map(OfSet::use)
        .reduce(others, Use::plus);
  }

  /** Whether nothing was added. */
  public boolean isEmpty() {
    return uses.isEmpty();
  }

  /** Forgets everything. */
  public void clear() {
    uses.clear();
    others = Use.NONE;
  }
}
