package dev.medley.adapter;

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
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** One or two layers of a fixture, with what they are given and what PEFT made of it. */
record LayerFixture(String folder, List<String> modules, Expected expected, BaseModules base) {

  /** All of them: no folder for a type, no pass. */
  static Stream<String> folders(AdapterType type) {
    String folder = "adapters/" + type.name();
    return Fixtures.folders(folder).stream().map(name -> folder + "/" + name);
  }

  /** Arrays belong to {@code owner}. */
  static LayerFixture of(String folder, NDManager owner) {
    Expected expected = Fixtures.expected(folder, owner);
    List<String> modules = expected.has("expected") ? List.of("lin") : List.of("lin", "deep.lin");
    LayerFixture fixture = new LayerFixture(folder, modules, expected, new BaseModules("none", ""));
    for (String module : modules) {
      NDArray weight = fixture.get(module, "weight");
      NDArray bias = fixture.get(module, "bias");
      long[] shape = weight.getShape().getShape();
      Kind kind = fixture.isTable() ? Kind.EMBEDDING : shape.length == 1 ? Kind.NORM : Kind.LINEAR;
      fixture.base.add(
          new Module(module, kind, Place.BASE, bias != null, shape, shape, weight, bias));
    }
    return fixture;
  }

  /** An array of a layer, null where it has none of that name. */
  NDArray get(String module, String name) {
    String full = modules.size() == 1 ? name : module + "." + name;
    return expected.has(full) ? expected.get(full) : null;
  }

  boolean isTable() {
    return expected.has("ids");
  }

  /** Loads as an engine does. */
  Adapter load(Location location, NDManager owner) {
    AdapterConfig config = config(location);
    try (Checkpoint checkpoint = Checkpoint.open(Storage.standard(), location, "adapter_model")) {
      return new AdapterLoader(base, Precision.FLOAT32)
          .load(folder, config, checkpoint, owner.newSubManager());
    }
  }

  /** Checks as a driver does, by the headers alone. */
  AdapterReport check(Location location) {
    return new AdapterLoader(base, null)
        .check(config(location), Checkpoint.headers(Storage.standard(), location, "adapter_model"));
  }

  private static AdapterConfig config(Location location) {
    Location file = location.resolve("adapter_config.json");
    try {
      return AdapterConfig.parse(Files.readString(file.path()), file.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What a layer gives under an adapter: the dynamic way and the merged way. */
  List<NDArray> outputs(String module, AdapterSet set) {
    NDArray own = set.parameter(module + ".weight");
    NDArray weight = own == null ? get(module, "weight") : own;
    if (isTable()) {
      NDArray ids = expected.ids("ids");
      EmbeddingAdapter table = set.embedding(module);
      NDArray plain = Kernels.embedding(ids, weight);
      return table == null
          ? List.of(plain)
          : List.of(table.output(ids, plain), Kernels.embedding(ids, table.merge(weight)));
    }
    NDArray x = get(module, "x");
    NDArray ownBias = set.parameter(module + ".bias");
    NDArray bias = ownBias == null ? get(module, "bias") : ownBias;
    LinearAdapter linear = set.linear(module);
    List<NDArray> outputs = new ArrayList<>();
    if (weight.getShape().dimension() == 1) {
      outputs.add(Kernels.layerNorm(x, weight, bias, 1e-5));
    } else if (linear == null) {
      outputs.add(Kernels.linear(x, weight, bias));
    } else {
      NDArray dynamic = linear.output(x, Kernels.linear(linear.input(x), weight, null));
      outputs.add(bias == null ? dynamic : dynamic.add(bias));
      outputs.add(Kernels.linear(x, linear.merge(weight), bias));
    }
    return outputs;
  }
}
