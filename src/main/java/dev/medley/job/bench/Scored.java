package dev.medley.job.bench;

import java.util.Locale;

/** Rows that were scored: what it took, and a vector for each row [rows, hidden]. */
record Scored(Sample sample, float[][] vectors) {
  /** Largest difference over the largest number, where two sides did the same sums in fp32. */
  static final double TOLERANCE = 1e-5;

  /** Throws IllegalStateException where the other's numbers are not these; else itself. */
  Scored checkedAgainst(Scored other, String what) {
    double difference = difference(other);
    if (!(difference <= TOLERANCE)) { // nor NaN
      throw new IllegalStateException(
          String.format(
              Locale.ROOT,
              "%s: expected the same numbers within %.0e of the largest, found %.2e",
              what,
              TOLERANCE,
              difference));
    }
    return this;
  }

  /** max|a − b| / max|b|; NaN where there is one. */
  double difference(Scored expected) {
    if (vectors.length != expected.vectors.length) {
      throw new IllegalStateException(
          "expected " + expected.vectors.length + " rows, found " + vectors.length);
    }
    double difference = 0;
    double largest = 0;
    for (int i = 0; i < vectors.length; i++) {
      for (int j = 0; j < vectors[i].length; j++) {
        difference = Math.max(difference, Math.abs(vectors[i][j] - expected.vectors[i][j]));
        largest = Math.max(largest, Math.abs(expected.vectors[i][j]));
      }
    }
    return difference / largest;
  }
}
