package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.spark.AffinityPlan.Demand;
import dev.medley.spark.AffinityPlan.Places;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AffinityPlanTest {
  private static final long PRESENCE = 130;

  private static Demand set(int i, long rows, long tokens) {
    return new Demand("set" + i, rows, tokens, PRESENCE);
  }

  /** Rows by Zipf's law, of 50 tokens each. */
  private static List<Demand> zipf(int sets, double exponent, long rows) {
    double all = IntStream.rangeClosed(1, sets).mapToDouble(i -> Math.pow(i, -exponent)).sum();
    return IntStream.range(0, sets)
        .mapToObj(
            i -> {
              long mine = Math.max(1, Math.round(rows * Math.pow(i + 1, -exponent) / all));
              return set(i, mine, 50 * mine);
            })
        .toList();
  }

  /** What the plan says of itself, by what it says of each set; the loads. */
  private static int checked(List<Demand> sets, int partitions, AffinityPlan plan) {
    double[] costs = new double[partitions];
    int loads = 0;
    for (Demand set : sets) {
      Places places = plan.places(set.key());
      double all = 0;
      for (int i = 0; i < places.size(); i++) {
        assertThat(places.share(i)).isBetween(0.0, 1 + 1e-9);
        costs[places.partition(i)] += places.share(i) * set.tokens() + set.presence();
        all += places.share(i);
      }
      assertThat(all).isCloseTo(1, offset(1e-9));
      assertThat(IntStream.range(0, places.size()).map(places::partition).toArray())
          .doesNotHaveDuplicates();
      loads += set.presence() > 0 ? places.size() : 0;
    }
    for (int p = 0; p < partitions; p++) {
      assertThat(plan.cost(p)).isCloseTo(costs[p], offset(1e-6 * (1 + costs[p])));
    }
    double mean = Arrays.stream(costs).average().orElse(0);
    double largest = Arrays.stream(costs).max().orElse(0);
    assertThat(plan.imbalance()).isCloseTo(mean == 0 ? 1 : largest / mean, offset(1e-6));
    assertThat(plan.loads()).isEqualTo(loads);
    assertThat(plan.sets()).isEqualTo(sets.size());
    assertThat(plan.partitions()).isEqualTo(partitions);
    return loads;
  }

  @ParameterizedTest
  @CsvSource({"1.0", "1.1", "1.2", "1.3"})
  void zipfOf512SetsIsEvenAndLoadsHardlyMoreThanTheSets(double exponent) {
    List<Demand> sets = zipf(512, exponent, 100_000);
    AffinityPlan plan = AffinityPlan.of(sets, 16);
    int loads = checked(sets, 16, plan);
    assertThat(loads).isLessThanOrEqualTo((int) (1.2 * 512));
    assertThat(plan.imbalance()).isLessThanOrEqualTo(1.15);
    assertThat(loads).isLessThanOrEqualTo(512 + 15); // what it promises
    assertThat(plan.imbalance()).isLessThanOrEqualTo(AffinityPlan.CAP + 1e-9);
    assertThat(plan.places("set0").size()).isGreaterThan(1); // hot
    assertThat(plan.places("set511").size()).isEqualTo(1);
  }

  @Test
  void bounds() {
    Random random = new Random(1);
    for (int i = 0; i < 3000; i++) {
      int partitions = 1 + random.nextInt(40);
      int kinds = random.nextInt(200);
      double spread = random.nextInt(6);
      long presence = random.nextInt(4) == 0 ? random.nextInt(100_000) + 1 : PRESENCE;
      List<Demand> sets = new ArrayList<>();
      for (int k = 0; k < kinds; k++) {
        long rows = (long) Math.pow(10, spread * random.nextDouble()) - random.nextInt(2);
        boolean base = k == 0 && random.nextBoolean();
        long tokens = rows * (1 + random.nextInt(500));
        sets.add(new Demand("set" + k, rows, tokens, base ? 0 : presence));
      }
      AffinityPlan plan = AffinityPlan.of(sets, partitions);
      String what = partitions + " partitions, " + presence + " a set, " + sets;
      int loads = checked(sets, partitions, plan);
      long needing = sets.stream().filter(set -> set.presence() > 0).count();
      assertThat(loads).as(what).isBetween((int) needing, (int) needing + partitions - 1);
      double mean =
          sets.stream().mapToDouble(set -> set.tokens() + set.presence()).sum() / partitions;
      double row =
          sets.stream()
              .filter(set -> set.rows() > 0)
              .mapToDouble(set -> (double) set.tokens() / set.rows())
              .max()
              .orElse(0);
      double step = needing == 0 ? row : presence + row;
      double largest = IntStream.range(0, partitions).mapToDouble(plan::cost).max().orElse(0);
      assertThat(largest).as(what).isLessThanOrEqualTo(AffinityPlan.CAP * mean + 3 * step + 1e-6);
    }
  }

  /** Where a row and a load are little beside a partition, the cap is kept to the letter. */
  @Test
  void capIsKeptWhereLoadsAreSmall() {
    Random random = new Random(2);
    for (int i = 0; i < 1000; i++) {
      int partitions = 1 + random.nextInt(64);
      List<Demand> sets = zipf(1 + random.nextInt(600), 0.8 + random.nextDouble(), 1_000_000);
      AffinityPlan plan = AffinityPlan.of(sets, partitions);
      checked(sets, partitions, plan);
      assertThat(plan.imbalance()).isLessThanOrEqualTo(AffinityPlan.CAP + 1e-9);
    }
  }

  @Test
  void oneGiantSetIsSharedEvenly() {
    List<Demand> sets = new ArrayList<>(List.of(set(0, 1_000_000, 50_000_000)));
    for (int i = 1; i < 10; i++) {
      sets.add(set(i, 10, 500));
    }
    AffinityPlan plan = AffinityPlan.of(sets, 16);
    assertThat(checked(sets, 16, plan)).isLessThanOrEqualTo(10 + 15);
    assertThat(plan.imbalance()).isLessThanOrEqualTo(AffinityPlan.CAP + 1e-9);
    assertThat(plan.places("set0").size()).isBetween(15, 16);
  }

  @Test
  void fewerSetsThanPartitionsAreSplit() {
    List<Demand> sets = List.of(set(0, 1000, 50_000), set(1, 1000, 50_000), set(2, 1000, 50_000));
    AffinityPlan plan = AffinityPlan.of(sets, 16);
    assertThat(checked(sets, 16, plan)).isLessThanOrEqualTo(3 + 15);
    assertThat(plan.imbalance()).isLessThan(1.15);
  }

  @Test
  void setsNotWorthASecondLoadStayWhole() {
    List<Demand> sets = List.of(set(0, 2, 100), set(1, 2, 100), set(2, 2, 100));
    AffinityPlan plan = AffinityPlan.of(sets, 16);
    assertThat(checked(sets, 16, plan)).isEqualTo(3);
    Demand oneRow = new Demand("one", 1, 100_000, 1);
    assertThat(AffinityPlan.of(List.of(oneRow), 16).loads()).isEqualTo(1);
  }

  @Test
  void equalSetsAreDealtOut() {
    List<Demand> even = IntStream.range(0, 64).mapToObj(i -> set(i, 100, 5000)).toList();
    AffinityPlan four = AffinityPlan.of(even, 16);
    assertThat(checked(even, 16, four)).isEqualTo(64);
    assertThat(four.imbalance()).isCloseTo(1, offset(1e-9));

    List<Demand> odd = IntStream.range(0, 17).mapToObj(i -> set(i, 100_000, 5_000_000)).toList();
    AffinityPlan plan = AffinityPlan.of(odd, 16);
    assertThat(checked(odd, 16, plan)).isLessThanOrEqualTo(17 + 15);
    assertThat(plan.imbalance()).isLessThanOrEqualTo(AffinityPlan.CAP + 1e-9);
  }

  /** Rows of the base cost no load wherever they are: they fill what is left. */
  @Test
  void theBaseFillsUp() {
    List<Demand> sets = new ArrayList<>(zipf(40, 1.1, 10_000));
    sets.add(new Demand("base", 20_000, 1_000_000, 0));
    AffinityPlan plan = AffinityPlan.of(sets, 16);
    assertThat(checked(sets, 16, plan)).isLessThanOrEqualTo(40 + 15);
    assertThat(plan.imbalance()).isCloseTo(1, offset(1e-3));
  }

  @Test
  void nothingAndZeroRowsAndOnePartition() {
    AffinityPlan nothing = AffinityPlan.of(List.of(), 3);
    assertThat(checked(List.of(), 3, nothing)).isZero();
    assertThat(nothing.places("set0")).isNull();
    assertThat(nothing.imbalance()).isEqualTo(1);

    List<Demand> zero = List.of(set(0, 0, 0), new Demand("base", 5, 0, 0));
    AffinityPlan plan = AffinityPlan.of(zero, 3);
    assertThat(checked(zero, 3, plan)).isEqualTo(1);

    List<Demand> sets = zipf(50, 1.1, 1000);
    AffinityPlan one = AffinityPlan.of(sets, 1);
    assertThat(checked(sets, 1, one)).isEqualTo(50);
    assertThat(one.imbalance()).isEqualTo(1);
  }

  @Test
  void theSameWhateverTheOrder() {
    List<Demand> sets = new ArrayList<>(zipf(300, 1.1, 50_000));
    sets.add(new Demand("base", 500, 2000, 0));
    AffinityPlan plan = AffinityPlan.of(sets, 16);
    Random random = new Random(3);
    for (int i = 0; i < 10; i++) {
      Collections.shuffle(sets, random);
      AffinityPlan other = AffinityPlan.of(sets, 16);
      for (Demand set : sets) {
        assertThat(other.places(set.key()))
            .usingRecursiveComparison()
            .isEqualTo(plan.places(set.key()));
      }
    }
  }

  @Test
  void rowsFindTheirPiece() {
    List<Demand> sets = zipf(100, 1.1, 100_000);
    AffinityPlan plan = AffinityPlan.of(sets, 8);
    Places hot = plan.places("set0");
    assertThat(hot.size()).isGreaterThan(1);
    int[] rows = new int[8];
    for (int i = 0; i < 10_000; i++) {
      rows[hot.partition(i / 10_000.0)]++;
    }
    for (int i = 0; i < hot.size(); i++) {
      assertThat(rows[hot.partition(i)] / 10_000.0).isCloseTo(hot.share(i), offset(1e-3));
    }
    assertThat(Arrays.stream(rows).sum()).isEqualTo(10_000);
    assertThat(hot.partition(0.999999999)).isEqualTo(hot.partition(hot.size() - 1));
  }

  @Test
  void setsThatShareMembersAreNeighbours() {
    List<Demand> sets =
        List.of(
            new Demand("b", 9, 900, 1), new Demand("a+b", 1, 1, 1), new Demand("a", 500, 5000, 1));
    AffinityPlan plan = AffinityPlan.of(sets, 2);
    assertThat(List.of("a", "a+b", "b"))
        .extracting(key -> plan.places(key).number())
        .containsExactly(0, 1, 2);
  }

  @Test
  void manySetsAndManyPartitions() {
    List<Demand> sets = zipf(100_000, 1.1, 1_000_000_000);
    AffinityPlan plan = AffinityPlan.of(sets, 10_000);
    assertThat(plan.loads()).isLessThan(110_000);
    assertThat(plan.imbalance()).isLessThanOrEqualTo(AffinityPlan.CAP + 1e-9);
  }
}
