package dev.medley.engine.jinja;

import java.util.List;

/** What {@code loop} is in the body of a for: {@code at} is the place of the item now. */
final class Loop {
  private final List<Object> items;
  private List<Object> changed;
  int at;

  Loop(List<Object> items) {
    this.items = items;
  }

  long size() {
    return items.size();
  }

  /** Null for what a loop does not have. */
  Object get(String name) {
    long size = items.size();
    return switch (name) {
      case "index" -> at + 1L;
      case "index0" -> (long) at;
      case "revindex" -> size - at;
      case "revindex0" -> size - at - 1;
      case "first" -> at == 0;
      case "last" -> at == size - 1;
      case "length" -> size;
      case "depth" -> 1L;
      case "depth0" -> 0L;
      case "previtem" -> at > 0 ? items.get(at - 1) : new Undefined("there is no previous item");
      case "nextitem" -> at < size - 1 ? items.get(at + 1) : new Undefined("there is no next item");
      case "cycle" -> (Callable) (run, arguments) -> cycle(arguments.rest());
      case "changed" -> (Callable) (run, arguments) -> changed(run, arguments.rest());
      default -> null;
    };
  }

  private Object cycle(List<Object> choices) {
    if (choices.isEmpty()) {
      throw new JinjaException("no items for cycling given");
    }
    return choices.get(at % choices.size());
  }

  private boolean changed(Run run, List<Object> now) {
    boolean same = changed != null && Py.equal(run, List.copyOf(changed), List.copyOf(now));
    changed = now;
    return !same;
  }
}
