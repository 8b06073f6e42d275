package dev.medley.engine.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What stands behind a |. */
final class Filters {
  private static final Set<String> REFUSED =
      Set.of(
          "attr",
          "batch",
          "center",
          "dictsort",
          "e",
          "escape",
          "filesizeformat",
          "forceescape",
          "format",
          "groupby",
          "pprint",
          "random",
          "slice",
          "striptags",
          "truncate",
          "urlencode",
          "urlize",
          "wordcount",
          "wordwrap",
          "xmlattr");

  private static final Pattern WORD_START = Pattern.compile("[-\\s({\\[<]+");
  private static final Map<String, Filter> FILTERS = new HashMap<>();

  interface Filter {
    Object of(Run run, Object value, Arguments arguments);
  }

  static {
    put("length", Filters::length);
    put("count", Filters::length);
    put("string", (run, v, a) -> v instanceof Py.Markup ? v : Py.str(run, v));
    put("safe", (run, v, a) -> new Py.Markup(Py.str(run, v)));
    put("list", (run, v, a) -> Py.list(run, v));
    put("trim", (run, v, a) -> Methods.strip(run, soft(run, v), a.text("chars", null), true, true));
    put("upper", (run, v, a) -> soft(run, v).toUpperCase(Locale.ROOT));
    put("lower", (run, v, a) -> soft(run, v).toLowerCase(Locale.ROOT));
    put("capitalize", (run, v, a) -> Text.capitalize(soft(run, v)));
    put("title", (run, v, a) -> title(soft(run, v)));
    put("replace", Filters::replace);
    put("indent", Filters::indent);
    put("join", Filters::join);
    put("first", (run, v, a) -> first(Py.iterator(run, v), "first"));
    put("last", (run, v, a) -> first(reversed(run, v).iterator(), "last"));
    put("reverse", Filters::reverse);
    put("default", Filters::orElse);
    put("d", Filters::orElse);
    put("items", Filters::items);
    put("map", Filters::map);
    put("select", (run, v, a) -> select(run, v, a, false, true));
    put("reject", (run, v, a) -> select(run, v, a, false, false));
    put("selectattr", (run, v, a) -> select(run, v, a, true, true));
    put("rejectattr", (run, v, a) -> select(run, v, a, true, false));
    put("sort", Filters::sort);
    put("unique", Filters::unique);
    put("min", (run, v, a) -> extreme(run, v, a, -1));
    put("max", (run, v, a) -> extreme(run, v, a, 1));
    put("sum", Filters::sum);
    put("abs", (run, v, a) -> abs(v));
    put("int", Filters::toInt);
    put("float", Filters::toFloat);
    put("round", Filters::round);
    FILTERS.put("tojson", Json::of);
  }

  private Filters() {}

  /** Null where there is none. */
  static Filter named(String name) {
    return FILTERS.get(name);
  }

  static String problem(String name) {
    return REFUSED.contains(name)
        ? JinjaException.unsupported("the filter " + name).getMessage()
        : "No filter named " + Text.repr(name) + ".";
  }

  private static void put(String name, Filter filter) {
    FILTERS.put(
        name,
        (run, value, arguments) -> {
          Object result = filter.of(run, value, arguments);
          arguments.done();
          if (result instanceof String s) {
            run.made(s.length());
          }
          return result;
        });
  }

  private static Object length(Run run, Object value, Arguments a) {
    run.made(value instanceof String s ? s.length() / 8 : 0);
    return Py.length(value);
  }

  private static String soft(Run run, Object value) {
    if (value instanceof Py.Markup) {
      throw Py.fails(value, "");
    }
    return Py.str(run, value);
  }

  private static String title(String text) {
    StringBuilder out = new StringBuilder();
    Matcher matcher = WORD_START.matcher(text);
    int at = 0;
    while (at <= text.length()) {
      boolean found = matcher.find(at);
      String word = text.substring(at, found ? matcher.start() : text.length());
      if (!word.isEmpty()) {
        int first = Character.charCount(word.codePointAt(0));
        out.append(word.substring(0, first).toUpperCase(Locale.ROOT));
        out.append(word.substring(first).toLowerCase(Locale.ROOT));
      }
      if (!found) {
        break;
      }
      out.append(matcher.group());
      at = matcher.end();
    }
    return out.toString();
  }

  private static Object replace(Run run, Object value, Arguments a) {
    String old = soft(run, a.take("old"));
    String with = soft(run, a.take("new"));
    Object count = a.take("count", Py.NONE);
    long most = count == Py.NONE ? -1 : Py.integer(count);
    return Methods.replace(run, soft(run, value), old, with, most);
  }

  private static Object indent(Run run, Object value, Arguments a) {
    String text = Py.text(value);
    Object width = a.take("width", 4L);
    boolean first = a.truth("first");
    boolean blank = a.truth("blank");
    String by;
    if (width instanceof String s) {
      by = s;
    } else {
      long spaces = Math.max(0, Py.integer(width));
      run.made(spaces);
      by = " ".repeat((int) spaces);
    }
    List<String> lines = Text.lines(text + "\n");
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < lines.size(); i++) {
      boolean indented = i == 0 ? first : blank || !lines.get(i).isEmpty();
      run.made((long) by.length() + lines.get(i).length());
      out.append(i == 0 ? "" : "\n").append(indented ? by : "").append(lines.get(i));
    }
    return out.toString();
  }

  private static Object join(Run run, Object value, Arguments a) {
    String between = soft(run, a.take("d", ""));
    Object attribute = a.take("attribute", Py.NONE);
    List<Object> parts = Py.list(run, value);
    if (attribute != Py.NONE) {
      parts.replaceAll(getter(run, attribute, null)::apply);
    }
    return Methods.join(run, between, parts);
  }

  private static Object first(Iterator<Object> items, String which) {
    return items.hasNext()
        ? items.next()
        : new Undefined("No " + which + " item, sequence was empty.");
  }

  /** Only of what Python's {@code reversed} takes. */
  private static List<Object> reversed(Run run, Object value) {
    if (value instanceof Py.Generator) {
      throw new JinjaException("'generator' object is not reversible");
    }
    List<Object> items = Py.list(run, value);
    Collections.reverse(items);
    return items;
  }

  private static Object reverse(Run run, Object value, Arguments a) {
    List<Object> items = Py.list(run, value);
    Collections.reverse(items);
    return value instanceof String
        ? Methods.join(run, "", items)
        : new Py.Generator(items.iterator());
  }

  private static Object orElse(Run run, Object value, Arguments a) {
    Object orElse = a.take("default_value", "");
    boolean falsy = a.truth("boolean");
    return value instanceof Undefined || falsy && !Py.truth(value) ? orElse : value;
  }

  private static Object items(Run run, Object value, Arguments a) {
    if (value instanceof Undefined) {
      return new Py.Generator(Collections.emptyIterator());
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw new JinjaException("Can only get item pairs from a mapping.");
    }
    return new Py.Generator(Methods.pairs(map).iterator());
  }

  private static Object map(Run run, Object value, Arguments a) {
    Function<Object, Object> change;
    if (a.positional.isEmpty() && a.named.containsKey("attribute")) {
      Object attribute = a.take("attribute");
      Object orElse = a.take("default", Py.NONE);
      change = getter(run, attribute, orElse == Py.NONE ? null : orElse);
    } else {
      String name = Py.text(a.take("name"));
      Filter filter = named(name);
      if (filter == null) {
        throw new JinjaException(problem(name));
      }
      List<Object> rest = a.rest();
      Map<String, Object> named = new HashMap<>(a.named);
      a.named.clear();
      change = item -> filter.of(run, item, new Arguments(rest, named));
    }
    if (!Py.truth(value)) {
      return new Py.Generator(Collections.emptyIterator());
    }
    Iterator<Object> items = Py.iterator(run, value);
    return new Py.Generator(
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return items.hasNext();
          }

          @Override
          public Object next() {
            run.step();
            return change.apply(items.next());
          }
        });
  }

  private static Object select(
      Run run, Object value, Arguments a, boolean byAttribute, boolean wanted) {
    Function<Object, Object> seen =
        byAttribute ? getter(run, a.take("attribute"), null) : Function.identity();
    Object name = a.take("name", Py.NONE);
    List<Object> rest = a.rest();
    Predicate<Object> is = Py::truth;
    if (name != Py.NONE) {
      Tests.Test test = Tests.named(Py.text(name));
      if (test == null) {
        throw new JinjaException(Tests.problem(Py.text(name)));
      }
      is = item -> test.of(run, item, new Arguments(rest, Map.of()));
    }
    Predicate<Object> holds = is;
    if (!Py.truth(value)) {
      return new Py.Generator(Collections.emptyIterator());
    }
    Iterator<Object> items = Py.iterator(run, value);
    return new Py.Generator(
        new Iterator<>() {
          private Object found;

          @Override
          public boolean hasNext() {
            while (found == null && items.hasNext()) {
              run.step();
              Object item = items.next();
              found = holds.test(seen.apply(item)) == wanted ? item : null;
            }
            return found != null;
          }

          @Override
          public Object next() {
            if (!hasNext()) {
              throw new NoSuchElementException();
            }
            Object item = found;
            found = null;
            return item;
          }
        });
  }

  /** An attribute by name, by dotted names, or by number. */
  private static Function<Object, Object> getter(Run run, Object attribute, Object orElse) {
    List<Object> path = new ArrayList<>();
    if (attribute instanceof String s) {
      for (String part : s.split("\\.", -1)) {
        path.add(part.matches("[0-9]{1,9}") ? (Object) Long.valueOf(part) : part);
      }
    } else {
      path.add(Py.integer(attribute));
    }
    return item -> {
      Object value = item;
      for (Object part : path) {
        value = Py.item(run, value, part);
        if (orElse != null && value instanceof Undefined) {
          value = orElse;
        }
      }
      return value;
    };
  }

  private static Object ignoreCase(Object value) {
    return value instanceof String s ? s.toLowerCase(Locale.ROOT) : value;
  }

  private static Function<Object, Object> key(Run run, Arguments a) {
    Object attribute = a.take("attribute", Py.NONE);
    boolean caseSensitive = Py.truth(a.named.getOrDefault("case_sensitive", false));
    a.named.remove("case_sensitive");
    Function<Object, Object> seen =
        attribute == Py.NONE ? Function.identity() : getter(run, attribute, null);
    return caseSensitive ? seen : seen.andThen(Filters::ignoreCase);
  }

  private static Object sort(Run run, Object value, Arguments a) {
    boolean reverse = a.truth("reverse");
    if (!a.rest().isEmpty()) {
      throw JinjaException.unsupported("sort with arguments that have no name");
    }
    if (a.named.get("attribute") instanceof String s && s.contains(",")) {
      throw JinjaException.unsupported("sort by several attributes");
    }
    Function<Object, Object> key = key(run, a);
    List<Object> items = Py.list(run, value);
    Comparator<Object> order = (x, y) -> compared(run, key.apply(x), key.apply(y));
    items.sort(reverse ? order.reversed() : order);
    return items;
  }

  private static int compared(Run run, Object a, Object b) {
    return Py.compare(run, a, b);
  }

  private static Object unique(Run run, Object value, Arguments a) {
    if (!a.rest().isEmpty()) {
      throw JinjaException.unsupported("unique with arguments that have no name");
    }
    Function<Object, Object> key = key(run, a);
    List<Object> seen = new ArrayList<>();
    List<Object> items = new ArrayList<>();
    for (Object item : Py.list(run, value)) {
      Object k = key.apply(item);
      run.made(seen.size());
      if (seen.stream().noneMatch(other -> Py.equal(run, other, k))) {
        seen.add(k);
        items.add(item);
      }
    }
    return new Py.Generator(items.iterator());
  }

  private static Object extreme(Run run, Object value, Arguments a, int sign) {
    if (!a.rest().isEmpty()) {
      throw JinjaException.unsupported("min or max with arguments that have no name");
    }
    Function<Object, Object> key = key(run, a);
    Object best = null;
    for (Object item : Py.list(run, value)) {
      if (best == null || compared(run, key.apply(item), key.apply(best)) * sign > 0) {
        best = item;
      }
    }
    return best == null ? new Undefined("No aggregated item, sequence was empty.") : best;
  }

  private static Object sum(Run run, Object value, Arguments a) {
    Object attribute = a.take("attribute", Py.NONE);
    Object total = a.take("start", 0L);
    for (Object item : Py.list(run, value)) {
      Object number = attribute == Py.NONE ? item : getter(run, attribute, null).apply(item);
      if (total instanceof String) {
        throw new JinjaException("sum() can't sum strings");
      }
      total = Py.add(run, total, number);
    }
    return total;
  }

  private static Object abs(Object value) {
    return value instanceof Double d
        ? Math.abs(d)
        : Py.integer(value) < 0 ? Py.arithmetic("-", 0L, value) : (Object) Py.integer(value);
  }

  private static Object toInt(Run run, Object value, Arguments a) {
    Object orElse = a.take("default", 0L);
    if (a.integer("base", 10) != 10) {
      throw JinjaException.unsupported("int of another base");
    }
    if (value instanceof Long || value instanceof Boolean) {
      return Py.integer(value);
    }
    if (value instanceof String s && Text.strip(s).matches("[+-]?[0-9]{1,18}")) {
      return Long.valueOf(Text.strip(s).replace("+", ""));
    }
    Double number = value instanceof Double d ? d : value instanceof String s ? real(s) : null;
    if (number != null && Math.abs(number) >= 0x1p63) {
      throw JinjaException.unsupported("a whole number beyond 64 bits");
    }
    if (value instanceof Undefined || value instanceof Py.Markup) {
      throw Py.fails(value, "");
    }
    return number == null ? orElse : (Object) (long) number.doubleValue();
  }

  private static Object toFloat(Run run, Object value, Arguments a) {
    Object orElse = a.take("default", 0.0);
    if (value instanceof Undefined || value instanceof Py.Markup) {
      throw Py.fails(value, "");
    }
    Double number =
        Py.isNumber(value) ? (Double) Py.number(value) : value instanceof String s ? real(s) : null;
    return number == null ? orElse : number;
  }

  /** Null for what is no number; Python also reads some that are refused here. */
  private static Double real(String text) {
    String number = Text.strip(text);
    if (number.matches("[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?")) {
      return Double.valueOf(number);
    }
    if (number.toLowerCase(Locale.ROOT).matches("[+-]?(inf|infinity|nan)|.*[0-9_].*")) {
      throw JinjaException.unsupported("the number " + Text.repr(number));
    }
    return null;
  }

  private static Object round(Run run, Object value, Arguments a) {
    long precision = a.integer("precision", 0);
    String method = a.text("method", "common");
    if (!method.equals("common") || Math.abs(precision) > 300) {
      throw JinjaException.unsupported("round by " + method + " to " + precision + " digits");
    }
    if (!(value instanceof Double d)) {
      long whole = Py.integer(value);
      return precision >= 0
          ? (Object) whole
          : BigDecimal.valueOf(whole)
              .setScale((int) precision, RoundingMode.HALF_EVEN)
              .longValueExact();
    }
    if (d.isNaN() || d.isInfinite()) {
      return d;
    }
    return new BigDecimal(d).setScale((int) precision, RoundingMode.HALF_EVEN).doubleValue();
  }
}
