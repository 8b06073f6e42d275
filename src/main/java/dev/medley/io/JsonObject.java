package dev.medley.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * A config document whose every key has a fate: read, ignored by name, or refused by name. Getters
 * note what is wrong and go on with a neutral value; {@link #done()} reports all of it at once,
 * with every key that nobody knew. JSON null counts as absent, unless {@link #refuseNulls} was
 * called.
 *
 * <p>Not for concurrent use.
 */
public final class JsonObject {
  /** The longest document, in bytes: as with safetensors headers. Tokenizers have up to 40 MB. */
  public static final int LARGEST = SafetensorsHeader.LARGEST;

  private final String where;
  private final String prefix;
  private final ObjectNode node;
  private final List<String> problems;
  private final Set<String> known = new LinkedHashSet<>();
  private final List<Predicate<String>> ignored = new ArrayList<>();
  private final Map<String, JsonObject> children = new LinkedHashMap<>();
  private boolean refusesNulls;

  private JsonObject(String where, String prefix, ObjectNode node, List<String> problems) {
    this.where = where;
    this.prefix = prefix;
    this.node = node;
    this.problems = problems;
  }

  /** Throws LoadException when the file is missing, too long, not UTF-8, or not a JSON object. */
  public static JsonObject read(Path file) {
    return read(file, file.toString());
  }

  /**
   * {@code where} stands for the file in messages: a cached copy of a remote file shows its URI.
   */
  public static JsonObject read(Path file, String where) {
    return parse(TextFile.read(file, where, LARGEST), where);
  }

  /** The document at a location, which is what messages show. */
  public static JsonObject read(Storage storage, Location file) {
    return read(storage.fetch(file), file.toString());
  }

  /** Throws LoadException when the text is not one JSON object. */
  public static JsonObject parse(String text, String where) {
    JsonNode node;
    try {
      node = StrictJson.parse(text);
    } catch (JsonProcessingException e) {
      throw new LoadException(where, "expected JSON, found " + StrictJson.problem(e), e);
    } catch (IOException e) {
      throw new IllegalStateException("reading a string cannot fail", e);
    }
    if (!(node instanceof ObjectNode)) {
      throw new LoadException(where, "expected a JSON object, found " + found(node));
    }
    return new JsonObject(where, "", (ObjectNode) node, new ArrayList<>());
  }

  public String where() {
    return where;
  }

  /** Present and not null. Asking is not reading: the key still needs its fate. */
  public boolean has(String key) {
    return node.hasNonNull(key);
  }

  /** Whether the document has the key with null for a value. */
  public boolean isNull(String key) {
    return node.has(key) && node.get(key).isNull();
  }

  /**
   * From here on null is a value of the wrong type where a string, a number, true or false, or an
   * object of such is read: for documents whose writer takes a default for an absent key alone.
   */
  public void refuseNulls() {
    refusesNulls = true;
  }

  /** Text; when missing a problem, and "". */
  public String string(String key) {
    return required(key, "a string", JsonNode::isTextual, JsonNode::textValue, "");
  }

  public String string(String key, String orElse) {
    return optional(key, "a string", JsonNode::isTextual, JsonNode::textValue, orElse);
  }

  /** A whole number; when missing a problem, and 0. */
  public long integer(String key) {
    return required(key, "an integer", JsonObject::isLong, JsonNode::longValue, 0L);
  }

  public long integer(String key, long orElse) {
    return optional(key, "an integer", JsonObject::isLong, JsonNode::longValue, orElse);
  }

  /** A whole number above 0; when missing a problem, and 1. */
  public long positiveInteger(String key) {
    return required(key, "a positive integer", JsonObject::isPositiveLong, JsonNode::longValue, 1L);
  }

  public long positiveInteger(String key, long orElse) {
    return optional(
        key, "a positive integer", JsonObject::isPositiveLong, JsonNode::longValue, orElse);
  }

  /** A finite number; when missing a problem, and 0. */
  public double number(String key) {
    return required(key, "a number", JsonObject::isFinite, JsonNode::doubleValue, 0.0);
  }

  public double number(String key, double orElse) {
    return optional(key, "a number", JsonObject::isFinite, JsonNode::doubleValue, orElse);
  }

  /** A finite number above 0; when missing a problem, and 1. */
  public double positiveNumber(String key) {
    return required(key, "a positive number", JsonObject::isPositive, JsonNode::doubleValue, 1.0);
  }

  public double positiveNumber(String key, double orElse) {
    return optional(
        key, "a positive number", JsonObject::isPositive, JsonNode::doubleValue, orElse);
  }

  public boolean bool(String key, boolean orElse) {
    return optional(key, "true or false", JsonNode::isBoolean, JsonNode::booleanValue, orElse);
  }

  /** A list of strings; empty when absent. */
  public List<String> strings(String key) {
    JsonNode list = node(key);
    if (list == null) {
      return List.of();
    }
    if (!list.isArray()) {
      wrong(key, "a list of strings", list);
      return List.of();
    }
    List<String> strings = new ArrayList<>();
    for (int i = 0; i < list.size(); i++) {
      if (list.get(i).isTextual()) {
        strings.add(list.get(i).textValue());
      } else {
        wrong(key + "[" + i + "]", "a string", list.get(i));
      }
    }
    return Collections.unmodifiableList(strings);
  }

  /** Finite numbers by name, in document order; empty when absent. */
  public Map<String, Double> numbers(String key) {
    return values(key, "a number", JsonObject::isFinite, JsonNode::doubleValue);
  }

  /** Strings by name, in document order; empty when absent. */
  public Map<String, String> stringMap(String key) {
    return values(key, "a string", JsonNode::isTextual, JsonNode::textValue);
  }

  /**
   * The object under this key, null when absent. Its problems and its unknown keys are reported by
   * the outermost {@link #done()}.
   */
  public JsonObject object(String key) {
    JsonNode value = node(key);
    if (value == null) {
      return null;
    }
    if (!value.isObject()) {
      wrong(key, "an object", value);
      return null;
    }
    return children.computeIfAbsent(
        key, k -> new JsonObject(where, prefix + k + ".", (ObjectNode) value, problems));
  }

  /** The value as it stands, for one that has several types; null when absent. Counts as read. */
  public JsonNode node(String key) {
    known.add(key);
    return has(key) ? node.get(key) : null;
  }

  /** Keys that are known and have no effect on what is computed here. */
  public void ignore(String... keys) {
    known.addAll(List.of(keys));
  }

  public void ignoreMatching(Predicate<String> keys) {
    ignored.add(keys);
  }

  /** Keys that would change the result in a way we lack; null, false, "", [] and {} are not set. */
  public void refuseIfSet(String reason, String... keys) {
    for (String key : keys) {
      known.add(key);
      if (isSet(node.get(key))) {
        problem(prefix + key + ": " + found(node.get(key)) + " is not supported: " + reason);
      }
    }
  }

  /** Adds a problem that the caller found, to be reported with the others. */
  public void problem(String message) {
    problems.add(message);
  }

  /**
   * Throws one LoadException with every wrong, missing, refused or unknown key of this document. On
   * an inner object it does nothing: the outermost reports.
   */
  public void done() {
    if (!prefix.isEmpty()) {
      return;
    }
    addUnknown();
    if (!problems.isEmpty()) {
      throw new LoadException(where, problems);
    }
  }

  private void addUnknown() {
    node.properties()
        .forEach(
            field -> {
              String key = field.getKey();
              if (isSet(field.getValue())
                  && !known.contains(key)
                  && ignored.stream().noneMatch(p -> p.test(key))) {
                problem(unknown(key, field.getValue()));
              }
            });
    children.values().forEach(JsonObject::addUnknown);
  }

  private String unknown(String key, JsonNode value) {
    Optional<String> nearest = Nearest.name(key, known);
    return Shown.plain(prefix + key)
        + ": unknown key with the value "
        + found(value)
        + nearest.map(name -> "; the nearest known key is " + prefix + name).orElse("")
        + "; correct or remove it in "
        + where;
  }

  private <T> T required(
      String key, String expected, Predicate<JsonNode> fits, Function<JsonNode, T> read, T orElse) {
    if (!has(key)) {
      known.add(key);
      String found = node.has(key) ? "null" : "nothing";
      problem(prefix + key + ": expected " + expected + ", found " + found);
      return orElse;
    }
    return optional(key, expected, fits, read, orElse);
  }

  private <T> T optional(
      String key, String expected, Predicate<JsonNode> fits, Function<JsonNode, T> read, T orElse) {
    JsonNode value = node(key);
    if (value == null) {
      checkAbsent(key, expected);
      return orElse;
    }
    if (!fits.test(value)) {
      wrong(key, expected, value);
      return orElse;
    }
    return read.apply(value);
  }

  private <T> Map<String, T> values(
      String key, String expected, Predicate<JsonNode> fits, Function<JsonNode, T> read) {
    JsonNode object = node(key);
    if (object == null) {
      checkAbsent(key, "an object");
      return Map.of();
    }
    if (!object.isObject()) {
      wrong(key, "an object", object);
      return Map.of();
    }
    Map<String, T> values = new LinkedHashMap<>();
    object
        .properties()
        .forEach(
            field -> {
              if (fits.test(field.getValue())) {
                values.put(field.getKey(), read.apply(field.getValue()));
              } else {
                wrong(key + "." + field.getKey(), expected, field.getValue());
              }
            });
    return Collections.unmodifiableMap(values);
  }

  private void checkAbsent(String key, String expected) {
    if (refusesNulls && node.has(key)) {
      wrong(key, expected, node.get(key));
    }
  }

  private void wrong(String key, String expected, JsonNode value) {
    problem(Shown.plain(prefix + key) + ": expected " + expected + ", found " + found(value));
  }

  private static String found(JsonNode value) {
    if (value.isMissingNode()) {
      return "nothing";
    }
    return Shown.plain(value.isNumber() ? value.asText() : value); // "NaN" has quotes as a node
  }

  private static boolean isSet(JsonNode value) {
    return value != null
        && !value.isNull()
        && !(value.isBoolean() && !value.booleanValue())
        && !(value.isTextual() && value.textValue().isEmpty())
        && !(value.isContainerNode() && value.isEmpty());
  }

  private static boolean isLong(JsonNode value) {
    return value.isIntegralNumber() && value.canConvertToLong();
  }

  private static boolean isPositiveLong(JsonNode value) {
    return isLong(value) && value.longValue() > 0;
  }

  private static boolean isFinite(JsonNode value) {
    return value.isNumber() && Double.isFinite(value.doubleValue());
  }

  private static boolean isPositive(JsonNode value) {
    return isFinite(value) && value.doubleValue() > 0;
  }
}
