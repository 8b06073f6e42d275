package dev.medley.engine.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Arguments of a call; each is taken once, {@link #done()} refuses the rest. */
final class Arguments {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  final List<Object> positional;
  final Map<String, Object> named;
  private int next;

  Arguments(List<Object> positional, Map<String, Object> named) {
    this.positional = positional;
    this.named = new LinkedHashMap<>(named);
  }

  /** The next one, by place or by name. */
  Object take(String name, Object orElse) {
    if (next < positional.size()) {
      return positional.get(next++);
    }
    Object value = named.remove(name);
    return value == null ? orElse : value;
  }

  Object take(String name) {
    Object value = take(name, null);
    if (value == null) {
      throw new JinjaException("missing argument " + Text.repr(name));
    }
    return value;
  }

  String text(String name, String orElse) {
    Object value = take(name, orElse == null ? Py.NONE : orElse);
    if (value == Py.NONE && orElse == null) {
      return null;
    }
    return Py.text(value);
  }

  long integer(String name, long orElse) {
    return Py.integer(take(name, orElse));
  }

  boolean truth(String name) {
    return Py.truth(take(name, false));
  }

  /** All that is left of those by place. */
  List<Object> rest() {
    List<Object> rest = positional.subList(next, positional.size());
    next = positional.size();
    return rest;
  }

  void done() {
    if (next < positional.size()) {
      throw new JinjaException("expected at most " + next + " arguments");
    }
    if (!named.isEmpty()) {
      throw new JinjaException(
          "unexpected argument " + Text.repr(named.keySet().iterator().next()));
    }
  }
}
