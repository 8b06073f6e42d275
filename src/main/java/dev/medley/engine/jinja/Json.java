package dev.medley.engine.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** {@code json.dumps}, which is what transformers makes of the filter tojson: no HTML escapes. */
final class Json {
  private final Run run;
  private final boolean ascii;
  private final String indent;
  private final String comma;
  private final String colon;
  private final boolean sort;
  private final StringBuilder out = new StringBuilder();

  private Json(Run run, Arguments arguments) {
    this.run = run;
    this.ascii = arguments.truth("ensure_ascii");
    Object by = arguments.take("indent", Py.NONE);
    this.indent = by == Py.NONE ? null : by instanceof String s ? s : spaces(run, Py.integer(by));
    Object separators = arguments.take("separators", Py.NONE);
    List<Object> pair = separators == Py.NONE ? null : Py.list(run, separators);
    this.comma = pair == null ? (indent == null ? ", " : ",") : Py.text(pair.get(0));
    this.colon = pair == null ? ": " : Py.text(pair.get(1));
    this.sort = arguments.truth("sort_keys");
  }

  static String of(Run run, Object value, Arguments arguments) {
    Json json = new Json(run, arguments);
    json.write(value, 0);
    return json.out.toString();
  }

  private static String spaces(Run run, long n) {
    run.made(Math.max(0, n));
    return " ".repeat((int) Math.max(0, n));
  }

  private void write(Object value, int depth) {
    run.step();
    if (value instanceof String s) {
      run.made(s.length());
      string(s);
    } else if (value == Py.NONE) {
      out.append("null");
    } else if (value instanceof Boolean || value instanceof Long) {
      out.append(value);
    } else if (value instanceof Double d) {
      String text = Text.repr(d.doubleValue());
      out.append(
          text.equals("nan")
              ? "NaN"
              : text.endsWith("inf") ? text.replace("inf", "Infinity") : text);
    } else if (value instanceof Map<?, ?> m) {
      object(m, depth);
    } else if (value instanceof List || value instanceof Py.Tuple) {
      List<Object> items = Py.list(run, value);
      out.append('[');
      for (int i = 0; i < items.size(); i++) {
        line(i == 0 ? "" : comma, depth + 1);
        write(items.get(i), depth + 1);
      }
      close(items.isEmpty(), depth, ']');
    } else {
      throw Py.fails(
          value instanceof Undefined ? Py.NONE : value,
          "Object of type " + Py.type(value) + " is not JSON serializable");
    }
  }

  private void object(Map<?, ?> map, int depth) {
    List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
    if (sort) {
      entries.sort((a, b) -> Py.compare(run, a.getKey(), b.getKey()));
    }
    out.append('{');
    String before = "";
    for (Map.Entry<?, ?> entry : entries) {
      line(before, depth + 1);
      if (!(entry.getKey() instanceof String key)) {
        throw JinjaException.unsupported("tojson of a dict whose keys are no strings");
      }
      string(key);
      out.append(colon);
      write(entry.getValue(), depth + 1);
      before = comma;
    }
    close(entries.isEmpty(), depth, '}');
  }

  private void line(String before, int depth) {
    out.append(before);
    if (indent != null) {
      run.made((long) indent.length() * depth);
      out.append('\n').append(indent.repeat(depth));
    }
  }

  private void close(boolean empty, int depth, char bracket) {
    if (!empty) {
      line("", depth);
    }
    out.append(bracket);
  }

  private void string(String s) {
    out.append('"');
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      int plain = "\"\\\n\r\t\f\b".indexOf(c);
      if (plain >= 0) {
        out.append('\\').append("\"\\nrtfb".charAt(plain));
      } else if (c < ' ' || ascii && c > '~') {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
