package dev.medley.engine.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A macro, or the body of a call block.
 *
 * @param where the scope that it was written in, whose names it sees
 * @param extras which of varargs, kwargs and caller the body asks for
 */
record Macro(
    String name, List<Parameter> parameters, Set<String> extras, Parser.Body body, Scope where)
    implements Callable {
  /** Null for no default. */
  record Parameter(String name, Parser.Expression orElse) {}

  @Override
  public Object call(Run run, Arguments arguments) {
    Scope scope = where.capture();
    for (Parameter parameter : parameters) {
      Object value = arguments.take(parameter.name(), null);
      if (value == null) {
        value =
            parameter.orElse() == null
                ? new Undefined("parameter " + Text.repr(parameter.name()) + " was not provided")
                : parameter.orElse().of(scope);
      }
      scope.set(parameter.name(), value);
    }
    if (extras.contains("caller")) {
      Object caller = arguments.named.remove("caller");
      scope.set("caller", caller == null ? new Undefined("No caller defined") : caller);
    }
    if (extras.contains("kwargs")) {
      Map<Object, Object> kwargs = new LinkedHashMap<>(arguments.named);
      arguments.named.clear();
      scope.set("kwargs", kwargs);
    }
    if (extras.contains("varargs")) {
      scope.set("varargs", new Py.Tuple(List.copyOf(arguments.rest())));
    }
    arguments.done();
    body.run(scope);
    return scope.out.toString();
  }
}
