package dev.medley.job;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import com.typesafe.config.ConfigValueType;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Nearest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * An object of a HOCON file whose every key is read or an error. Getters note what is wrong, with
 * its file and line, and go on with a neutral value; {@link #done} reports all of it at once. Null
 * counts as absent, and a string such as {@code "64"} as the number in it, since substitutions by
 * environment variables and words of a command line are strings.
 */
final class HoconObject {
  private static final int LONGEST_VALUE = 120;

  private final String path;
  private final ConfigObject object;
  private final List<Problem> problems;
  private final Set<String> known = new LinkedHashSet<>();
  private final List<HoconObject> children = new ArrayList<>();

  private record Problem(String file, int line, String text) {}

  private HoconObject(String path, ConfigObject object, List<Problem> problems) {
    this.path = path;
    this.object = object;
    this.problems = problems;
  }

  static HoconObject root(ConfigObject object) {
    return new HoconObject("", object, new ArrayList<>());
  }

  /** An empty object whose problems nobody hears of: stands for a section that is not there. */
  static HoconObject unheard() {
    return root(ConfigFactory.empty().root());
  }

  /** Present and not null. Asking is not reading. */
  boolean has(String key) {
    ConfigValue value = object.get(key);
    return value != null && value.valueType() != ConfigValueType.NULL;
  }

  /** Whether somebody wrote {@code key = null}. */
  boolean isNull(String key) {
    ConfigValue value = object.get(key);
    return value != null && value.valueType() == ConfigValueType.NULL;
  }

  /** All keys, sorted: HOCON objects have no order. */
  Set<String> keys() {
    return new TreeSet<>(object.keySet());
  }

  /** Text that is not blank; when missing a problem, and "". */
  String string(String key) {
    return required(key, "a string", this::text, "");
  }

  String string(String key, String orElse) {
    return optional(key, "a string", this::text, orElse);
  }

  /** Text, or a boolean as one, for a key that may be either. */
  String text(String key, String orElse) {
    String expected = "true, false or a string";
    return optional(
        key,
        expected,
        value -> value.unwrapped() instanceof Boolean ? value.unwrapped().toString() : text(value),
        orElse);
  }

  /** One of some words; when missing a problem, and the first of them. */
  String word(String key, List<String> words) {
    return required(key, oneOf(words), value -> word(value, words), words.get(0));
  }

  String word(String key, String orElse, List<String> words) {
    return optional(key, oneOf(words), value -> word(value, words), orElse);
  }

  /** A whole number of at least {@code least}. */
  int integer(String key, int orElse, int least) {
    String expected = "an integer of at least " + least;
    return optional(key, expected, value -> integer(value, least), orElse);
  }

  /** A whole number; null when absent. */
  Integer integer(String key) {
    return optional(key, "an integer", value -> integer(value, Integer.MIN_VALUE), null);
  }

  /** The same of 64 bits. */
  Long longInteger(String key) {
    return optional(key, "an integer", HoconObject::integer, null);
  }

  /** A finite number; null when absent. */
  Double number(String key) {
    return optional(key, "a number", HoconObject::number, null);
  }

  /** A number of bytes with HOCON's units, such as {@code 512MiB} or {@code 2GB}. */
  long bytes(String key, long orElse) {
    return optional(key, "a size such as 512MiB", HoconObject::bytes, orElse);
  }

  boolean bool(String key, boolean orElse) {
    Boolean value = bool(key);
    return value == null ? orElse : value;
  }

  /** Null when absent. */
  Boolean bool(String key) {
    String word = word(key, null, List.of("true", "false"));
    return word == null ? null : Boolean.valueOf(word);
  }

  /** A list of strings; null when absent. */
  List<String> strings(String key) {
    return optional(key, "a list of strings", this::texts, null);
  }

  /** A list of whole numbers; null when absent. */
  List<Long> integers(String key) {
    return optional(key, "a list of integers", HoconObject::integers, null);
  }

  /** Text by name; what is nested gets names with dots, as Spark's options have. */
  Map<String, String> options(String key) {
    Map<String, String> options = new LinkedHashMap<>();
    HoconObject nested = object(key);
    if (nested != null) {
      nested.flatten("", options);
    }
    return Collections.unmodifiableMap(options);
  }

  /** The object under this key, null when absent; the outermost {@link #done} reports for it. */
  HoconObject object(String key) {
    return optional(
        key,
        "an object { … }",
        value -> {
          if (!(value instanceof ConfigObject child)) {
            return null;
          }
          HoconObject reader = new HoconObject(of(key), child, problems);
          children.add(reader);
          return reader;
        },
        null);
  }

  /** Whether the value is an object, for a key that has several types. */
  boolean isObject(String key) {
    return object.get(key) instanceof ConfigObject;
  }

  /** Notes what the caller found wrong with a key's value. */
  void problem(String key, String text) {
    ConfigValue value = object.get(key);
    problem(value == null ? object.origin() : value.origin(), of(key) + ": " + text);
  }

  /** Reads by a function that throws IllegalArgumentException for a value that it cannot take. */
  <T> T checked(String key, Function<String, T> read, String text) {
    try {
      return read.apply(text);
    } catch (IllegalArgumentException e) {
      problem(key, e.getMessage());
      return null;
    }
  }

  /** Throws one LoadException with every problem, in the order of lines, if there is any. */
  void done(String where) {
    addUnknown();
    if (!problems.isEmpty()) {
      problems.sort(Comparator.comparing(Problem::file).thenComparing(Problem::line));
      throw new LoadException(where, problems.stream().map(Problem::text).toList());
    }
  }

  private void addUnknown() {
    for (String key : keys()) {
      if (!known.contains(key)) {
        String nearest =
            Nearest.name(key, known)
                .map(name -> "the nearest known key is " + of(name))
                .orElse(
                    known.isEmpty()
                        ? "none is known here"
                        : "known here: " + String.join(", ", new TreeSet<>(known)));
        problem(key, "unknown key; " + nearest);
      }
    }
    children.forEach(HoconObject::addUnknown);
  }

  private void problem(ConfigOrigin origin, String text) {
    String file =
        origin.filename() == null
            ? origin.description().replaceFirst(": [0-9]+$", "")
            : origin.filename();
    boolean hasLine = origin.lineNumber() > 0 && !file.equals(JobFile.COMMAND_LINE);
    int line = hasLine ? origin.lineNumber() : 0;
    problems.add(new Problem(file, line, (hasLine ? file + ":" + line : file) + ": " + text));
  }

  private <T> T required(String key, String expected, Function<ConfigValue, T> read, T orElse) {
    if (!has(key)) {
      known.add(key);
      problem(key, "expected " + expected + ", found " + (isNull(key) ? "null" : "nothing"));
      return orElse;
    }
    return optional(key, expected, read, orElse);
  }

  /** {@code read} returns null for a value that is not as expected. */
  private <T> T optional(String key, String expected, Function<ConfigValue, T> read, T orElse) {
    known.add(key);
    if (!has(key)) {
      return orElse;
    }
    T value = read.apply(object.get(key));
    if (value == null) {
      problem(key, "expected " + expected + ", found " + shown(object.get(key)));
      return orElse;
    }
    return value;
  }

  private String text(ConfigValue value) {
    return value.valueType() == ConfigValueType.STRING && !((String) value.unwrapped()).isBlank()
        ? (String) value.unwrapped()
        : null;
  }

  private List<String> texts(ConfigValue value) {
    if (!(value.unwrapped() instanceof List<?> list)
        || !list.stream().allMatch(String.class::isInstance)) {
      return null;
    }
    return list.stream().map(String.class::cast).toList();
  }

  private static String word(ConfigValue value, List<String> words) {
    String word = String.valueOf(value.unwrapped());
    return words.contains(word) ? word : null;
  }

  private static Integer integer(ConfigValue value, int least) {
    Long number = integer(value);
    return number == null || number < least || number > Integer.MAX_VALUE
        ? null
        : (Integer) number.intValue();
  }

  private static Long integer(ConfigValue value) {
    try {
      return Long.valueOf(String.valueOf(value.unwrapped()));
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static List<Long> integers(ConfigValue value) {
    if (!(value instanceof ConfigList list)) {
      return null;
    }
    List<Long> numbers = new ArrayList<>();
    for (ConfigValue each : list) {
      Long number = integer(each);
      if (number == null) {
        return null;
      }
      numbers.add(number);
    }
    return numbers;
  }

  private static Double number(ConfigValue value) {
    try {
      Double number = Double.valueOf(String.valueOf(value.unwrapped()));
      return Double.isFinite(number) ? number : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static Long bytes(ConfigValue value) {
    try {
      long bytes = value.atKey("size").getBytes("size");
      return bytes < 0 ? null : (Long) bytes;
    } catch (ConfigException e) {
      return null;
    }
  }

  private void flatten(String prefix, Map<String, String> options) {
    for (String key : keys()) {
      known.add(key);
      if (isObject(key)) {
        object(key).flatten(prefix + key + ".", options);
      } else if (object.get(key).valueType() == ConfigValueType.LIST) {
        problem(key, "expected a string, number or boolean, found " + shown(object.get(key)));
      } else if (has(key)) {
        options.put(prefix + key, String.valueOf(object.get(key).unwrapped()));
      }
    }
  }

  /**
   * All of it as HOCON, without secrets: users of URIs, and all values of {@code options}, which
   * may be anything.
   */
  String rendered() {
    ConfigRenderOptions options =
        ConfigRenderOptions.defaults().setOriginComments(false).setComments(false).setJson(false);
    return Location.redacted(withoutSecrets(object).render(options));
  }

  private static ConfigValue withoutSecrets(ConfigValue value) {
    if (value instanceof ConfigObject object) {
      ConfigObject shown = object;
      for (Map.Entry<String, ConfigValue> entry : object.entrySet()) {
        boolean isOptions =
            entry.getKey().equals("options") && entry.getValue() instanceof ConfigObject;
        shown =
            shown.withValue(
                entry.getKey(),
                isOptions
                    ? ConfigValueFactory.fromIterable(
                        new TreeSet<>(((ConfigObject) entry.getValue()).keySet()))
                    : withoutSecrets(entry.getValue()));
      }
      return shown;
    }
    if (value instanceof ConfigList list) {
      return ConfigValueFactory.fromIterable(
          list.stream().map(HoconObject::withoutSecrets).toList());
    }
    return value.unwrapped() instanceof String text
        ? ConfigValueFactory.fromAnyRef(Location.shown(text))
        : value;
  }

  private String of(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private static String oneOf(List<String> words) {
    return String.join(", ", words.subList(0, words.size() - 1))
        + " or "
        + words.get(words.size() - 1);
  }

  private static String shown(ConfigValue value) {
    String rendered = value.render(ConfigRenderOptions.concise());
    String text = Location.redacted(rendered).replaceAll("\\p{Cntrl}", " ");
    return text.length() <= LONGEST_VALUE ? text : text.substring(0, LONGEST_VALUE) + "…";
  }
}
