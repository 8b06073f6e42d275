package dev.medley.engine.jinja;

/**
 * A piece of a template.
 *
 * @param text as written; of a string, its value; of an operator, the operator
 * @param line from 1
 */
record Token(Kind kind, String text, int line) {
  enum Kind {
    DATA,
    PRINT_BEGIN,
    PRINT_END,
    TAG_BEGIN,
    TAG_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  boolean isName(String name) {
    return kind == Kind.NAME && text.equals(name);
  }

  @Override
  public String toString() {
    return switch (kind) {
      case PRINT_END -> "end of print statement";
      case TAG_END -> "end of statement block";
      case END -> "end of template";
      default -> text;
    };
  }
}
