package dev.medley.adapter;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ordered sets on one layer: dynamic and merged, as PEFT computes them unmerged. */
class MixedSetTest {
  private static final String FOLDER = "sets/layer";
  private static final double TOLERANCE = 1e-5;

  private static NDManager owner;
  private static Expected fixture;
  private static BaseModules base;
  private static final Map<String, Adapter> ADAPTERS = new HashMap<>();

  @BeforeAll
  static void load() {
    owner = NDManager.newBaseManager();
    fixture = Fixtures.expected(FOLDER, owner);
    NDArray weight = fixture.get("weight");
    long[] shape = weight.getShape().getShape();
    base = new BaseModules("none", "");
    base.add(
        new Module(
            "lin", Kind.LINEAR, Place.BASE, true, shape, shape, weight, fixture.get("bias")));
  }

  @AfterAll
  static void close() {
    owner.close();
    ADAPTERS.clear();
  }

  static Stream<String> sets() {
    try (NDManager owner = NDManager.newBaseManager()) {
      return Fixtures.expected(FOLDER, owner).checkpoint().tensors().keySet().stream()
          .filter(name -> !List.of("x", "weight", "bias").contains(name))
          .toList()
          .stream();
    }
  }

  @ParameterizedTest
  @MethodSource("sets")
  void dynamicAndMergedGiveWhatPeftGives(String expression) {
    NDArray expected = fixture.get(expression);
    try (NDManager scratch = owner.newSubManager()) {
      MixedSet set = MixedSet.of(members(expression), base, scratch);
      NDArray x = fixture.get("x").duplicate();
      x.attach(scratch);
      NDArray own = set.parameter("lin.bias");
      NDArray bias = own == null ? fixture.get("bias") : own;
      LinearAdapter stack = set.linear("lin");
      NDArray weight = fixture.get("weight");

      NDArray y = stack.output(x, Kernels.linear(stack.input(x), weight, null));
      assertClose(y.add(bias), expected, TOLERANCE);
      assertClose(Kernels.linear(x, stack.merge(weight), bias), expected, TOLERANCE);
    }
  }

  /** Otherwise a test of order could not fail. */
  @ParameterizedTest
  @ValueSource(strings = {"lora+oft oft+lora", "loha+oft oft+loha", "oft+shira shira+oft"})
  void orderMattersInTheFixtures(String pair) {
    NDArray one = fixture.get(pair.split(" ")[0]);
    NDArray other = fixture.get(pair.split(" ")[1]);
    assertThat(one.sub(other).abs().max().getFloat()).isGreaterThan(0.1f);
  }

  @Test
  void thereAreEnoughSets() {
    SetNames.assertEnough(sets().toList());
  }

  /** It costs a decomposition of the weight; a set in which it comes first takes it as it is. */
  @ParameterizedTest
  @ValueSource(strings = {"pissa", "olora", "kasa"})
  void whatIsTakenFromTheBaseIsComputedOnce(String name) {
    LinearAdapter change = members(name).get(0).adapter().parts().linears().get("lin");
    NDArray weight = base.all().iterator().next().weight();
    LinearAdapter taken = change.correction(weight, owner);
    assertThat(change.correction(weight, owner)).isSameAs(taken);
    assertThat(change.correction(weight.duplicate(), owner)).isNotSameAs(taken);
  }

  /** Of the columns that the second would begin with, the first has left rounding. */
  @Test
  void oloraWhoseDirectionsAnotherHasTakenIsRefused(@TempDir Path folder) throws IOException {
    Path own = Fixtures.path(FOLDER + "/adapters/olora");
    String json = Files.readString(own.resolve("adapter_config.json"));
    Files.writeString(
        folder.resolve("adapter_config.json"),
        json.replace("\"lora_alpha\": 4", "\"lora_alpha\": 3")); // as large as r
    Files.copy(
        own.resolve("adapter_model.safetensors"), folder.resolve("adapter_model.safetensors"));
    Adapter whole = adapter(Location.of(folder.toString()), "whole", base, owner);
    Adapter more = members("olora").get(0).adapter();
    List<Member> refused = List.of(new Member(whole, 1), new Member(more, 1));
    assertThatThrownBy(() -> MixedSet.of(refused, base, owner))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith("whole+olora: lin: OLoRA would take its part along");
    List<Member> other = List.of(new Member(more, 1), new Member(whole, 1));
    assertThat(MixedSet.of(other, base, owner)).hasToString("olora+whole");
  }

  @ParameterizedTest
  @ValueSource(strings = {"oft", "dora", "pissa", "olora", "kasa"})
  void whatCannotBeScaledIsRefused(String name) {
    List<Member> members = members("lora+0.5*" + name);
    assertThatThrownBy(() -> MixedSet.of(members, base, owner))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(
            "0.5*"
                + name
                + ": what "
                + members.get(1).adapter().config().type()
                + " does under this config cannot be scaled apart from the base's output; use the"
                + " adapter whole");
  }

  /**
   * The pairs of PEFT's own tests/test_mixed.py, and those with OFT and SHiRA that it lacks: both
   * on the first layer of an MLP, both on the last, one on each. Once dynamic, once merged.
   */
  @Test
  void pairsOnTwoLayersAreAsInPeft() {
    try (NDManager own = NDManager.newBaseManager()) {
      Expected mlp = Fixtures.expected("sets/mlp", own);
      BaseModules layers = new BaseModules("none", "");
      for (String path : List.of("lin0", "lin1")) {
        NDArray weight = mlp.get(path + ".weight");
        long[] shape = weight.getShape().getShape();
        NDArray bias = mlp.get(path + ".bias");
        layers.add(new Module(path, Kind.LINEAR, Place.BASE, true, shape, shape, weight, bias));
      }
      Map<String, Adapter> loaded = new HashMap<>();
      List<String> pairs =
          mlp.checkpoint().tensors().keySet().stream().filter(name -> name.contains("+")).toList();
      assertThat(pairs).hasSize(4 * 36);
      for (String pair : pairs) {
        List<Member> members =
            SetNames.members(
                pair,
                name -> loaded.computeIfAbsent(name, n -> adapter("sets/mlp", n, layers, own)));
        try (NDManager scratch = own.newSubManager()) {
          MixedSet set = MixedSet.of(members, layers, scratch);
          NDArray x = mlp.get("x");
          NDArray dynamic = layer(set, layers, "lin1", layer(set, layers, "lin0", x, false), false);
          assertClose(dynamic, mlp.get(pair), TOLERANCE);
          NDArray merged = layer(set, layers, "lin1", layer(set, layers, "lin0", x, true), true);
          assertClose(merged, mlp.get(pair), TOLERANCE);
        }
      }
    }
  }

  /** Types that PEFT does not mix: its own layers of IA3 and RoAd, nested in the same way. */
  @Test
  void typesThatPeftDoesNotMixNestLikeThose() {
    try (NDManager own = NDManager.newBaseManager()) {
      Expected others = Fixtures.expected("sets/others", own);
      BaseModules layers = new BaseModules("none", "");
      NDArray weight = others.get("lin.weight");
      long[] shape = weight.getShape().getShape();
      NDArray bias = others.get("lin.bias");
      layers.add(new Module("lin", Kind.LINEAR, Place.BASE, true, shape, shape, weight, bias));
      Map<String, Adapter> loaded = new HashMap<>();
      List<String> sets =
          others.checkpoint().tensors().keySet().stream()
              .filter(name -> !List.of("x", "lin.weight", "lin.bias").contains(name))
              .toList();
      assertThat(sets).hasSize(22);
      for (String expression : sets) {
        List<Member> members =
            SetNames.members(
                expression,
                name -> loaded.computeIfAbsent(name, n -> adapter("sets/others", n, layers, own)));
        try (NDManager scratch = own.newSubManager()) {
          MixedSet set = MixedSet.of(members, layers, scratch);
          for (boolean merged : new boolean[] {false, true}) {
            NDArray x = others.get("x").duplicate(); // which a member may write into
            x.attach(scratch);
            assertClose(layer(set, layers, "lin", x, merged), others.get(expression), TOLERANCE);
          }
        }
      }
    }
  }

  /** The first layer ends in a ReLU. */
  private static NDArray layer(
      MixedSet set, BaseModules layers, String path, NDArray x, boolean merged) {
    Module module =
        layers.all().stream().filter(m -> m.path().equals(path)).findFirst().orElseThrow();
    NDArray own = set.parameter(module.parameter("bias"));
    NDArray bias = own == null ? module.bias() : own;
    LinearAdapter stack = set.linear(path);
    NDArray y;
    if (stack == null) {
      y = Kernels.linear(x, module.weight(), bias);
    } else if (merged) {
      y = Kernels.linear(x, stack.merge(module.weight()), bias);
    } else {
      y = stack.output(x, Kernels.linear(stack.input(x), module.weight(), null)).add(bias);
    }
    return path.equals("lin0") ? Kernels.relu(y) : y;
  }

  private static List<Member> members(String expression) {
    return SetNames.members(
        expression,
        name -> ADAPTERS.computeIfAbsent(name, each -> adapter(FOLDER, each, base, owner)));
  }

  private static Adapter adapter(String folder, String name, BaseModules base, NDManager owner) {
    return adapter(Fixtures.location(folder + "/adapters/" + name), name, base, owner);
  }

  private static Adapter adapter(
      Location location, String name, BaseModules base, NDManager owner) {
    try (Checkpoint checkpoint = Checkpoint.open(Storage.standard(), location, "adapter_model")) {
      String json = Files.readString(location.resolve("adapter_config.json").path());
      return new AdapterLoader(base, Precision.FLOAT32)
          .load(name, AdapterConfig.parse(json, name), checkpoint, owner.newSubManager());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
