package dev.medley.job.bench;

import java.util.Locale;

/**
 * One line of the benchmark's table.
 *
 * @param id such as {@code P1}; or the scenario's where nobody set a target
 * @param reached in words
 * @param target in words; empty for none
 * @param met whether the target is reached; null where there is none, or nothing was measured
 * @param ours null where nothing is timed
 * @param against what it is compared with; null for nothing
 */
record Figure(
    String id,
    String what,
    String reached,
    String target,
    Boolean met,
    Samples ours,
    Samples against) {
  private static final String FAILED = "failed";

  /** How often the rate of the other side: the median over neighbouring samples. */
  static Figure ratio(String id, String what, double least, Samples ours, Samples against) {
    return ratio(id, what, ours.ratio(against), least, ours, against);
  }

  /** The same of all samples taken together, where chunks differ in what they cost. */
  static Figure ratioOfSums(String id, String what, double least, Samples ours, Samples against) {
    return ratio(id, what, ours.ratioOfSums(against), least, ours, against);
  }

  private static Figure ratio(
      String id, String what, double ratio, double least, Samples ours, Samples against) {
    return new Figure(
        id,
        what,
        String.format(Locale.ROOT, "%.3f x", ratio),
        String.format(Locale.ROOT, ">= %.2f x", least),
        ratio >= least,
        ours,
        against);
  }

  /** A ratio without a target. */
  static Figure ratio(String id, String what, Samples ours, Samples against) {
    return new Figure(
        id,
        what,
        String.format(Locale.ROOT, "%.3f x", ours.ratio(against)),
        "",
        null,
        ours,
        against);
  }

  /** A number that is to be at most so large. */
  static Figure atMost(
      String id, String what, double most, double reached, int decimals, String unit) {
    String format = "%." + decimals + "f " + unit;
    return new Figure(
        id,
        what,
        String.format(Locale.ROOT, format, reached),
        String.format(Locale.ROOT, "<= " + format, most),
        reached <= most,
        null,
        null);
  }

  /** Something to know, without a target. */
  static Figure of(String id, String what, String reached) {
    return new Figure(id, what, reached, "", null, null, null);
  }

  /** Not measured, since there is nothing to compare with. */
  static Figure noPeft(String id, String what) {
    return of(id, what, "no --peft PYTHON given");
  }

  /** Measuring it failed, or what was measured is wrong. */
  static Figure failed(String id, String why) {
    return new Figure(id, FAILED, why, "", false, null, null);
  }

  /** Whether there is no figure. */
  boolean isFailure() {
    return what.equals(FAILED);
  }
}
