package dev.medley;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.AdapterType;
import dev.medley.io.Checkpoint;
import dev.medley.io.Storage;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** One sound adapter of the fixtures, and what becomes of it by one change each. */
public final class AdapterMutants {
  private static final String ROOT = "base_model.model.";
  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final String CONFIG = "adapter_config.json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String folder;
  private final ObjectNode config;
  private final Map<String, Stored> tensors = new LinkedHashMap<>();
  private final List<Mutant> mutants = new ArrayList<>();

  /** Bytes of one tensor. */
  private record Stored(StoredType type, long[] shape, byte[] bytes) {
    int count() {
      return bytes.length / type.bytes();
    }
  }

  /**
   * A changed adapter.
   *
   * @param of the sound adapter's folder
   * @param kind of change
   * @param what was changed: a tensor's or a config's key
   * @param files contents by name
   */
  public record Mutant(String of, String kind, String what, Map<String, byte[]> files) {
    /** Names it, once and for all. */
    public String id() {
      return of + " | " + kind + " | " + what;
    }

    /** Of its contents, so that nobody takes one mutant for another. */
    public String digest() {
      try {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (String name : List.of(CONFIG, WEIGHTS)) {
          digest.update(files.getOrDefault(name, new byte[0]));
        }
        return HexFormat.of().formatHex(digest.digest()).substring(0, 16);
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException(e);
      }
    }

    /** Writes the adapter as PEFT would. */
    public Path writeTo(Path folder) {
      try {
        Files.createDirectories(folder);
        for (var file : files.entrySet()) {
          Files.write(folder.resolve(file.getKey()), file.getValue());
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return folder;
    }
  }

  /** Reads the sound one. */
  public AdapterMutants(String folder) {
    this.folder = folder;
    try (Checkpoint file =
        Checkpoint.open(Storage.standard(), Fixtures.location(folder), "adapter_model")) {
      config = (ObjectNode) JSON.readTree(Fixtures.path(folder + "/" + CONFIG).toFile());
      for (TensorInfo tensor : file.tensors().values()) {
        byte[] bytes = new byte[(int) tensor.bytes()];
        file.slice(tensor, 0, bytes.length).get(bytes);
        tensors.put(tensor.name(), new Stored(tensor.type(), tensor.shape(), bytes));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    mutants.add(raw("nothing changed", WEIGHTS, bytes(tensors)));
  }

  /** Keys of the file. */
  public Set<String> keys() {
    return tensors.keySet();
  }

  /** Broken files. */
  public AdapterMutants withFiles() {
    byte[] weights = bytes(tensors);
    byte[] document = bytes(config);
    mutants.add(raw("empty file", WEIGHTS, new byte[0]));
    mutants.add(raw("empty file", CONFIG, new byte[0]));
    mutants.add(raw("file missing", WEIGHTS, null));
    mutants.add(raw("no object", CONFIG, "[]".getBytes(StandardCharsets.UTF_8)));
    mutants.add(raw("truncated", CONFIG, Arrays.copyOf(document, document.length / 2)));
    for (int length :
        new int[] {4, 9, weights.length / 2, weights.length - 4, weights.length - 1}) {
      String what = WEIGHTS + " to " + length;
      mutants.add(new Mutant(folder, "truncated", what, files(document, copy(weights, length))));
    }
    mutants.add(raw("longer", WEIGHTS, Arrays.copyOf(weights, weights.length + 4)));
    mutants.add(raw("no tensors", WEIGHTS, bytes(Map.of())));
    return this;
  }

  /** Changes of each tensor's name. */
  public AdapterMutants withNames() {
    for (String key : tensors.keySet()) {
      String below = key.substring(key.startsWith(ROOT) ? ROOT.length() : "base_model.".length());
      rename("key missing", key, null);
      rename("key misspelt", key, key.substring(0, key.length() - 1) + "_");
      rename("key of another module", key, ROOT + "other." + below);
      rename("key without base_model.model.", key, below);
      rename("key with another root", key, "base_model." + below);
      rename("key with an adapter's name", key, named(key));
      rename("key in another case", key, key.toUpperCase(java.util.Locale.ROOT));
      copy("key twice, with the base's prefix", key, ROOT + "none." + below);
      copy("key extra", key, key + "_2");
      copy("key extra, of a module that is not there", key, ROOT + "other." + below);
      copy("key extra, with an adapter's name", key, named(key));
    }
    return this;
  }

  /** Each tensor's name with the base model's prefix where it has none, and without it. */
  public AdapterMutants withPrefix(String prefix) {
    for (String key : tensors.keySet()) {
      String below = key.substring(ROOT.length());
      rename(
          "key of another model",
          key,
          ROOT + (below.startsWith(prefix) ? below.substring(prefix.length()) : prefix + below));
    }
    return this;
  }

  /** Changes of each tensor's shape. */
  public AdapterMutants withShapes() {
    tensors.forEach(this::shapes);
    return this;
  }

  /** Changes of each tensor's shape, type and values. */
  public AdapterMutants withTensors() {
    withShapes();
    tensors.forEach(this::values);
    return this;
  }

  private void shapes(String key, Stored t) {
    long[] shape = t.shape();
    if (shape.length == 2) {
      reshape("transposed", key, transposed(t));
    }
    reshape("one axis", key, new Stored(t.type(), new long[] {t.count()}, t.bytes()));
    long[] more = new long[shape.length + 1];
    more[0] = 1;
    System.arraycopy(shape, 0, more, 1, shape.length);
    reshape("one axis more", key, new Stored(t.type(), more, t.bytes()));
    for (int axis = 0; axis < shape.length; axis++) {
      reshape("longer along " + axis, key, resized(t, axis, shape[axis] + 1));
      if (shape[axis] > 0) {
        reshape("shorter along " + axis, key, resized(t, axis, shape[axis] - 1));
        reshape("of size 0 along " + axis, key, resized(t, axis, 0));
      }
    }
  }

  private void values(String key, Stored t) {
    if (t.count() == 0 || t.type() != StoredType.F32) {
      return;
    }
    replace("NaN", key, with(t, t.count() - 1, Float.NaN));
    replace("infinity", key, with(t, 0, Float.POSITIVE_INFINITY));
    replace("minus infinity", key, with(t, t.count() / 2, Float.NEGATIVE_INFINITY));
    replace("another value", key, with(t, t.count() / 2, 2.5f));
    replace("all zero", key, new Stored(t.type(), t.shape(), new byte[t.bytes().length]));
    for (StoredType type : List.of(StoredType.I32, StoredType.U8, StoredType.F64)) {
      replace("stored as " + type, key, cast(t, type));
    }
  }

  /** Changes of each of the config's values, and keys that are not known. */
  public AdapterMutants withConfig() {
    config
        .fieldNames()
        .forEachRemaining(
            key -> {
              change("absent", key, c -> c.remove(key));
              JsonNode value = config.get(key);
              if (!value.isNull()) {
                change("null", key, c -> c.putNull(key));
              }
              others(value).forEach(other -> change(other, key, c -> c.set(key, tree(other))));
            });
    for (AdapterType type : AdapterType.values()) {
      set("peft_type", quoted(type.name()));
      set("peft_type", quoted(type.name().toLowerCase(java.util.Locale.ROOT)));
    }
    set("peft_type", "\"SPARKLE\"", "\"BOFT\"", "\"PROMPT_TUNING\"", "\"LN_TUNING\"");
    set("use_sparkle", "true", "3", "\"x\"", "[1]");
    set("bias", "\"none\"", "\"all\"", "\"lora_only\"", "\"oft_only\"", "\"some\"");
    set("task_type", "\"SEQ_CLS\"", "\"TOKEN_CLS\"", "\"CAUSAL_LM\"", "\"SPARKLE\"");
    set("target_modules", "[\"lin\", \"x\"]", "[\"deep.lin\"]", "[\"in\"]", "[\"x\"]", "\"lin\"");
    set("target_modules", "\".*lin\"", "\".*\"", "\"all-linear\"", "\"(\"", "[]", "\"\"");
    for (String key : List.of("exclude_modules", "modules_to_save")) {
      set(key, "[\"lin\"]", "[\"deep\"]", "[\"deep.lin\"]", "[\"x\"]", "\"lin\"", "\".*lin\"");
    }
    set("layers_to_transform", "[0]", "0", "[7]", "[0.5]");
    set("layers_pattern", "\"layers\"", "[\"deep\"]");
    for (String key : List.of("rank_pattern", "alpha_pattern")) {
      for (String number : List.of("3", "0", "-1", "2.5", "\"3\"", "[true, false, true]")) {
        set(key, "{\"lin\": " + number + "}", "{\"deep.lin\": " + number + "}");
      }
      set(key, "{\"x\": 3}", "{\"(\": 3}", "{\"lin.lora_E\": [true, false, true, false, true]}");
    }
    for (String init : List.of("gaussian", "pissa", "olora", "loftq", "eva", "corda", "lora_ga")) {
      set("init_lora_weights", quoted(init));
    }
    return this;
  }

  /** Values of one key of the config, as JSON. */
  public AdapterMutants with(String key, String... values) {
    set(key, values);
    return this;
  }

  /** All of them. */
  public List<Mutant> all() {
    return List.copyOf(mutants);
  }

  private static List<String> others(JsonNode value) {
    List<String> others =
        new ArrayList<>(List.of("true", "1", "\"x\"", "[\"lin\"]", "{\"lin\": 1}"));
    if (value.isNumber()) {
      double n = value.doubleValue();
      others.addAll(List.of("0", "-1", "0.5", "\"8\"", Long.toString((long) n + 1)));
      others.add(Double.toString(n + 0.5));
    }
    if (value.isBoolean()) {
      others.addAll(List.of(Boolean.toString(!value.booleanValue()), "0", "\"true\""));
    }
    if (value.isTextual()) {
      others.add(quoted(value.textValue().toUpperCase(java.util.Locale.ROOT)));
    }
    others.remove(value.toString());
    return others.stream().distinct().toList();
  }

  private void set(String key, String... values) {
    for (String value : values) {
      change(value, key, c -> c.set(key, tree(value)));
    }
  }

  private void change(String to, String key, Consumer<ObjectNode> change) {
    ObjectNode changed = config.deepCopy();
    change.accept(changed);
    String id = key + " = " + to;
    if (!changed.equals(config) && mutants.stream().noneMatch(m -> m.what().equals(id))) {
      mutants.add(new Mutant(folder, "config", id, files(bytes(changed), bytes(tensors))));
    }
  }

  private void rename(String kind, String key, String name) {
    if (key.equals(name)) {
      return; // of the adapter as a whole, and so under this root anyway
    }
    String what = name == null ? key : name;
    tensors(kind, what, map -> rebuilt(map, key, name, map.get(key)));
  }

  private void copy(String kind, String key, String name) {
    tensors(
        kind,
        name,
        map -> {
          Map<String, Stored> copy = new LinkedHashMap<>(map);
          copy.put(name, map.get(key));
          return copy;
        });
  }

  private void reshape(String kind, String key, Stored other) {
    if (!Arrays.equals(other.shape(), tensors.get(key).shape()) || kind.equals("transposed")) {
      replace(kind, key, other);
    }
  }

  private void replace(String kind, String key, Stored other) {
    tensors(kind, key, map -> rebuilt(map, key, key, other));
  }

  private static Map<String, Stored> rebuilt(
      Map<String, Stored> map, String key, String name, Stored tensor) {
    Map<String, Stored> rebuilt = new LinkedHashMap<>();
    map.forEach(
        (k, v) -> {
          if (!k.equals(key)) {
            rebuilt.put(k, v);
          } else if (name != null) {
            rebuilt.put(name, tensor);
          }
        });
    return rebuilt;
  }

  private void tensors(String kind, String key, UnaryOperator<Map<String, Stored>> change) {
    Map<String, Stored> changed = change.apply(tensors);
    mutants.add(new Mutant(folder, kind, key, files(bytes(config), bytes(changed))));
  }

  private Mutant raw(String kind, String name, byte[] content) {
    Map<String, byte[]> files = files(bytes(config), bytes(tensors));
    if (content == null) {
      files.remove(name);
    } else {
      files.put(name, content);
    }
    return new Mutant(folder, kind, name, files);
  }

  private static Map<String, byte[]> files(byte[] document, byte[] weights) {
    return new LinkedHashMap<>(Map.of(CONFIG, document, WEIGHTS, weights));
  }

  /** The adapter's name where PEFT has it in memory. */
  private static String named(String key) {
    int dot = key.lastIndexOf('.');
    boolean isParameter = key.endsWith(".weight") || key.endsWith(".bias");
    return isParameter ? key.substring(0, dot) + ".default" + key.substring(dot) : key + ".default";
  }

  private static Stored transposed(Stored t) {
    int rows = (int) t.shape()[0];
    int columns = (int) t.shape()[1];
    int width = t.type().bytes();
    byte[] bytes = new byte[t.bytes().length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        System.arraycopy(
            t.bytes(), (i * columns + j) * width, bytes, (j * rows + i) * width, width);
      }
    }
    return new Stored(t.type(), new long[] {columns, rows}, bytes);
  }

  /** Cut, or its last slice repeated. */
  private static Stored resized(Stored t, int axis, long size) {
    long[] shape = t.shape().clone();
    int old = (int) shape[axis];
    shape[axis] = size;
    int outer = 1;
    int inner = t.type().bytes();
    for (int i = 0; i < shape.length; i++) {
      outer *= i < axis ? (int) shape[i] : 1;
      inner *= i > axis ? (int) shape[i] : 1;
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = 0; i < outer; i++) {
      for (int j = 0; j < size; j++) {
        if (old == 0) {
          bytes.writeBytes(new byte[inner]);
        } else {
          bytes.write(t.bytes(), (i * old + Math.min(j, old - 1)) * inner, inner);
        }
      }
    }
    return new Stored(t.type(), shape, bytes.toByteArray());
  }

  private static Stored with(Stored t, int at, float value) {
    byte[] bytes = t.bytes().clone();
    little(bytes).putFloat(4 * at, value);
    return new Stored(t.type(), t.shape(), bytes);
  }

  /** Three times the numbers, so that few of them are 0 as integers. */
  private static Stored cast(Stored t, StoredType type) {
    ByteBuffer from = little(t.bytes());
    byte[] bytes = new byte[t.count() * type.bytes()];
    ByteBuffer to = little(bytes);
    for (int i = 0; i < t.count(); i++) {
      float value = 3 * from.getFloat();
      switch (type) {
        case I32 -> to.putInt((int) value);
        case F64 -> to.putDouble(value);
        default -> to.put((byte) Math.abs((int) value));
      }
    }
    return new Stored(type, t.shape(), bytes);
  }

  private static byte[] copy(byte[] bytes, int length) {
    return Arrays.copyOf(bytes, length);
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String quoted(String text) {
    return JsonNodeFactory.instance.textNode(text).toString();
  }

  private static JsonNode tree(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] bytes(JsonNode node) {
    return node.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] bytes(Map<String, Stored> tensors) {
    ObjectNode header = JSON.createObjectNode();
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    Set<String> ordered = new LinkedHashSet<>();
    tensors.entrySet().stream()
        .sorted(Comparator.comparingInt(e -> -e.getValue().type().bytes())) // so all are aligned
        .forEach(e -> ordered.add(e.getKey()));
    for (String key : ordered) {
      Stored tensor = tensors.get(key);
      ObjectNode entry = header.putObject(key).put("dtype", tensor.type().name());
      entry.set("shape", JSON.valueToTree(tensor.shape()));
      int begin = data.size();
      data.writeBytes(tensor.bytes());
      entry.putArray("data_offsets").add(begin).add(data.size());
    }
    byte[] json = bytes(header);
    return ByteBuffer.allocate(8 + json.length + data.size())
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .put(data.toByteArray())
        .array();
  }
}
