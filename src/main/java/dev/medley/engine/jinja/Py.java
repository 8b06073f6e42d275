package dev.medley.engine.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Python's values and what its operators make of them. A value is one of: {@link #NONE}, a Boolean,
 * Long, Double, String, List, Map (in order), {@link Tuple}, {@link View}, {@link Range}, {@link
 * Generator}, {@link Namespace}, {@link Markup}, {@link Callable}, {@link Loop} or {@link
 * Undefined}. No other Java object is ever within a template's reach.
 */
final class Py {
  /** None. */
  static final Object NONE =
      new Object() {
        @Override
        public String toString() {
          return "None";
        }
      };

  record Tuple(List<Object> items) {}

  /** A dict's keys, values or items, as {@code kind} says. */
  record View(String kind, List<Object> items) {}

  record Range(long start, long stop, long step) {
    long size() {
      long span = step > 0 ? stop - start : start - stop;
      return span <= 0 ? 0 : (span - 1) / Math.abs(step) + 1;
    }
  }

  /** What can be gone through once. */
  record Generator(Iterator<Object> items) {}

  /** The only thing that a template may change. */
  record Namespace(Map<String, Object> values) {
    @Override
    public boolean equals(Object other) {
      return this == other;
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(this);
    }
  }

  /** Text that autoescaping would leave alone: can be printed, and nothing else. */
  record Markup(String text) {}

  private Py() {}

  static boolean truth(Object value) {
    if (value instanceof Boolean b) {
      return b;
    }
    if (value instanceof Long l) {
      return l != 0;
    }
    if (value instanceof Double d) {
      return d != 0;
    }
    if (value == NONE || value instanceof Undefined) {
      return false;
    }
    if (value instanceof Markup m) {
      return !m.text.isEmpty();
    }
    if (value instanceof String s) {
      return !s.isEmpty();
    }
    return !isSized(value) || length(value) > 0;
  }

  private static boolean isSized(Object value) {
    return value instanceof String
        || value instanceof List
        || value instanceof Map
        || value instanceof Tuple
        || value instanceof View
        || value instanceof Range
        || value instanceof Undefined
        || value instanceof Loop;
  }

  static long length(Object value) {
    if (value instanceof String s) {
      return Text.length(s);
    }
    if (value instanceof Map<?, ?> m) {
      return m.size();
    }
    if (value instanceof Range r) {
      return r.size();
    }
    if (value instanceof Undefined) {
      return 0;
    }
    if (value instanceof Loop loop) {
      return loop.size();
    }
    List<Object> items = items(value);
    if (items == null) {
      throw new JinjaException("object of type '" + type(value) + "' has no len()");
    }
    return items.size();
  }

  /** Of a list, tuple or view; null for others. */
  @SuppressWarnings("unchecked")
  private static List<Object> items(Object value) {
    if (value instanceof List<?> list) {
      return (List<Object>) list;
    }
    if (value instanceof Tuple t) {
      return t.items;
    }
    return value instanceof View v ? v.items : null;
  }

  static boolean isIterable(Object value) {
    return isSized(value) || value instanceof Generator;
  }

  /** What a loop over the value goes through. */
  static Iterator<Object> iterator(Run run, Object value) {
    if (value instanceof String s) {
      return characters(run, s).iterator();
    }
    if (value instanceof Map<?, ?> m) {
      return Collections.<Object>unmodifiableSet(m.keySet()).iterator();
    }
    if (value instanceof Generator g) {
      return g.items;
    }
    if (value instanceof Undefined) {
      return Collections.emptyIterator();
    }
    if (value instanceof Range r) {
      run.made(r.size());
      List<Object> numbers = new ArrayList<>();
      for (long i = 0; i < r.size(); i++) {
        numbers.add(r.start + i * r.step);
      }
      return numbers.iterator();
    }
    List<Object> items = items(value);
    if (items == null) {
      throw new JinjaException("'" + type(value) + "' object is not iterable");
    }
    return Collections.unmodifiableList(items).iterator();
  }

  /** Each is an object of its own, and counts as such. */
  private static List<Object> characters(Run run, String s) {
    run.made(16L * s.length());
    return Text.characters(s);
  }

  static List<Object> list(Run run, Object value) {
    List<Object> list = new ArrayList<>();
    for (Iterator<Object> items = iterator(run, value); items.hasNext(); ) {
      run.step();
      list.add(items.next());
    }
    return list;
  }

  /** Python's name of the type. */
  static String type(Object value) {
    if (value == NONE) {
      return "NoneType";
    }
    if (value instanceof View v) {
      return v.kind;
    }
    return value instanceof String
        ? "str"
        : value instanceof Boolean
            ? "bool"
            : value instanceof Long
                ? "int"
                : value instanceof Double
                    ? "float"
                    : value instanceof List
                        ? "list"
                        : value instanceof Map
                            ? "dict"
                            : value instanceof Callable
                                ? "function"
                                : value
                                    .getClass()
                                    .getSimpleName()
                                    .toLowerCase(java.util.Locale.ROOT);
  }

  /** {@code str(value)}, as a template prints it. */
  static String str(Run run, Object value) {
    if (value instanceof String s) {
      return s;
    }
    if (value instanceof Markup m) {
      return m.text;
    }
    if (value instanceof Undefined) {
      return "";
    }
    StringBuilder out = new StringBuilder();
    repr(run, value, out);
    return out.toString();
  }

  private static void repr(Run run, Object value, StringBuilder out) {
    run.step();
    if (value instanceof String s) {
      run.made(s.length());
      out.append(Text.repr(s));
    } else if (value instanceof Boolean b) {
      out.append(b ? "True" : "False");
    } else if (value instanceof Double d) {
      out.append(Text.repr(d.doubleValue()));
    } else if (value instanceof Long || value == NONE) {
      out.append(value);
    } else if (value instanceof Undefined) {
      out.append("Undefined");
    } else if (value instanceof Map<?, ?> m) {
      out.append('{');
      String between = "";
      for (Map.Entry<?, ?> entry : m.entrySet()) {
        out.append(between);
        repr(run, entry.getKey(), out);
        out.append(": ");
        repr(run, entry.getValue(), out);
        between = ", ";
      }
      out.append('}');
    } else if (value instanceof Range r) {
      out.append("range(").append(r.start).append(", ").append(r.stop);
      out.append(r.step == 1 ? ")" : ", " + r.step + ")");
    } else if (value instanceof Macro m) {
      out.append("<Macro ").append(Text.repr(m.name())).append('>');
    } else if (value instanceof View v) {
      out.append(v.kind).append('(');
      repr(run, v.items, out);
      out.append(')');
    } else if (items(value) == null) {
      throw JinjaException.unsupported("to print a " + type(value));
    } else {
      boolean list = value instanceof List;
      out.append(list ? '[' : '(');
      String between = "";
      for (Object item : items(value)) {
        out.append(between);
        repr(run, item, out);
        between = ", ";
      }
      out.append(!list && items(value).size() == 1 ? "," : "").append(list ? ']' : ')');
    }
  }

  /** A string that has to be one. */
  static String text(Object value) {
    if (value instanceof String s) {
      return s;
    }
    throw fails(value, "expected str, found " + type(value));
  }

  static long integer(Object value) {
    if (value instanceof Long l) {
      return l;
    }
    if (value instanceof Boolean b) {
      return b ? 1 : 0;
    }
    throw fails(value, "expected int, found " + type(value));
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  static double number(Object value) {
    return value instanceof Double d ? d : integer(value);
  }

  /** Undefined says what is undefined, everything else what was done to it. */
  static JinjaException fails(Object value, String otherwise) {
    if (value instanceof Undefined u) {
      return u.failure();
    }
    return value instanceof Markup
        ? JinjaException.unsupported("what is done to text marked safe")
        : new JinjaException(otherwise);
  }

  private static JinjaException fails(String operator, Object a, Object b) {
    Object blamed = a instanceof Undefined || a instanceof Markup ? a : b;
    return fails(
        blamed,
        "unsupported operand type(s) for "
            + operator
            + ": '"
            + type(a)
            + "' and '"
            + type(b)
            + "'");
  }

  static Object add(Run run, Object a, Object b) {
    if (a instanceof String s && b instanceof String t) {
      run.made((long) s.length() + t.length());
      return s + t;
    }
    if (a instanceof List && b instanceof List || a instanceof Tuple && b instanceof Tuple) {
      List<Object> all = new ArrayList<>();
      run.made((long) items(a).size() + items(b).size());
      all.addAll(items(a));
      all.addAll(items(b));
      return a instanceof List ? all : new Tuple(all);
    }
    return arithmetic("+", a, b);
  }

  static Object multiply(Run run, Object a, Object b) {
    if (isNumber(a) && isNumber(b)) {
      return arithmetic("*", a, b);
    }
    Object what = isNumber(a) ? b : a;
    Object times = isNumber(a) ? a : b;
    if (times instanceof Double || !isNumber(times)) {
      throw fails("*", a, b);
    }
    long n = Math.max(0, integer(times));
    if (what instanceof String s) {
      run.made(Math.max(n, s.length() * (double) n > Long.MAX_VALUE / 2 ? -1 : s.length() * n));
      return s.repeat((int) n);
    }
    if (what instanceof List || what instanceof Tuple) {
      run.made(n);
      List<Object> all = new ArrayList<>();
      for (long i = 0; i < n; i++) {
        run.made(items(what).size());
        all.addAll(items(what));
      }
      return what instanceof List ? all : new Tuple(all);
    }
    throw fails("*", a, b);
  }

  /** The operators on two numbers; whole ones stay whole, and within 64 bits. */
  static Object arithmetic(String operator, Object a, Object b) {
    if (operator.equals("%") && a instanceof String) {
      throw JinjaException.unsupported("% to format a string");
    }
    if (!isNumber(a) || !isNumber(b)) {
      throw fails(operator, a, b);
    }
    if (operator.equals("/") || operator.equals("//") || operator.equals("%")) {
      if (number(b) == 0) {
        throw new JinjaException("division by zero");
      }
    }
    if (a instanceof Double || b instanceof Double || operator.equals("/")) {
      return real(operator, number(a), number(b));
    }
    long x = integer(a);
    long y = integer(b);
    try {
      return switch (operator) {
        case "+" -> Math.addExact(x, y);
        case "-" -> Math.subtractExact(x, y);
        case "*" -> Math.multiplyExact(x, y);
        case "//" -> Math.floorDiv(x, y);
        case "%" -> Math.floorMod(x, y);
        default -> y < 0 ? real("**", x, y) : (Object) power(x, y);
      };
    } catch (ArithmeticException e) {
      throw JinjaException.unsupported("a whole number beyond 64 bits");
    }
  }

  private static Object real(String operator, double x, double y) {
    return switch (operator) {
      case "+" -> x + y;
      case "-" -> x - y;
      case "*" -> x * y;
      case "/" -> x / y;
      case "//" -> Math.floor(x / y);
      case "%" -> x - y * Math.floor(x / y);
      default -> {
        if (x == 0 && y < 0) {
          throw new JinjaException("0.0 cannot be raised to a negative power");
        }
        if (x < 0 && y != Math.rint(y)) {
          throw JinjaException.unsupported("a complex number");
        }
        yield Math.pow(x, y);
      }
    };
  }

  private static long power(long base, long exponent) {
    if (base == 0 || base == 1 || exponent == 0) {
      return exponent == 0 ? 1 : base;
    }
    if (base == -1) {
      return exponent % 2 == 0 ? 1 : -1;
    }
    long result = 1;
    for (long i = 0; i < exponent; i++) { // 64 rounds at most, then it overflows
      result = Math.multiplyExact(result, base);
    }
    return result;
  }

  static boolean equal(Run run, Object a, Object b) {
    run.step();
    if (isNumber(a) && isNumber(b)) {
      return a instanceof Double || b instanceof Double
          ? number(a) == number(b)
          : integer(a) == integer(b);
    }
    if (a instanceof Undefined || b instanceof Undefined) {
      return a instanceof Undefined && b instanceof Undefined;
    }
    if (a instanceof Markup || b instanceof Markup) {
      throw fails(a instanceof Markup ? a : b, "");
    }
    if (a instanceof Map<?, ?> m && b instanceof Map<?, ?> n) {
      return m.size() == n.size()
          && m.entrySet().stream()
              .allMatch(
                  e -> n.containsKey(e.getKey()) && equal(run, e.getValue(), n.get(e.getKey())));
    }
    if (a instanceof List && b instanceof List || a instanceof Tuple && b instanceof Tuple) {
      List<Object> x = items(a);
      List<Object> y = items(b);
      if (x.size() != y.size()) {
        return false;
      }
      for (int i = 0; i < x.size(); i++) {
        if (!equal(run, x.get(i), y.get(i))) {
          return false;
        }
      }
      return true;
    }
    if (a instanceof String s && b instanceof String) {
      run.made(s.length() / 8);
    } else if (a instanceof View || b instanceof View) {
      throw JinjaException.unsupported("to compare a dict's keys, values or items");
    }
    return Objects.equals(a, b);
  }

  /** Less than 0 where a comes first; numbers with numbers, strings with strings, lists alike. */
  static int compare(Run run, Object a, Object b) {
    run.step();
    if (isNumber(a) && isNumber(b)) {
      return a instanceof Double || b instanceof Double
          ? Double.compare(number(a), number(b))
          : Long.compare(integer(a), integer(b));
    }
    if (a instanceof String s && b instanceof String t) {
      run.made((long) s.length() + t.length());
      int[] x = s.codePoints().toArray();
      int[] y = t.codePoints().toArray();
      return java.util.Arrays.compare(x, y);
    }
    if (a instanceof List && b instanceof List || a instanceof Tuple && b instanceof Tuple) {
      List<Object> x = items(a);
      List<Object> y = items(b);
      for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
        if (!equal(run, x.get(i), y.get(i))) {
          return compare(run, x.get(i), y.get(i));
        }
      }
      return Integer.compare(x.size(), y.size());
    }
    throw fails("<", a, b);
  }

  static boolean contains(Run run, Object all, Object one) {
    if (all instanceof String s) {
      if (!(one instanceof String part)) {
        throw fails(one, "'in <string>' requires string as left operand, not " + type(one));
      }
      run.search(s, part);
      return s.contains(part);
    }
    if (all instanceof Map<?, ?> m) {
      return m.containsKey(key(one));
    }
    if (!isIterable(all)) {
      throw fails(all, "argument of type '" + type(all) + "' is not iterable");
    }
    for (Iterator<Object> items = iterator(run, all); items.hasNext(); ) {
      run.step();
      if (equal(run, items.next(), one)) {
        return true;
      }
    }
    return false;
  }

  /** As a key of a dict: text, whole numbers and None, which Java tells apart as Python does. */
  static Object key(Object value) {
    if (value instanceof List || value instanceof Map) {
      throw new JinjaException("unhashable type: '" + type(value) + "'");
    }
    if (!(value instanceof String || value instanceof Long || value instanceof Undefined)
        && value != NONE) {
      throw JinjaException.unsupported("a dict key of type " + type(value));
    }
    return value;
  }

  /** {@code value.name}: a method first, then an item. */
  static Object attribute(Run run, Object value, String name) {
    if (value instanceof Undefined u) {
      throw u.failure();
    }
    if (name.startsWith("_")) {
      return Methods.unsafe(value, name);
    }
    Object found = Methods.of(value, name);
    if (found == null && value instanceof Map<?, ?> m) {
      found = m.get(name);
    }
    return found == null ? missing(value, name) : found;
  }

  /** {@code value[key]}: an item first, then a method. */
  static Object item(Run run, Object value, Object key) {
    if (value instanceof Undefined u) {
      throw u.failure();
    }
    if (value instanceof Map<?, ?> m) {
      Object found = m.get(key(key));
      if (found != null) {
        return found;
      }
    } else if (key instanceof Long index && (value instanceof String || items(value) != null)) {
      if (value instanceof View) {
        return missing(value, key);
      }
      Object found = at(run, value, index);
      return found == null ? missing(value, key) : found;
    } else if (key instanceof Boolean || value instanceof Range && key instanceof Long) {
      throw JinjaException.unsupported("this index of a " + type(value));
    }
    if (key instanceof String name) {
      Object found = name.startsWith("_") ? Methods.unsafe(value, name) : Methods.of(value, name);
      return found == null ? missing(value, key) : found;
    }
    if (key instanceof Undefined u && value instanceof String) {
      return missing(value, key);
    }
    return missing(value, key);
  }

  /** Counted from the end where negative; null where there is none. */
  private static Object at(Run run, Object value, long index) {
    long size = length(value);
    long i = index < 0 ? index + size : index;
    if (i < 0 || i >= size) {
      return null;
    }
    if (value instanceof String s) {
      run.made(s.length() / 8);
      int start = s.offsetByCodePoints(0, (int) i);
      return Character.toString(s.codePointAt(start));
    }
    return items(value).get((int) i);
  }

  private static Undefined missing(Object value, Object key) {
    String owner = value == NONE ? "None" : type(value) + " object";
    if (key instanceof String name) {
      return new Undefined("'" + owner + "' has no attribute " + Text.repr(name));
    }
    return new Undefined(owner + " has no element " + (key instanceof Long ? key : type(key)));
  }

  /** {@code value[start:stop:step]}; NONE for what is not given. */
  static Object slice(Run run, Object value, Object start, Object stop, Object step) {
    if (value instanceof Undefined u) {
      throw u.failure();
    }
    if (!(value instanceof String) && (items(value) == null || value instanceof View)) {
      throw JinjaException.unsupported("a slice of a " + type(value));
    }
    long by = step == NONE ? 1 : integer(step);
    if (by == 0) {
      throw new JinjaException("slice step cannot be zero");
    }
    long size = length(value);
    long from = bound(start, by > 0 ? 0 : size - 1, size, by);
    long to = bound(stop, by > 0 ? size : -1, size, by);
    run.made(size);
    if (by == 1 && value instanceof String s) {
      int first = s.offsetByCodePoints(0, (int) from);
      return to <= from ? "" : s.substring(first, s.offsetByCodePoints(first, (int) (to - from)));
    }
    List<Object> items = value instanceof String s ? characters(run, s) : items(value);
    List<Object> part = new ArrayList<>();
    for (long i = from; by > 0 ? i < to : i > to; i += by) {
      part.add(items.get((int) i));
      if (by > size || by < -size) {
        break;
      }
    }
    if (value instanceof String) {
      StringBuilder out = new StringBuilder();
      part.forEach(out::append);
      return out.toString();
    }
    return value instanceof Tuple ? new Tuple(part) : part;
  }

  private static long bound(Object given, long otherwise, long size, long step) {
    if (given == NONE) {
      return otherwise;
    }
    long i = integer(given);
    i = i < 0 ? i + size : i;
    return step > 0 ? Math.max(0, Math.min(i, size)) : Math.max(-1, Math.min(i, size - 1));
  }

  static Object call(Run run, Object function, Arguments arguments) {
    run.step();
    if (function instanceof Callable callable) {
      run.enter();
      Object result = callable.call(run, arguments);
      run.leave();
      return result;
    }
    throw fails(function, "'" + type(function) + "' object is not callable");
  }

  /** What a caller of {@code render} gave, as a template sees it; null is None. */
  static Object of(Object given) {
    if (given == null) {
      return NONE;
    }
    if (given instanceof String || given instanceof Boolean || given instanceof Double) {
      return given;
    }
    if (given instanceof Integer || given instanceof Long) {
      return ((Number) given).longValue();
    }
    if (given instanceof List<?> list) {
      List<Object> items = new ArrayList<>();
      list.forEach(item -> items.add(of(item)));
      return items;
    }
    if (given instanceof Map<?, ?> map) {
      Map<Object, Object> entries = new LinkedHashMap<>();
      map.forEach((key, value) -> entries.put(of(key), of(value)));
      return entries;
    }
    throw new IllegalArgumentException("no value of a template: " + given.getClass());
  }
}
