package dev.medley.engine.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What stands behind {@code is}. */
final class Tests {
  private static final Set<String> REFUSED = Set.of("escaped", "filter", "test", "sameas");
  private static final Map<String, Test> TESTS = new HashMap<>();

  interface Test {
    boolean of(Run run, Object value, Arguments arguments);
  }

  static {
    TESTS.put("defined", (run, v, a) -> !(v instanceof Undefined));
    TESTS.put("undefined", (run, v, a) -> v instanceof Undefined);
    TESTS.put("none", (run, v, a) -> v == Py.NONE);
    TESTS.put("true", (run, v, a) -> Boolean.TRUE.equals(v));
    TESTS.put("false", (run, v, a) -> Boolean.FALSE.equals(v));
    TESTS.put("boolean", (run, v, a) -> v instanceof Boolean);
    TESTS.put("integer", (run, v, a) -> v instanceof Long);
    TESTS.put("float", (run, v, a) -> v instanceof Double);
    TESTS.put("number", (run, v, a) -> Py.isNumber(v));
    TESTS.put("string", (run, v, a) -> v instanceof String || v instanceof Py.Markup);
    TESTS.put("mapping", (run, v, a) -> v instanceof Map);
    TESTS.put("iterable", (run, v, a) -> Py.isIterable(v) || v instanceof Py.Markup);
    TESTS.put("sequence", (run, v, a) -> isSequence(v));
    TESTS.put("callable", (run, v, a) -> v instanceof Callable || v instanceof Undefined);
    TESTS.put("odd", (run, v, a) -> Py.equal(run, Py.arithmetic("%", v, 2L), 1L));
    TESTS.put("even", (run, v, a) -> Py.equal(run, Py.arithmetic("%", v, 2L), 0L));
    TESTS.put(
        "divisibleby", (run, v, a) -> Py.equal(run, Py.arithmetic("%", v, a.take("num")), 0L));
    TESTS.put("lower", (run, v, a) -> Py.truth(method(run, Py.str(run, v), "islower")));
    TESTS.put("upper", (run, v, a) -> Py.truth(method(run, Py.str(run, v), "isupper")));
    comparison("==", "eq", "equalto", "==");
    comparison("!=", "ne", "!=");
    comparison("<", "lt", "lessthan", "<");
    comparison("<=", "le", "<=");
    comparison(">", "gt", "greaterthan", ">");
    comparison(">=", "ge", ">=");
    comparison("in", "in");
  }

  private Tests() {}

  /** Null where there is none. */
  static Test named(String name) {
    return TESTS.get(name);
  }

  static String problem(String name) {
    return REFUSED.contains(name)
        ? JinjaException.unsupported("the test " + name).getMessage()
        : "No test named " + Text.repr(name) + ".";
  }

  private static void comparison(String operator, String... names) {
    for (String name : names) {
      TESTS.put(name, (run, v, a) -> Parser.compare(run, operator, v, a.take("other")));
    }
  }

  private static boolean isSequence(Object value) {
    return value instanceof String
        || value instanceof List
        || value instanceof Map
        || value instanceof Py.Tuple
        || value instanceof Py.Range
        || value instanceof Undefined;
  }

  private static Object method(Run run, String text, String name) {
    return Py.call(run, Methods.of(text, name), Arguments.NONE);
  }
}
