package dev.medley.engine.jinja;

/** A macro, a method of a value, or one of the functions that templates know. */
interface Callable {
  Object call(Run run, Arguments arguments);
}
