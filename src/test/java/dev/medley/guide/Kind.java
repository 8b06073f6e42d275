package dev.medley.guide;

import java.util.Arrays;

/** What a block is written in, and so what is done with it. */
enum Kind {
  /** Compiled, and run on fixtures. */
  JAVA("java", "[A-Za-z].*[;)}]"),
  /** Each statement is run on fixtures. */
  SQL("sql", "(select|create) [\\S\\s]*;"),
  /** A job file, or a part of one: validated, and a whole one run. */
  JOB("hocon", "(medley|adapters-from)\\b[\\S\\s]*"),
  /** Settings that Spark or Medley knows. */
  CONF("conf", "spark\\.\\S+ [\\S\\s]*"),
  /** Command lines: parsed, and those that end soon are run. */
  SHELL("sh", "(jobs/medley|\\./mvnw|export|MEDLEY_\\w+=)[\\S\\s]*"),
  /** Coordinates, those of the pom. */
  MAVEN("xml", null),
  /** The same as a file beside the page, which a Python can parse. */
  PYTHON("python", null),
  /** A picture. */
  MERMAID("mermaid", null),
  /** A law. */
  FORMULA("", "[^;{}=\\n]+ = [^;{}\\n]+"),
  /** What a command printed, which the comment above names. */
  PRINTED("", null);

  /** Begins the comment above what a command printed. */
  static final String PRINTED_BY = "printed by ";

  private final String language;
  private final String indented;

  Kind(String language, String indented) {
    this.language = language;
    this.indented = indented;
  }

  /** Throws an error with the place for a block that nothing is known to do with. */
  static Kind of(Block block) {
    if (block.comment().startsWith(PRINTED_BY)) {
      return PRINTED;
    }
    String text = block.text();
    return Arrays.stream(values())
        .filter(
            kind ->
                block.language().isEmpty()
                    ? kind.indented != null && text.matches("(?s)" + kind.indented)
                    : kind.language.equals(block.language()))
        .reduce((first, second) -> first == JAVA ? second : first) // Java's looks like many
        .orElseThrow(
            () ->
                new AssertionError(
                    block.where()
                        + ": expected a block of java, sql, hocon, conf, sh, xml, python or mermaid, or"
                        + " one below <!-- "
                        + PRINTED_BY
                        + "COMMAND -->, found "
                        + (block.language().isEmpty() ? text : block.language())));
  }
}
