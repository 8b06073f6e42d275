package dev.medley.model;

import static dev.medley.Close.assertClose;
import static dev.medley.model.ModelFixture.assertReal;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LayerScratch;
import dev.medley.adapter.MergedWeights;
import dev.medley.adapter.MixedSet;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.adapter.RunWeights;
import dev.medley.adapter.SetNames;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Ordered sets on a whole BERT, as PEFT computes them unmerged. */
class MixedSetModelTest {
  private static final String FOLDER = "sets/bert";
  private static final double TOLERANCE = 1e-5;
  private static final int SETS_IN_A_BATCH = 25;

  private static NDManager owner;
  private static ModelFixture fixture;
  private static Expected expected;
  private static List<long[]> ids;
  private static List<long[]> typeIds;
  private static final Map<String, Adapter> ADAPTERS = new HashMap<>();

  @BeforeAll
  static void load() {
    owner = NDManager.newBaseManager();
    fixture = ModelFixture.load("bert-sequence", owner);
    expected = Fixtures.expected(FOLDER, owner);
    ids = ModelFixture.ids(expected);
    typeIds = ModelFixture.typeIds(expected);
  }

  @AfterAll
  static void close() {
    owner.close();
    ADAPTERS.clear();
  }

  static List<String> sets() {
    try (NDManager owner = NDManager.newBaseManager()) {
      return Fixtures.expected(FOLDER, owner).checkpoint().tensors().keySet().stream()
          .filter(name -> name.endsWith(" logits"))
          .map(name -> name.substring(0, name.length() - " logits".length()))
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("sets")
  void everyRowUnderOneSetIsAsInPeft(String expression) {
    try (NDManager scratch = owner.newSubManager()) {
      AdapterSet set = set(expression, scratch);
      NDArray hidden =
          fixture
              .model()
              .hidden(new TokenBatch(scratch, ids, typeIds), RowGroups.all(ids.size(), set));
      assertExpected(expression, hidden, set);
    }
  }

  /** On every module of the model that the set changes, tables of embeddings among them. */
  @ParameterizedTest
  @MethodSource("sets")
  void mergedIsDynamicOnEveryModule(String expression) {
    try (NDManager scratch = owner.newSubManager()) {
      MixedSet set = set(expression, scratch);
      assertThat(ModelFixture.assertMergedIsDynamic(set, fixture.model(), scratch)).isPositive();
    }
  }

  /** How the sets of a batch are applied. */
  enum Way {
    DYNAMIC,
    LAYER,
    RUN,
    /** Every third set another way. */
    MIXED
  }

  /** Rows of many sets and of the base, shuffled, in one batch. */
  @ParameterizedTest
  @EnumSource(Way.class)
  void rowsOfAllSetsShareBatches(Way way) {
    List<String> expressions = new ArrayList<>(sets());
    Collections.shuffle(expressions, new Random(7));
    for (int from = 0; from < expressions.size(); from += SETS_IN_A_BATCH) {
      try (NDManager scratch = owner.newSubManager();
          LayerScratch layer = new LayerScratch(scratch)) {
        int to = Math.min(from + SETS_IN_A_BATCH, expressions.size());
        List<AdapterSet> sets = new ArrayList<>(List.of(AdapterSet.BASE));
        expressions.subList(from, to).forEach(name -> sets.add(set(name, scratch)));
        List<long[]> allIds = new ArrayList<>();
        List<long[]> allTypes = new ArrayList<>();
        List<AdapterSet> rows = new ArrayList<>();
        for (AdapterSet set : sets) {
          allIds.addAll(ids);
          allTypes.addAll(typeIds);
          rows.addAll(Collections.nCopies(ids.size(), set));
        }
        RowGroups groups =
            RowGroups.of(rows).merging(set -> memory(way, sets.indexOf(set), layer, scratch));
        NDArray hidden = fixture.model().hidden(new TokenBatch(scratch, allIds, allTypes), groups);
        for (int i = 1; i < sets.size(); i++) {
          Slice slice = groups.slices().get(i);
          NDArray part = hidden.get(slice.start() + ":" + slice.end());
          assertExpected(expressions.get(from + i - 1), part, slice.set());
        }
      }
    }
  }

  private static MergedWeights memory(Way way, int place, LayerScratch layer, NDManager owner) {
    if (place == 0 || way == Way.DYNAMIC || way == Way.MIXED && place % 3 == 0) {
      return null;
    }
    return way == Way.LAYER || way == Way.MIXED && place % 3 == 1 ? layer : new RunWeights(owner);
  }

  /** Merged memory is used again: for the next batch as it is, for the next set anew. */
  @ParameterizedTest
  @MethodSource("sets")
  void everySetIsTheSameInUsedMemory(String expression) {
    try (NDManager scratch = owner.newSubManager();
        RunWeights run = new RunWeights(owner)) {
      AdapterSet other = set(sets().get(0), scratch);
      AdapterSet set = set(expression, scratch);
      for (AdapterSet next : List.of(other, set, set)) {
        run.begin(next);
        RowGroups rows = RowGroups.all(ids.size(), next).merging(any -> run);
        NDArray hidden = fixture.model().hidden(new TokenBatch(scratch, ids, typeIds), rows);
        if (next == set) {
          assertExpected(expression, hidden, set);
        }
      }
      assertThat(run.numbers()).isPositive();
      run.clear();
      assertThat(run.numbers()).isZero();
    }
  }

  @Test
  void thereAreEnoughSets() {
    SetNames.assertEnough(sets());
  }

  private static void assertExpected(String expression, NDArray hidden, AdapterSet set) {
    assertReal(hidden, expected.get(expression + " hidden"), ids, TOLERANCE);
    NDArray logits = fixture.model().logits(hidden, ids, set);
    assertClose(logits, expected.get(expression + " logits"), TOLERANCE);
  }

  private static MixedSet set(String expression, NDManager scratch) {
    List<Member> members =
        SetNames.members(
            expression,
            name ->
                ADAPTERS.computeIfAbsent(
                    name, n -> fixture.adapter(Fixtures.location(FOLDER + "/adapters/" + n), n)));
    return MixedSet.of(members, fixture.model().modules(), scratch);
  }
}
