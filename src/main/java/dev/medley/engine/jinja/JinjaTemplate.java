package dev.medley.engine.jinja;

import java.time.Clock;
import java.util.Map;

/**
 * A chat template, written in the Jinja of HuggingFace transformers: Jinja2 in its immutable
 * sandbox with {@code trim_blocks}, {@code lstrip_blocks}, loop controls and {@code {% generation
 * %}}.
 *
 * <p>What it prints is what Jinja2 prints; what Jinja2 can and this cannot is refused by name. The
 * template is a stranger's program: it sees no Java object, changes nothing but its own namespaces,
 * and what it may do is counted. Immutable; for use by many threads.
 */
public final class JinjaTemplate {
  /** Steps taken and characters made, besides those for each character that is given. */
  private static final long WORK = 5_000_000;

  private static final long WORK_PER_CHARACTER = 100;
  private static final long MOST_WORK = 1_000_000_000;

  private final Parser.Parsed parsed;

  private JinjaTemplate(Parser.Parsed parsed) {
    this.parsed = parsed;
  }

  /** Throws JinjaException where the text is no template, or asks for what is not supported. */
  public static JinjaTemplate parse(String source) {
    try {
      return new JinjaTemplate(Parser.parse(source));
    } catch (StackOverflowError e) {
      throw new JinjaException("nests too deeply");
    }
  }

  /** Whether the template mentions this name anywhere, also where it sets it. */
  public boolean names(String name) {
    return parsed.names().contains(name);
  }

  /**
   * The template's text under these values: null, strings, whole and other numbers, true and false,
   * lists and maps of such.
   *
   * @throws JinjaException where the template raises, fails, or goes on for too long
   */
  public String render(Map<String, ?> values, Clock clock) {
    long given = 0;
    Map<String, Object> names = Functions.all();
    for (Map.Entry<String, ?> entry : values.entrySet()) {
      Object value = Py.of(entry.getValue());
      names.put(entry.getKey(), value);
      given += size(value);
    }
    long work = Math.min(WORK + WORK_PER_CHARACTER * given, MOST_WORK);
    Scope scope = Scope.outermost(new Run(clock, work), names);
    try {
      parsed.body().run(scope);
    } catch (StackOverflowError e) {
      throw new JinjaException("nests too deeply");
    }
    return scope.out.toString();
  }

  private static long size(Object value) {
    if (value instanceof String s) {
      return s.length();
    }
    long size = 1;
    if (value instanceof Map<?, ?> map) {
      for (Object item : map.values()) {
        size += size(item);
      }
    } else if (value instanceof Iterable<?> items) {
      for (Object item : items) {
        size += size(item);
      }
    }
    return size;
  }

  /** Python's {@code strip()}. */
  public static String strip(String text) {
    return Text.strip(text);
  }

  /** Python's {@code rstrip()}. */
  public static String rstrip(String text) {
    return Text.rstrip(text);
  }
}
