package dev.medley.engine;

import java.util.Optional;
import java.util.function.DoublePredicate;

/** What the numbers of a generation may be, for a job's and for those of a model's file. */
enum Range {
  POSITIVE_INTEGER("a positive integer", value -> value >= 1),
  POSITIVE("a positive number", value -> value > 0),
  COUNT("0 or a positive integer", value -> value >= 0),
  ABOVE_0_TO_1("a number above 0 and at most 1", value -> value > 0 && value <= 1),
  FROM_0_TO_1("a number from 0 to 1", value -> value >= 0 && value <= 1);

  private final String expected;
  private final DoublePredicate fits;

  Range(String expected, DoublePredicate fits) {
    this.expected = expected;
    this.fits = fits;
  }

  /** Throws IllegalArgumentException for a number out of range; null is none. */
  static void check(String name, Range range, Number value) {
    range
        .problem(value)
        .ifPresent(
            expected -> {
              throw new IllegalArgumentException(name + ": " + expected + ", got " + shown(value));
            });
  }

  /** What was expected, where the number is not it. */
  Optional<String> problem(Number value) {
    boolean fine =
        value == null || (Double.isFinite(value.doubleValue()) && fits.test(value.doubleValue()));
    return fine ? Optional.empty() : Optional.of("expected " + expected);
  }

  /** 0 for 0.0. */
  static String shown(Number value) {
    double number = value.doubleValue();
    return number == Math.rint(number) && Math.abs(number) < 1e15
        ? Long.toString((long) number)
        : Double.toString(number);
  }
}
