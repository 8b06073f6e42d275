package dev.medley.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.Adapter;
import dev.medley.adapter.MixedSet;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.adapter.SetNames;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.layer.CausalBatch;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/** One tiny decoder of the fixtures, with what transformers made of some rows. */
public record DecoderFixture(
    String name, TextModel model, Expected expected, List<Row> rows, NDManager owner) {

  /**
   * {@code greedy} is what comes after {@code ids}. Where a row outgrows longrope's first length,
   * what transformers gives without a cache: 5.18 loses all but the last token there with one.
   */
  public record Row(long[] ids, long[] greedy) {}

  static DecoderFixture load(String name, NDManager owner) {
    return load(name, name.endsWith("-seq") ? Head.SEQUENCE : Head.CAUSAL_LM, owner);
  }

  static DecoderFixture load(String name, Head head, NDManager owner) {
    String folder = "decoders/" + name;
    return of(
        name,
        TextModel.load(
            Storage.standard(), Fixtures.location(folder), head, owner, Precision.FLOAT32),
        owner);
  }

  /** With a model that is loaded already. */
  public static DecoderFixture of(String name, TextModel model, NDManager owner) {
    String folder = "decoders/" + name;
    return new DecoderFixture(name, model, Fixtures.expected(folder, owner), rows(folder), owner);
  }

  private static List<Row> rows(String folder) {
    try {
      JsonNode list =
          new ObjectMapper().readTree(Files.readString(Fixtures.path(folder + "/rows.json")));
      List<Row> rows = new ArrayList<>();
      String greedy = folder.endsWith("longrope") ? "uncached" : "greedy";
      list.forEach(row -> rows.add(new Row(longs(row.get("ids")), longs(row.get(greedy)))));
      return rows;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * What PEFT made of a decoder.
   *
   * @param rows ids, none for a sequence head, whose rows are those of the base
   * @param sets of adapters, joined by +, each scaled or not
   */
  public record Adapted(List<long[]> rows, List<String> adapters, List<String> sets) {}

  public static Adapted adapted(String name) {
    try {
      JsonNode json =
          new ObjectMapper().readTree(Fixtures.path("decoders/" + name + "/adapted.json").toFile());
      List<long[]> rows = new ArrayList<>();
      json.get("rows").forEach(row -> rows.add(longs(row)));
      return new Adapted(rows, texts(json.get("adapters")), texts(json.get("sets")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A set in which PEFT ignores a member's pattern; AdaptedDecoderTest says more. */
  static final String ANCHORED = "lokr+oft-cayley+patterns+oft";

  /** Decoders that have adapters. */
  public static Stream<String> adaptedBases() {
    return Fixtures.folders("decoders").stream()
        .filter(name -> Fixtures.folders("decoders/" + name).contains("adapters"));
  }

  /** Adapters and sets of adapters, as {@code PEFT} computes them. */
  public static List<String> adaptedSets(String base) {
    Adapted adapted = adapted(base);
    return Stream.concat(adapted.adapters().stream(), adapted.sets().stream())
        .filter(set -> !set.equals(ANCHORED))
        .toList();
  }

  private boolean isSequence() {
    return name.endsWith("-seq");
  }

  /** Ids that the expected values of adapters are for. */
  public List<long[]> adaptedRows() {
    return isSequence() ? rows.stream().map(Row::ids).toList() : adapted(name).rows();
  }

  /** The name of what is expected of a set's row, or, from a sequence head, of all its rows. */
  public String key(String set, int row) {
    return isSequence() ? set : set + "." + row;
  }

  /** A set, each member scaled or not, such as {@code 0.7*lora+oft}. */
  public MixedSet set(String expression, Function<String, Adapter> adapters, NDManager scratch) {
    return MixedSet.of(SetNames.members(expression, adapters), model.modules(), scratch);
  }

  /**
   * What a model makes of each row's tokens [t, v], or, from a sequence head, of each set's rows
   * [m, labels].
   */
  public List<NDArray> outputs(
      TextModel model, List<long[]> ids, RowGroups groups, NDManager scratch) {
    List<NDArray> outputs = new ArrayList<>();
    if (isSequence()) {
      NDArray hidden = model.hidden(new TokenBatch(scratch, ids, ids), groups);
      for (Slice slice : groups.slices()) {
        NDArray part = hidden.get(slice.start() + ":" + slice.end());
        List<long[]> own = ids.subList(slice.start(), slice.end());
        outputs.add(model.logits(part, own, slice.set()));
      }
      return outputs;
    }
    CausalBatch batch = CausalBatch.of(scratch, ids);
    RowGroups tokens = groups.ofTokens(batch.lengths());
    NDArray logits = model.nextTokens(model.hidden(batch, tokens), tokens);
    int at = 0;
    for (int length : batch.lengths()) {
      outputs.add(logits.get(at + ":" + (at + length)));
      at += length;
    }
    return outputs;
  }

  /** One of this model's own. */
  public Adapter adapter(String adapter) {
    return adapter(Fixtures.location("decoders/" + name + "/adapters/" + adapter), adapter);
  }

  /** One of any place. */
  Adapter adapter(Location location, String adapter) {
    return ModelFixture.adapter(model, Precision.FLOAT32, location, adapter, owner);
  }

  /** One of this model's own with another config, in a folder of its own. */
  Adapter adapter(String adapter, Path changed, Consumer<ObjectNode> config) {
    Path own = Fixtures.path("decoders/" + name + "/adapters/" + adapter);
    try {
      ObjectNode json =
          (ObjectNode) new ObjectMapper().readTree(own.resolve("adapter_config.json").toFile());
      config.accept(json);
      Files.writeString(changed.resolve("adapter_config.json"), json.toString());
      Files.copy(
          own.resolve("adapter_model.safetensors"), changed.resolve("adapter_model.safetensors"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return adapter(Location.of(changed.toString()), adapter);
  }

  /** One of this model's own with the first number of some tensors one higher. */
  Adapter altered(String adapter, Path folder, String... tensors) {
    Path file = folder.resolve("adapter_model.safetensors");
    try {
      Path own = Fixtures.path("decoders/" + name + "/adapters/" + adapter);
      Files.copy(own.resolve("adapter_config.json"), folder.resolve("adapter_config.json"));
      ByteBuffer bytes =
          ByteBuffer.wrap(Files.readAllBytes(own.resolve("adapter_model.safetensors")))
              .order(ByteOrder.LITTLE_ENDIAN);
      var headers =
          Checkpoint.headers(Storage.standard(), Location.of(own.toString()), "adapter_model");
      for (String tensor : tensors) {
        int at = (int) headers.get("base_model.model." + tensor).begin();
        bytes.putFloat(at, bytes.getFloat(at) + 1);
      }
      Files.write(file, bytes.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return adapter(Location.of(folder.toString()), adapter);
  }

  private static List<String> texts(JsonNode list) {
    List<String> texts = new ArrayList<>();
    list.forEach(text -> texts.add(text.textValue()));
    return texts;
  }

  static long[] longs(JsonNode list) {
    long[] longs = new long[list == null ? 0 : list.size()];
    for (int i = 0; i < longs.length; i++) {
      longs[i] = list.get(i).longValue();
    }
    return longs;
  }
}
