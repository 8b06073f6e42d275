package dev.medley.engine.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What can be got from a value by a dot: methods of strings and dicts, parts of a loop. */
final class Methods {
  /** Methods that would change a value, which Jinja's sandbox refuses as well. */
  private static final Map<String, Set<String>> CHANGING =
      Map.of(
          "list",
          Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"),
          "dict",
          Set.of("clear", "pop", "popitem", "setdefault", "update"));

  /** What Python has beyond the methods below: to say that there is none would be untrue. */
  private static final Map<String, Set<String>> REFUSED =
      Map.of(
          "str",
          Set.of(
              "casefold",
              "center",
              "encode",
              "expandtabs",
              "format",
              "format_map",
              "index",
              "isascii",
              "isdecimal",
              "isidentifier",
              "isnumeric",
              "isprintable",
              "istitle",
              "ljust",
              "maketrans",
              "partition",
              "rindex",
              "rjust",
              "rpartition",
              "swapcase",
              "translate",
              "zfill"),
          "list",
          Set.of("copy", "count", "index"),
          "tuple",
          Set.of("count", "index"),
          "dict",
          Set.of("copy", "fromkeys"),
          "int",
          Set.of(
              "as_integer_ratio",
              "bit_count",
              "bit_length",
              "conjugate",
              "denominator",
              "from_bytes",
              "imag",
              "numerator",
              "real",
              "to_bytes"),
          "bool",
          Set.of(
              "as_integer_ratio",
              "bit_count",
              "bit_length",
              "conjugate",
              "denominator",
              "from_bytes",
              "imag",
              "numerator",
              "real",
              "to_bytes"),
          "float",
          Set.of("as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"));

  private Methods() {}

  /** The method or part, null where Python has none either. */
  static Object of(Object value, String name) {
    if (value instanceof String s) {
      Callable method = string(s, name);
      if (method != null) {
        return method;
      }
    } else if (value instanceof Map<?, ?> m) {
      Callable method = dict(m, name);
      if (method != null) {
        return method;
      }
    } else if (value instanceof Py.Namespace n) {
      return n.values().get(name);
    } else if (value instanceof Loop loop) {
      return loop.get(name);
    } else if (value instanceof Macro m && name.equals("name")) {
      return m.name();
    } else if (value instanceof Callable
        || value instanceof Py.Generator
        || value instanceof Py.View
        || value instanceof Py.Range
        || value instanceof Py.Markup) {
      throw JinjaException.unsupported("." + name + " of a " + Py.type(value));
    }
    if (CHANGING.getOrDefault(Py.type(value), Set.of()).contains(name)) {
      return unsafe(value, name);
    }
    if (REFUSED.getOrDefault(Py.type(value), Set.of()).contains(name)) {
      throw JinjaException.unsupported("." + name + " of a " + Py.type(value));
    }
    return null;
  }

  static Undefined unsafe(Object value, String name) {
    return new Undefined(
        "access to attribute "
            + Text.repr(name)
            + " of '"
            + Py.type(value)
            + "' object is unsafe.");
  }

  private static Callable dict(Map<?, ?> dict, String name) {
    return switch (name) {
      case "get" ->
          method(
              (run, a) -> {
                Object found = dict.get(Py.key(a.take("key")));
                Object orElse = a.take("default", Py.NONE);
                return found == null ? orElse : found;
              });
      case "keys" -> method((run, a) -> new Py.View("dict_keys", new ArrayList<>(dict.keySet())));
      case "values" ->
          method((run, a) -> new Py.View("dict_values", new ArrayList<>(dict.values())));
      case "items" -> method((run, a) -> new Py.View("dict_items", pairs(dict)));
      default -> null;
    };
  }

  /** Tuples of a key and its value. */
  static List<Object> pairs(Map<?, ?> dict) {
    List<Object> pairs = new ArrayList<>();
    dict.forEach((key, value) -> pairs.add(new Py.Tuple(List.of(key, value))));
    return pairs;
  }

  private static Callable string(String s, String name) {
    return switch (name) {
      case "strip" -> method((run, a) -> strip(run, s, a.text("chars", null), true, true));
      case "lstrip" -> method((run, a) -> strip(run, s, a.text("chars", null), true, false));
      case "rstrip" -> method((run, a) -> strip(run, s, a.text("chars", null), false, true));
      case "upper" -> method((run, a) -> s.toUpperCase(Locale.ROOT));
      case "lower" -> method((run, a) -> s.toLowerCase(Locale.ROOT));
      case "title" -> method((run, a) -> Text.title(s));
      case "capitalize" -> method((run, a) -> Text.capitalize(s));
      case "split" ->
          method((run, a) -> split(run, s, a.text("sep", null), a.integer("maxsplit", -1), false));
      case "rsplit" ->
          method((run, a) -> split(run, s, a.text("sep", null), a.integer("maxsplit", -1), true));
      case "splitlines" ->
          method(
              (run, a) -> {
                if (a.truth("keepends")) {
                  throw JinjaException.unsupported("splitlines(keepends=True)");
                }
                return new ArrayList<Object>(Text.lines(s));
              });
      case "startswith" -> method((run, a) -> affix(a.take("prefix"), s::startsWith));
      case "endswith" -> method((run, a) -> affix(a.take("suffix"), s::endsWith));
      case "removeprefix" ->
          method(
              (run, a) -> {
                String prefix = Py.text(a.take("prefix"));
                return s.startsWith(prefix) ? s.substring(prefix.length()) : s;
              });
      case "removesuffix" ->
          method(
              (run, a) -> {
                String suffix = Py.text(a.take("suffix"));
                return s.endsWith(suffix) ? s.substring(0, s.length() - suffix.length()) : s;
              });
      case "replace" ->
          method(
              (run, a) -> {
                String old = Py.text(a.take("old"));
                return replace(run, s, old, Py.text(a.take("new")), a.integer("count", -1));
              });
      case "find" -> method((run, a) -> find(run, s, a, s::indexOf));
      case "rfind" -> method((run, a) -> find(run, s, a, s::lastIndexOf));
      case "count" -> method((run, a) -> count(run, s, Py.text(a.take("sub"))));
      case "join" ->
          method(
              (run, a) -> {
                List<Object> parts = Py.list(run, a.take("iterable"));
                parts.forEach(Py::text);
                return join(run, s, parts);
              });
      case "isdigit" -> method((run, a) -> all(s, Methods::isDigit));
      case "isalpha" -> method((run, a) -> all(s, Character::isLetter));
      case "isalnum" -> method((run, a) -> all(s, c -> Character.isLetter(c) || isDigit(c)));
      case "isspace" -> method((run, a) -> Text.isSpace(s));
      case "isupper" -> method((run, a) -> isCase(s, Character::isUpperCase));
      case "islower" -> method((run, a) -> isCase(s, Character::isLowerCase));
      default -> null;
    };
  }

  /** A method that takes no more arguments than it asks for, and pays for its string. */
  private static Callable method(Callable body) {
    return (run, arguments) -> {
      Object result = body.call(run, arguments);
      arguments.done();
      if (result instanceof String s) {
        run.made(s.length());
      }
      return result;
    };
  }

  static String strip(Run run, String s, String chars, boolean left, boolean right) {
    run.search(s, chars == null ? "" : chars);
    String text = s;
    if (left) {
      text = chars == null ? Text.lstrip(text) : Text.lstrip(text, chars);
    }
    if (right) {
      text = chars == null ? Text.rstrip(text) : Text.rstrip(text, chars);
    }
    return text;
  }

  private static List<Object> split(Run run, String s, String by, long most, boolean fromRight) {
    run.search(s, by == null ? "" : by);
    if (by != null && by.isEmpty()) {
      throw new JinjaException("empty separator");
    }
    if (fromRight && by == null && most >= 0) {
      throw JinjaException.unsupported("rsplit(None, maxsplit)");
    }
    List<Object> parts = new ArrayList<>();
    if (by == null) {
      int at = Text.skipSpace(s, 0);
      while (at < s.length()) {
        if (most >= 0 && parts.size() >= most) {
          parts.add(Text.rstrip(s.substring(at)));
          break;
        }
        int end = at;
        while (end < s.length() && !Text.isSpace(s.charAt(end))) {
          end++;
        }
        parts.add(s.substring(at, end));
        run.made(16);
        at = Text.skipSpace(s, end);
      }
    } else if (fromRight) {
      int end = s.length();
      int i = s.lastIndexOf(by);
      while (i >= 0 && (most < 0 || parts.size() < most)) {
        parts.add(0, s.substring(i + by.length(), end));
        run.made(parts.size());
        end = i;
        i = s.lastIndexOf(by, end - by.length());
      }
      parts.add(0, s.substring(0, end));
    } else {
      int start = 0;
      int i = s.indexOf(by);
      while (i >= 0 && (most < 0 || parts.size() < most)) {
        parts.add(s.substring(start, i));
        run.made(16);
        start = i + by.length();
        i = s.indexOf(by, start);
      }
      parts.add(s.substring(start));
    }
    return parts;
  }

  private static boolean affix(Object affix, java.util.function.Predicate<String> has) {
    if (affix instanceof Py.Tuple choices) {
      return choices.items().stream().anyMatch(choice -> has.test(Py.text(choice)));
    }
    return has.test(Py.text(affix));
  }

  /** All of them where {@code most} is negative. */
  static String replace(Run run, String s, String old, String with, long most) {
    run.search(s, old);
    StringBuilder out = new StringBuilder();
    int start = 0;
    long done = 0;
    while (most < 0 || done < most) {
      int i = old.isEmpty() ? (done == 0 ? 0 : next(s, start)) : s.indexOf(old, start);
      if (i < 0) {
        break;
      }
      run.made((long) i - start + with.length());
      out.append(s, start, i).append(with);
      start = i + old.length();
      done++;
    }
    return out.append(s.substring(start)).toString();
  }

  /** Behind the next character; less than 0 at the end. */
  private static int next(String s, int from) {
    return from < s.length() ? from + Character.charCount(s.codePointAt(from)) : -1;
  }

  private static long find(
      Run run, String s, Arguments a, java.util.function.ToIntFunction<String> search) {
    String part = Py.text(a.take("sub"));
    run.search(s, part);
    int at = search.applyAsInt(part);
    return at < 0 ? -1 : s.codePointCount(0, at);
  }

  private static long count(Run run, String s, String part) {
    run.search(s, part);
    if (part.isEmpty()) {
      return Text.length(s) + 1;
    }
    long count = 0;
    for (int i = s.indexOf(part); i >= 0; i = s.indexOf(part, i + part.length())) {
      count++;
    }
    return count;
  }

  static String join(Run run, String between, List<Object> parts) {
    StringBuilder out = new StringBuilder();
    for (Iterator<Object> rest = parts.iterator(); rest.hasNext(); ) {
      String part = Py.str(run, rest.next());
      run.made((long) part.length() + between.length());
      out.append(part).append(rest.hasNext() ? between : "");
    }
    return out.toString();
  }

  private static boolean all(String s, java.util.function.IntPredicate is) {
    return !s.isEmpty() && s.codePoints().allMatch(is);
  }

  private static boolean isCase(String s, java.util.function.IntPredicate is) {
    return s.codePoints().anyMatch(is) && s.codePoints().filter(Text::isCased).allMatch(is);
  }

  private static boolean isDigit(int c) {
    if (Character.getType(c) == Character.OTHER_NUMBER) { // Python counts some of them in
      throw JinjaException.unsupported("to ask whether " + Character.toString(c) + " is a digit");
    }
    return Character.isDigit(c);
  }
}
