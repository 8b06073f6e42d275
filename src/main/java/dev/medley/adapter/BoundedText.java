package dev.medley.adapter;

import dev.medley.io.LoadException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A name that a regular expression out of an adapter's config is matched with: the expression is a
 * stranger's, and one like {@code (.*)*x} takes 2ⁿ steps, so the steps are counted.
 */
final class BoundedText implements CharSequence {
  /** Of one match; PEFT's own expressions take some hundred. */
  static final int MOST_STEPS = 1_000_000;

  private final Pattern pattern;
  private final String text;
  private int steps;

  private BoundedText(Pattern pattern, String text) {
    this.pattern = pattern;
    this.text = text;
  }

  /** A matcher that throws LoadException where it looks at characters too often. */
  static Matcher matcher(Pattern pattern, String text) {
    return pattern.matcher(new BoundedText(pattern, text));
  }

  @Override
  public char charAt(int index) {
    if (++steps > MOST_STEPS) {
      throw new LoadException(
          "adapter_config.json",
          "expected a regular expression of less than "
              + MOST_STEPS
              + " steps on "
              + text
              + ", found "
              + pattern
              + "; name the modules in a list");
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
