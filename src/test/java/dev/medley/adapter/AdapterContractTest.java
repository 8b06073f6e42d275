package dev.medley.adapter;

import static dev.medley.Close.assertClose;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The law of {@link LinearAdapter}, both ways, for every fixture of every type of the enum. */
class AdapterContractTest {
  private static final double TOLERANCE = 1e-5;

  static Stream<Arguments> layers() {
    return Arrays.stream(AdapterType.values())
        .flatMap(type -> cases("adapters/" + type.name())) // no folder, no pass
        .flatMap(folder -> modules(folder).stream().map(module -> Arguments.of(folder, module)));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layers")
  void dynamicAndMergedGiveWhatPeftGives(String folder, String module) throws IOException {
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected fixture = Fixtures.expected(folder, owner);
      String prefix = modules(folder).size() == 1 ? "" : module + ".";
      NDArray weight = fixture.get(prefix + "weight");
      NDArray expected = fixture.get(prefix + "expected");
      Adapter adapter = load(folder, fixture, owner);
      if (fixture.has(prefix + "ids")) {
        NDArray ids = fixture.ids(prefix + "ids");
        EmbeddingAdapter table = adapter.embedding(module);
        assertClose(table.output(ids, Kernels.embedding(ids, weight)), expected, TOLERANCE);
        assertClose(Kernels.embedding(ids, table.merge(weight)), expected, TOLERANCE);
        return;
      }
      NDArray x = fixture.get(prefix + "x");
      NDArray own = adapter.parameter(module + ".bias");
      NDArray base = fixture.has(prefix + "bias") ? fixture.get(prefix + "bias") : null;
      LinearAdapter linear = adapter.linear(module);
      NDArray bias = own == null ? base : own;
      NDArray seen = linear.input(x);
      NDArray dynamic = linear.output(x, Kernels.linear(seen, weight, null));
      assertClose(bias == null ? dynamic : dynamic.add(bias), expected, TOLERANCE);
      assertClose(Kernels.linear(x, linear.merge(weight), bias), expected, TOLERANCE);
    }
  }

  private static Stream<String> cases(String folder) {
    return Fixtures.folders(folder).stream().map(name -> folder + "/" + name);
  }

  private static List<String> modules(String folder) {
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected fixture = Fixtures.expected(folder, owner);
      return fixture.has("expected") ? List.of("lin") : List.of("lin", "deep.lin");
    }
  }

  private static Adapter load(String folder, Expected fixture, NDManager owner) throws IOException {
    BaseModules base = new BaseModules("none", "");
    for (String module : modules(folder)) {
      String prefix = modules(folder).size() == 1 ? "" : module + ".";
      NDArray weight = fixture.get(prefix + "weight");
      NDArray bias = fixture.has(prefix + "bias") ? fixture.get(prefix + "bias") : null;
      long[] shape = weight.getShape().getShape();
      Kind kind = fixture.has(prefix + "ids") ? Kind.EMBEDDING : Kind.LINEAR;
      base.add(new Module(module, kind, Place.BASE, bias != null, shape, shape, weight, bias));
    }
    Location location = Fixtures.location(folder);
    String json = Files.readString(location.resolve("adapter_config.json").path());
    AdapterConfig config = AdapterConfig.parse(json, folder);
    try (Checkpoint checkpoint = Checkpoint.open(Storage.standard(), location, "adapter_model")) {
      return new AdapterLoader(base, Precision.FLOAT32)
          .load(folder, config, checkpoint, owner.newSubManager());
    }
  }
}
