package dev.medley.model;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.Combination;
import dev.medley.adapter.MixedSet;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.SetNames;
import dev.medley.adapter.WeightedAdapter;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole decoders under adapters and ordered sets, as PEFT computes them unmerged. */
class AdaptedDecoderTest {
  private static final double TOLERANCE = 1e-5;
  private static final int SETS_IN_A_BATCH = 25;

  private static final Combination CAT = Combination.of(Combination.Type.CAT);

  private static NDManager owner;
  private static final Map<String, DecoderFixture> FIXTURES = new HashMap<>();
  private static final Map<String, Expected> EXPECTED = new HashMap<>();
  private static final Map<String, Adapter> ADAPTERS = new HashMap<>();

  @BeforeAll
  static void open() {
    owner = NDManager.newBaseManager();
  }

  @AfterAll
  static void close() {
    owner.close();
    FIXTURES.clear();
    EXPECTED.clear();
    ADAPTERS.clear();
  }

  static Stream<Arguments> sets() {
    return DecoderFixture.adaptedBases()
        .flatMap(
            base -> DecoderFixture.adaptedSets(base).stream().map(set -> Arguments.of(base, set)));
  }

  @Test
  void everyAdapterIsOfTheTable() {
    DecoderFixture.adaptedBases()
        .forEach(
            base ->
                assertThat(DecoderFixture.adapted(base).adapters())
                    .containsExactlyInAnyOrderElementsOf(
                        Fixtures.folders("decoders/" + base + "/adapters")));
    assertThat(sets().count()).isEqualTo(399);
  }

  @Test
  void thereAreEnoughSetsOnLlama() {
    SetNames.assertEnough(DecoderFixture.adapted("llama").sets());
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("sets")
  void everyRowUnderOneSetIsAsInPeft(String base, String expression) {
    try (NDManager scratch = owner.newSubManager()) {
      AdapterSet set = set(base, expression, scratch);
      List<long[]> rows = rows(base);
      assertExpected(base, rows, Collections.nCopies(rows.size(), set), scratch, expression);
    }
  }

  /**
   * PeftMixedModel matches the patterns of all members but the first against names that begin with
   * base_model.model, so that {@code ^model} never matches. Here a member does in a set what it
   * does alone.
   */
  @Test
  void patternWithAnAnchorCountsInASetToo(@TempDir Path folder) {
    DecoderFixture llama = fixture("llama");
    Adapter patterns =
        llama.adapter(
            "patterns",
            folder,
            config -> {
              ObjectNode alphas = (ObjectNode) config.get("alpha_pattern");
              assertThat(alphas.remove("^model.layers.0.self_attn.q_proj")).isNotNull();
            });
    try (NDManager scratch = owner.newSubManager()) {
      List<Member> members =
          SetNames.members(
              DecoderFixture.ANCHORED,
              name -> name.equals("patterns") ? patterns : adapter("llama", name));
      AdapterSet set = MixedSet.of(members, llama.model().modules(), scratch);
      List<long[]> rows = rows("llama");
      List<AdapterSet> sets = Collections.nCopies(rows.size(), set);
      assertExpected("llama", rows, sets, scratch, DecoderFixture.ANCHORED);
    }
  }

  /** What is one tensor in the base, and in PEFT's memory, is stored twice. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          saved-embed-tied | lm_head.weight                  | ensure_weight_tying: expected equal copies of model.embed_tokens and lm_head
          lora-embed-tied  | lm_head.lora_A.weight           | ensure_weight_tying: expected the same change of model.embed_tokens and lm_head
          lora-head-tied   | lm_head.lora_B.weight           | ensure_weight_tying: expected the same change of model.embed_tokens and lm_head
          tokens           | lm_head.trainable_tokens_delta  | lm_head.trainable_tokens_delta: expected the numbers of embed_tokens.trainable_tokens_delta, as the base has one tensor for both
          lora-both        | lm_head.base_layer.weight       | the base's lm_head: expected the numbers of embed_tokens, as the base has one tensor for both
          """)
  void copiesThatDifferAreRefused(
      String adapter, String tensor, String problem, @TempDir Path folder) {
    assertThatThrownBy(() -> fixture("llama-bias").altered(adapter, folder, tensor))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith(problem);
  }

  @Test
  void rowsOfATableThatIsATargetAreRefused(@TempDir Path folder) {
    assertThatThrownBy(
            () ->
                fixture("llama-bias")
                    .adapter(
                        "lora-embed",
                        folder,
                        config -> config.putArray("trainable_token_indices").add(3)))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith(
            "model.embed_tokens: trainable_token_indices fits modules here that are neither targets nor"
                + " saved");
  }

  /** Where head and table are one tensor, PEFT writes a file's base weight of one into both. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          llama      | lora-embed | model.embed_tokens.base_layer.weight | embed_tokens.weight
          llama      | lora-head  | lm_head.base_layer.weight            | lm_head.weight
          llama-bias | lora-embed | model.embed_tokens.base_layer.weight | embed_tokens.weight lm_head.weight
          llama-bias | lora-head  | lm_head.base_layer.weight            | embed_tokens.weight lm_head.weight
          llama-bias | ln-head    | lm_head.base_layer.weight            | embed_tokens.weight
          llama-bias | ln-embed   | model.embed_tokens.base_layer.weight | lm_head.weight
          """)
  void baseWeightOfTheFileIsBroughtWhereItIsAnother(
      String base, String adapter, String tensor, String brought, @TempDir Path folder) {
    Adapter altered = fixture(base).altered(adapter, folder, tensor);
    Adapter plain = adapter(base, adapter);
    for (String parameter : List.of("embed_tokens.weight", "lm_head.weight")) {
      boolean isBrought = List.of(brought.split(" ")).contains(parameter);
      boolean isTrained = plain.parameter(parameter) != null;
      assertThat(isTrained).isEqualTo(adapter.equals("ln-" + ofEnd(parameter)));
      if (isTrained) {
        assertClose(altered.parameter(parameter), plain.parameter(parameter), 0);
      }
      assertThat(altered.parameter(parameter) != null).isEqualTo(isBrought || isTrained);
      assertThat(altered.report().shapes().containsKey(parameter))
          .isEqualTo(isBrought || isTrained);
    }
  }

  private static String ofEnd(String parameter) {
    return parameter.startsWith("lm_head") ? "head" : "embed";
  }

  /** DoRA's norm is of the base weight that its file brings: rows come out as long as m says. */
  @Test
  void normIsOfTheBaseWeightThatIsBrought(@TempDir Path folder) {
    Adapter dora = fixture("llama").altered("dora-head", folder, "lm_head.base_layer.weight");
    Expected file = Fixtures.expected("decoders/llama/adapters/dora-head", "adapter_model", owner);
    NDArray m = file.get("base_model.model.lm_head.lora_magnitude_vector");
    NDArray merged = dora.linear("lm_head").merge(dora.parameter("lm_head.weight"));
    assertClose(merged.norm(new int[] {1}), m.abs(), TOLERANCE);
  }

  /** Members share the base; each weight of it has one owner. */
  @Test
  void twoOtherBaseWeightsAreNoSet(@TempDir Path folder) {
    DecoderFixture llama = fixture("llama");
    Adapter other = llama.altered("lora-head", folder, "lm_head.base_layer.weight");
    List<Member> members = List.of(new Member(adapter("llama", "pissa-head"), 1), member(other));
    assertThatThrownBy(() -> MixedSet.of(members, llama.model().modules(), owner))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith(
            "lm_head.weight: both pissa-head and lora-head bring it; a set takes it from one"
                + " member");
  }

  private static Member member(Adapter adapter) {
    return new Member(adapter, 1);
  }

  /** Two halves of an adapter are the adapter, whatever its config left to the reader. */
  @ParameterizedTest
  @CsvSource({
    "llama-bias, lora-embed-tied",
    "llama-bias, lora-head-tied",
    "llama-bias, saved-head-tied",
    "llama-bias, lora-head",
    "llama, lora-both",
    "gpt2, patterns",
    "gpt2, saved-conv"
  })
  void combinedHalvesAreTheWhole(String base, String name, @TempDir Path folder)
      throws IOException {
    DecoderFixture fixture = fixture(base);
    try (NDManager scratch = owner.newSubManager()) {
      Adapter whole = adapter(base, name);
      List<Member> halves = Collections.nCopies(2, new Member(whole, 0.5));
      WeightedAdapter.of(halves, Map.of(), CAT, fixture.model().modules(), true, scratch)
          .write(folder);
      Adapter made = fixture.adapter(Location.of(folder.toString()), name);
      assertThat(made.report().saved()).isEqualTo(whole.report().saved());
      List<long[]> rows = rows(base);
      assertExpected(base, rows, Collections.nCopies(rows.size(), made), scratch, name);
    }
  }

  @Test
  void rowsInPlaceOfTheBasesAreNotCombined() {
    DecoderFixture llama = fixture("llama");
    List<Member> one = List.of(member(adapter("llama", "lora-tokens")));
    assertThatThrownBy(
            () -> WeightedAdapter.of(one, Map.of(), CAT, llama.model().modules(), true, owner))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "add_weighted_adapter: lora-tokens: trainable_token_indices: rows in place of the"
                + " base's have no factors");
  }

  @Test
  void rowsInPlaceOfTheBasesAreNotScaled() {
    DecoderFixture llama = fixture("llama");
    List<Member> half = List.of(new Member(adapter("llama", "lora-tokens"), 0.5));
    assertThatThrownBy(() -> MixedSet.of(half, llama.model().modules(), owner))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(
            "0.5*lora-tokens: what LORA does under this config cannot be scaled apart from the"
                + " base's output");
  }

  /** The head's part of a tied table is felt by a task without the head as well. */
  @Test
  void tableLosesWhatPissaTookFromTheHeadWhereTheHeadIsNotRun(@TempDir Path folder) {
    DecoderFixture bare = DecoderFixture.load("llama-bias", Head.NONE, owner);
    Adapter alone = bare.adapter("pissa-head");
    NDArray table = adapter("llama-bias", "pissa-head").parameter("embed_tokens.weight");
    assertClose(alone.parameter("embed_tokens.weight"), table, 0);
    assertThat(alone.parameter("lm_head.weight")).isNull();
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("sets")
  void mergedIsDynamicOnEveryModule(String base, String expression) {
    try (NDManager scratch = owner.newSubManager()) {
      TextModel model = fixture(base).model();
      MixedSet set = set(base, expression, scratch);
      int changed = ModelFixture.assertMergedIsDynamic(set, model, scratch);
      assertThat(changed > 0).isEqualTo(!expression.startsWith("ln"));
    }
  }

  /** Rows of all sets and of the base, shuffled, in one batch: nobody feels the others. */
  @ParameterizedTest
  @MethodSource("dev.medley.model.DecoderFixture#adaptedBases")
  void rowsOfAllSetsShareBatches(String base) {
    List<String> expressions = new ArrayList<>(DecoderFixture.adaptedSets(base));
    Collections.shuffle(expressions, new Random(7));
    for (int from = 0; from < expressions.size(); from += SETS_IN_A_BATCH) {
      try (NDManager scratch = owner.newSubManager()) {
        int to = Math.min(from + SETS_IN_A_BATCH, expressions.size());
        List<long[]> ids = new ArrayList<>(rows(base));
        List<AdapterSet> sets = new ArrayList<>(Collections.nCopies(ids.size(), AdapterSet.BASE));
        for (String expression : expressions.subList(from, to)) {
          AdapterSet set = set(base, expression, scratch);
          ids.addAll(rows(base));
          sets.addAll(Collections.nCopies(rows(base).size(), set));
        }
        String[] shared = expressions.subList(from, to).toArray(String[]::new);
        assertExpected(base, ids, sets, scratch, shared);
      }
    }
  }

  private static DecoderFixture fixture(String base) {
    return FIXTURES.computeIfAbsent(base, name -> DecoderFixture.load(name, owner));
  }

  private static List<long[]> rows(String base) {
    return fixture(base).adaptedRows();
  }

  /** {@code expressions} are those of the last rows; those before are the base's. */
  private static void assertExpected(
      String base,
      List<long[]> ids,
      List<AdapterSet> sets,
      NDManager scratch,
      String... expressions) {
    DecoderFixture fixture = fixture(base);
    Expected expected =
        EXPECTED.computeIfAbsent(
            base, name -> Fixtures.expected("decoders/" + name, "adapted", owner));
    List<NDArray> outputs = fixture.outputs(fixture.model(), ids, RowGroups.of(sets), scratch);
    int each = fixture.key("", 0).isEmpty() ? 1 : rows(base).size();
    int first = outputs.size() - each * expressions.length;
    for (int i = first; i < outputs.size(); i++) {
      String key = fixture.key(expressions[(i - first) / each], (i - first) % each);
      assertClose(outputs.get(i), expected.get(key), TOLERANCE);
    }
  }

  private static MixedSet set(String base, String expression, NDManager scratch) {
    return fixture(base).set(expression, name -> adapter(base, name), scratch);
  }

  private static Adapter adapter(String base, String name) {
    return ADAPTERS.computeIfAbsent(base + "/" + name, key -> fixture(base).adapter(name));
  }
}
