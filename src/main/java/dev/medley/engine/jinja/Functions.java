package dev.medley.engine.jinja;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Functions that every template knows: Jinja2's own, and the two that transformers adds. */
final class Functions {
  /** Jinja's sandbox has the same limit. */
  private static final long LONGEST_RANGE = 100_000;

  private Functions() {}

  static Map<String, Object> all() {
    Map<String, Object> functions = new HashMap<>();
    functions.put("range", (Callable) Functions::range);
    functions.put("namespace", (Callable) (run, a) -> new Py.Namespace(named(a)));
    functions.put("dict", (Callable) (run, a) -> new LinkedHashMap<Object, Object>(named(a)));
    functions.put("raise_exception", (Callable) Functions::raise);
    functions.put("strftime_now", (Callable) Functions::now);
    for (String name : List.of("cycler", "joiner", "lipsum")) {
      Callable refusal =
          (run, a) -> {
            throw JinjaException.unsupported("the function " + name);
          };
      functions.put(name, refusal);
    }
    return functions;
  }

  private static Map<String, Object> named(Arguments a) {
    Map<String, Object> values = new LinkedHashMap<>();
    if (!a.positional.isEmpty()) {
      Object first = a.take("mapping");
      if (!(first instanceof Map<?, ?> map)) {
        throw JinjaException.unsupported("to make a dict or namespace of a " + Py.type(first));
      }
      map.forEach((key, value) -> values.put(Py.text(key), value));
    }
    values.putAll(a.named);
    a.named.clear();
    a.done();
    return values;
  }

  private static Object range(Run run, Arguments a) {
    long first = Py.integer(a.take("start"));
    Object second = a.take("stop", null);
    long step = a.integer("step", 1);
    a.done();
    if (step == 0) {
      throw new JinjaException("range() arg 3 must not be zero");
    }
    Py.Range range =
        second == null ? new Py.Range(0, first, 1) : new Py.Range(first, Py.integer(second), step);
    if (range.size() > LONGEST_RANGE) {
      throw new JinjaException("Range too big, expected at most " + LONGEST_RANGE);
    }
    return range;
  }

  private static Object raise(Run run, Arguments a) {
    Object message = a.take("message");
    a.done();
    throw new JinjaException(Py.str(run, message));
  }

  private static Object now(Run run, Arguments a) {
    String format = Py.text(a.take("format"));
    a.done();
    LocalDateTime now = LocalDateTime.now(run.clock);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      run.made(1);
      out.append(c == '%' && ++i < format.length() ? part(now, format.charAt(i)) : c);
    }
    return out.toString();
  }

  /** A directive of strftime in the C locale. */
  private static String part(LocalDateTime now, char directive) {
    return switch (directive) {
      case 'Y' -> String.valueOf(now.getYear());
      case 'y' -> two(now.getYear() % 100);
      case 'm' -> two(now.getMonthValue());
      case 'd' -> two(now.getDayOfMonth());
      case 'e' -> String.format("%2d", now.getDayOfMonth());
      case 'H' -> two(now.getHour());
      case 'I' -> two((now.getHour() + 11) % 12 + 1);
      case 'M' -> two(now.getMinute());
      case 'S' -> two(now.getSecond());
      case 'p' -> now.getHour() < 12 ? "AM" : "PM";
      case 'j' -> String.format("%03d", now.getDayOfYear());
      case 'B' -> now.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
      case 'b', 'h' ->
          now.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
      case 'A' -> now.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
      case 'a' -> now.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
      case 'u' -> String.valueOf(now.getDayOfWeek().getValue());
      case 'w' -> String.valueOf(now.getDayOfWeek().getValue() % 7);
      case 'F' -> part(now, 'Y') + "-" + part(now, 'm') + "-" + part(now, 'd');
      case 'D' -> part(now, 'm') + "/" + part(now, 'd') + "/" + part(now, 'y');
      case 'T' -> part(now, 'H') + ":" + part(now, 'M') + ":" + part(now, 'S');
      case 'n' -> "\n";
      case 't' -> "\t";
      case '%' -> "%";
      default -> throw JinjaException.unsupported("%" + directive + " of strftime_now");
    };
  }

  private static String two(int number) {
    return String.format("%02d", number);
  }
}
