package dev.medley.spark;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Which partitions the rows of each adapter set go to, so that few sets are in each and none costs
 * much more than the others. A set costs its tokens, shared among its partitions, and its presence
 * in each of them, all in tokens:
 *
 * <pre>cost(partition) = Σ over its sets of share · tokens + presence</pre>
 *
 * <p>Sets are placed by falling cost, each in the partition that costs least so far (LPT, Graham
 * 1969), as long as that stays under a cap of {@value #CAP} × the mean; one that does not fit there
 * fills one partition after the other up to the cap. Every piece of a set but its last closes a
 * partition, so there are at most {@code sets + partitions - 1} loads. Then each split set's tokens
 * are poured anew over the partitions that it is in, the cheapest first, which costs no load; a set
 * of no presence, which is the base, is poured over all of them.
 *
 * <p>Where presence, or a row, is so large that the cap cannot be kept, it rises, by at most {@code
 * 3 · (presence + row)} of the greatest presence and the greatest average row: partitions that left
 * no room then would hold more than there is.
 */
final class AffinityPlan implements Serializable {
  private static final long serialVersionUID = 1L;

  /** How much a partition may cost, as a multiple of the mean. */
  static final double CAP = 1.05;

  private static final int POURS = 8;
  private static final double[] WHOLE = {1};

  /**
   * What is known of a set.
   *
   * @param key the same for all spellings of the set
   * @param tokens of all its rows
   * @param presence tokens' worth of work that it costs to have it in a partition
   */
  record Demand(String key, long rows, long tokens, long presence) {
    private double cost() {
      return tokens + presence;
    }

    private double row() {
      return rows == 0 ? 0 : (double) tokens / rows;
    }

    /** A smaller piece is not worth its presence, or is no row. */
    private double leastPiece() {
      return Math.max(presence, row());
    }
  }

  /**
   * Where a set goes: into these partitions, with a share of its tokens that ends at {@code ends}.
   */
  static final class Places implements Serializable {
    private static final long serialVersionUID = 1L;

    private final int number;
    private final int[] partitions;
    private final double[] ends;

    private Places(int number, int[] partitions, double[] ends) {
      this.number = number;
      this.partitions = partitions;
      this.ends = ends;
    }

    /** The set's place in the order of keys, from 0: members that sets share come together. */
    int number() {
      return number;
    }

    /** How many partitions the set is in. */
    int size() {
      return partitions.length;
    }

    int partition(int i) {
      return partitions[i];
    }

    /** Which part of the set's tokens goes to the i-th of its partitions. */
    double share(int i) {
      return i == 0 ? ends[0] : ends[i] - ends[i - 1];
    }

    /** The partition of a row whose place among the set's rows is {@code at}, in [0, 1). */
    int partition(double at) {
      int found = Arrays.binarySearch(ends, at);
      int i = found < 0 ? -found - 1 : found + 1;
      return partitions[Math.min(i, partitions.length - 1)];
    }
  }

  private final HashMap<String, Places> places;
  private final double[] costs;
  private final int loads;

  private AffinityPlan(HashMap<String, Places> places, double[] costs, int loads) {
    this.places = places;
    this.costs = costs;
    this.loads = loads;
  }

  /**
   * The same for the same sets, in whatever order they come.
   *
   * @param demands of different keys
   * @param partitions at least 1
   */
  static AffinityPlan of(List<Demand> demands, int partitions) {
    List<Demand> sets = new ArrayList<>(demands);
    sets.sort(Comparator.comparingDouble(Demand::cost).reversed().thenComparing(Demand::key));
    double mean = sets.stream().mapToDouble(Demand::cost).sum() / partitions;
    double step =
        sets.stream().mapToDouble(Demand::presence).max().orElse(0)
            + sets.stream().mapToDouble(Demand::row).max().orElse(0);
    double cap = CAP * mean;
    Packing packing = new Packing(partitions, cap);
    while (!packing.place(sets)) {
      cap += step / 2;
      packing = new Packing(partitions, cap);
    }
    packing.pour(sets);
    return packing.plan(sets);
  }

  /** Null for a set that nobody counted. */
  Places places(String key) {
    return places.get(key);
  }

  int sets() {
    return places.size();
  }

  int partitions() {
    return costs.length;
  }

  /** Pairs of a set and a partition that it is in, of sets whose presence costs anything. */
  int loads() {
    return loads;
  }

  /** Cost of a partition in tokens. */
  double cost(int partition) {
    return costs[partition];
  }

  /** Cost of the largest partition by that of the mean one; 1 where there is nothing to do. */
  double imbalance() {
    double sum = Arrays.stream(costs).sum();
    double largest = Arrays.stream(costs).max().orElse(0);
    return sum == 0 ? 1 : largest * costs.length / sum;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%d sets in %d partitions, %d loads, the largest partition %.3f × the mean",
        sets(),
        partitions(),
        loads,
        imbalance());
  }

  /** Partitions that are being filled. */
  private static final class Packing {
    private final double cap;
    private final double[] costs;

    /** Tokens by partition, of each set in the order of placing. */
    private final List<TreeMap<Integer, Double>> pieces = new ArrayList<>();

    Packing(int partitions, double cap) {
      this.cap = cap;
      costs = new double[partitions];
    }

    /** False where a set does not fit under the cap. */
    boolean place(List<Demand> sets) {
      Comparator<Integer> byCost = Comparator.comparingDouble(p -> costs[p]);
      PriorityQueue<Integer> cheapest = new PriorityQueue<>(byCost.thenComparing(p -> p));
      IntStream.range(0, costs.length).forEach(cheapest::add);
      for (Demand set : sets) {
        TreeMap<Integer, Double> mine = new TreeMap<>();
        pieces.add(mine);
        double rest = set.tokens();
        while (set.presence() > 0 && (rest > 0 || mine.isEmpty())) {
          int p = cheapest.peek();
          double room = cap - costs[p] - set.presence();
          double piece = Math.min(rest, room);
          if (piece < rest && piece < set.leastPiece()) {
            return false;
          }
          cheapest.poll();
          mine.put(p, piece);
          costs[p] += set.presence() + piece;
          cheapest.add(p);
          rest -= piece;
        }
      }
      return true;
    }

    /** Moves what can be moved without a load from where much is to where little is. */
    void pour(List<Demand> sets) {
      for (int i = 0; i < sets.size(); i++) {
        if (sets.get(i).presence() == 0) {
          for (int p = 0; p < costs.length; p++) {
            pieces.get(i).put(p, 0.0);
          }
          pour(sets.get(i), pieces.get(i));
        }
      }
      for (int round = 0; round < POURS; round++) {
        for (int i = 0; i < sets.size(); i++) {
          if (pieces.get(i).size() > 1) {
            pour(sets.get(i), pieces.get(i));
          }
        }
      }
    }

    /** Fills the cheapest of a set's partitions up to one level, and leaves those above it. */
    private void pour(Demand set, TreeMap<Integer, Double> mine) {
      mine.forEach((p, tokens) -> costs[p] -= tokens);
      Comparator<Integer> byCost = Comparator.comparingDouble(p -> costs[p]);
      List<Integer> cheapest = mine.keySet().stream().sorted(byCost.thenComparing(p -> p)).toList();
      double sum = set.tokens();
      int filled = 0;
      while (filled < cheapest.size()
          && sum > filled * costs[cheapest.get(filled)]) { // the level would be above it
        sum += costs[cheapest.get(filled++)];
      }
      double level = filled == 0 ? 0 : sum / filled;
      for (int i = 0; i < cheapest.size(); i++) {
        int p = cheapest.get(i);
        if (i < filled) {
          mine.put(p, level - costs[p]);
          costs[p] = level;
        } else if (i > 0) {
          mine.remove(p); // a load less
          costs[p] -= set.presence();
        }
      }
    }

    AffinityPlan plan(List<Demand> sets) {
      List<Integer> byKey =
          IntStream.range(0, sets.size())
              .boxed()
              .sorted(Comparator.comparing(i -> sets.get(i).key()))
              .toList();
      HashMap<String, Places> places = new HashMap<>();
      int loads = 0;
      for (int i : byKey) {
        places.put(sets.get(i).key(), places(places.size(), pieces.get(i)));
        loads += sets.get(i).presence() == 0 ? 0 : pieces.get(i).size();
      }
      return new AffinityPlan(places, costs, loads);
    }

    private static Places places(int number, TreeMap<Integer, Double> mine) {
      int[] partitions = mine.keySet().stream().mapToInt(p -> p).toArray();
      if (partitions.length == 1) {
        return new Places(number, partitions, WHOLE);
      }
      double sum = mine.values().stream().mapToDouble(tokens -> tokens).sum();
      double[] ends = new double[partitions.length];
      double end = 0;
      for (int i = 0; i < ends.length; i++) {
        end += sum == 0 ? 1.0 / ends.length : mine.get(partitions[i]) / sum;
        ends[i] = end;
      }
      return new Places(number, partitions, ends);
    }
  }
}
