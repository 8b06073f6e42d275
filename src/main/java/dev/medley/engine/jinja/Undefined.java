package dev.medley.engine.jinja;

/**
 * What a name stands for that nobody set: prints as nothing, is false and empty, and fails when
 * anything else is done with it.
 *
 * @param problem what is said then
 */
record Undefined(String problem) {
  JinjaException failure() {
    return new JinjaException(problem);
  }
}
