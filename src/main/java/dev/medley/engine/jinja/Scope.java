package dev.medley.engine.jinja;

import java.util.HashMap;
import java.util.Map;

/** Names and their values here; what is not here is looked for outside. */
final class Scope {
  final Run run;
  final StringBuilder out;
  private final Scope outer;
  private final Map<String, Object> values = new HashMap<>();

  private Scope(Run run, StringBuilder out, Scope outer) {
    this.run = run;
    this.out = out;
    this.outer = outer;
  }

  static Scope outermost(Run run, Map<String, Object> values) {
    Scope scope = new Scope(run, new StringBuilder(), null);
    scope.values.putAll(values);
    return scope;
  }

  Scope inner() {
    return new Scope(run, out, this);
  }

  /** An inner scope that writes for itself. */
  Scope capture() {
    return new Scope(run, new StringBuilder(), this);
  }

  void set(String name, Object value) {
    values.put(name, value);
  }

  Object get(String name) {
    run.step();
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Object value = scope.values.get(name);
      if (value != null) {
        return value;
      }
    }
    return new Undefined(Text.repr(name) + " is undefined");
  }

  void print(String text) {
    run.made(text.length());
    out.append(text);
  }
}
