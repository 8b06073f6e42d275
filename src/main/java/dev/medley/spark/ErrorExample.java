package dev.medley.spark;

import java.io.Serializable;

/**
 * A row in error.
 *
 * @param code the name of its error's
 * @param row its key, or its place
 * @param message its error's
 */
public record ErrorExample(String code, String row, String message) implements Serializable {
  private static final int LONGEST = 300;

  /** Cuts what is too long for people. */
  public ErrorExample {
    row = cut(row);
    message = cut(message);
  }

  private static String cut(String text) {
    return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "…";
  }
}
