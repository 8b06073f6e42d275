package dev.medley.adapter;

import dev.medley.io.LoadException;
import dev.medley.io.Shown;

/**
 * A name that a regular expression out of an adapter's config is matched with: the expression is a
 * stranger's, and one like {@code (.+)+x} takes 2ⁿ steps, so the steps are counted.
 */
final class BoundedText implements CharSequence {
  /** Of one match; PEFT's own expressions take some hundred. */
  static final int MOST_STEPS = 1_000_000;

  private final String expression;
  private final String text;
  private int steps;

  /** For one match, with the expression as the config has it. */
  BoundedText(String expression, String text) {
    this.expression = expression;
    this.text = text;
  }

  /** Says what kind of expression was expected. */
  static LoadException refused(String kind, String expression, String text) {
    return new LoadException(
        "adapter_config.json",
        "expected a regular expression "
            + kind
            + " on "
            + text
            + ", found "
            + Shown.quoted(expression)
            + "; name the modules in a list");
  }

  /** Throws LoadException where it is looked at too often. */
  @Override
  public char charAt(int index) {
    if (++steps > MOST_STEPS) {
      throw refused("of less than " + MOST_STEPS + " steps", expression, text);
    }
    return text.charAt(index);
  }

  @Override
  public int length() {
    return text.length();
  }

  @Override
  public CharSequence subSequence(int start, int end) {
    return text.substring(start, end);
  }

  @Override
  public String toString() {
    return text;
  }
}
