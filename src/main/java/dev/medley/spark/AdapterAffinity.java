package dev.medley.spark;

import java.util.Locale;

/**
 * Whether rows are moved before they are scored so that each partition has few adapters and none is
 * a straggler. Rows come out as if they had never been moved.
 */
public enum AdapterAffinity {
  /**
   * Where the plan says that it pays, for an input that is cheap to read twice: files, tables,
   * caches or local rows under projections, filters and the like, without functions of the user's.
   * Never of a stream, nor where fewer than {@value #LEAST_SETS} adapters and sets have names.
   */
  AUTO,
  /** Always; the input is read twice, whatever it costs. An error of a stream. */
  ON,
  /** Never. */
  OFF;

  /** With fewer, a window holds long runs of each. */
  static final int LEAST_SETS = 16;

  /** By its word in a job file or a parameter: {@code auto}, {@code on} or {@code off}. */
  public static AdapterAffinity of(String word) {
    return valueOf(word.toUpperCase(Locale.ROOT));
  }
}
