package dev.medley.engine.jinja;

/**
 * A template that cannot be read, one that asks for what is not supported here, or one that raised.
 */
public final class JinjaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  JinjaException(String message) {
    super(message);
  }

  /** The same with the line of the template where it happened. */
  static JinjaException at(int line, String message) {
    return new JinjaException("line " + line + ": " + message);
  }

  /** What Jinja2 may know, and this does not: refused, since another result would be worse. */
  static JinjaException unsupported(String what) {
    return new JinjaException(what + " is not supported here");
  }
}
