package dev.medley.model;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterLoader;
import dev.medley.adapter.AdapterReport;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.EmbeddingAdapter;
import dev.medley.adapter.LinearAdapter;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** One tiny model of the fixtures with the inputs that its expected values were computed from. */
record ModelFixture(
    String name, TextModel model, Precision precision, Expected expected, NDManager owner) {

  static ModelFixture load(String name, NDManager owner) {
    return load(name, head(name), Precision.FLOAT32, owner);
  }

  static ModelFixture load(String name, Head head, NDManager owner) {
    return load(name, head, Precision.FLOAT32, owner);
  }

  static ModelFixture load(String name, Precision precision, NDManager owner) {
    return load(name, head(name), precision, owner);
  }

  private static ModelFixture load(String name, Head head, Precision precision, NDManager owner) {
    String folder = "models/" + name;
    TextModel model =
        TextModel.load(Storage.standard(), Fixtures.location(folder), head, owner, precision);
    return new ModelFixture(name, model, precision, Fixtures.expected(folder, owner), owner);
  }

  static Head head(String name) {
    return name.endsWith("-token")
        ? Head.TOKEN
        : name.matches(".*-(sequence|multilabel|regression)|camembert") ? Head.SEQUENCE : Head.NONE;
  }

  /** Rows without their padding. */
  List<long[]> ids() {
    return unpadded(expected, expected.rows("input_ids"));
  }

  List<long[]> typeIds() {
    return typeIds(expected);
  }

  static List<long[]> ids(Expected expected) {
    return unpadded(expected, expected.rows("input_ids"));
  }

  static List<long[]> typeIds(Expected expected) {
    long[][] ids = expected.rows("input_ids");
    return unpadded(
        expected,
        expected.has("token_type_ids")
            ? expected.rows("token_type_ids")
            : new long[ids.length][ids[0].length]);
  }

  TokenBatch tokens() {
    return new TokenBatch(owner, ids(), typeIds());
  }

  Adapter adapter(String folder) {
    return adapter(Fixtures.location("models/" + name + "/" + folder), folder);
  }

  /** One of any folder. */
  Adapter adapter(Path folder) {
    return adapter(Location.of(folder.toString()), folder.toString());
  }

  /** One that does not lie with this model's own. */
  Adapter adapter(Location location, String adapter) {
    return adapter(model, precision, location, adapter, owner);
  }

  /** One on any model. */
  static Adapter adapter(
      TextModel model, Precision precision, Location location, String adapter, NDManager owner) {
    try (Checkpoint checkpoint = Checkpoint.open(Storage.standard(), location, "adapter_model")) {
      String json = Files.readString(location.resolve("adapter_config.json").path());
      AdapterConfig config = AdapterConfig.parse(json, adapter + "/adapter_config.json");
      return new AdapterLoader(model.modules(), precision)
          .load(adapter, config, checkpoint, owner.newSubManager());
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** What names and shapes alone tell of an adapter. */
  AdapterReport report(String folder) {
    return report(model, precision, Fixtures.location("models/" + name + "/" + folder), folder);
  }

  static AdapterReport report(
      TextModel model, Precision precision, Location location, String folder) {
    try {
      String json = Files.readString(location.resolve("adapter_config.json").path());
      AdapterConfig config = AdapterConfig.parse(json, folder + "/adapter_config.json");
      return new AdapterLoader(model.modules(), precision)
          .check(config, Checkpoint.headers(Storage.standard(), location, "adapter_model"));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /**
   * The law of adapters on every module that a set changes, tables of embeddings among them.
   *
   * @return how many those are
   */
  static int assertMergedIsDynamic(AdapterSet set, TextModel model, NDManager scratch) {
    int changed = 0;
    for (Module module : model.modules().all()) {
      LinearAdapter linear = set.linear(module.path());
      EmbeddingAdapter table = set.embedding(module.path());
      NDArray own = set.parameter(module.parameter("weight"));
      NDArray weight = own == null ? module.weight() : own;
      if (linear != null) {
        NDArray x = scratch.randomNormal(new Shape(4, weight.getShape().get(1)));
        NDArray y = linear.output(x, Kernels.linear(linear.input(x), weight, null));
        NDArray merged = linear.merge(weight);
        merged.attach(scratch);
        assertClose(Kernels.linear(x, merged, null), y, 1e-5);
        changed++;
      }
      if (table != null) {
        NDArray some = scratch.create(new long[] {3, 0, 7, 3});
        NDArray merged = table.merge(weight);
        merged.attach(scratch);
        NDArray y = table.output(some, Kernels.embedding(some, weight));
        assertClose(Kernels.embedding(some, merged), y, 1e-5);
        changed++;
      }
    }
    return changed;
  }

  /** Compares what stands for real tokens; padding holds nothing that anybody reads. */
  static void assertReal(NDArray actual, NDArray expected, List<long[]> rows, double tolerance) {
    assertThat(actual.getShape()).isEqualTo(expected.getShape());
    for (int row = 0; row < rows.size(); row++) {
      String real = row + ", :" + rows.get(row).length;
      assertClose(actual.get(real), expected.get(real), tolerance);
    }
  }

  private static List<long[]> unpadded(Expected expected, long[][] values) {
    long[][] mask = expected.rows("attention_mask");
    List<long[]> rows = new ArrayList<>();
    for (int row = 0; row < values.length; row++) {
      rows.add(Arrays.copyOf(values[row], (int) Arrays.stream(mask[row]).sum()));
    }
    return rows;
  }
}
