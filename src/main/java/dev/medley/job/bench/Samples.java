package dev.medley.job.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** All that one side took, in the order of the chunks. */
record Samples(String side, List<Sample> all) {
  Samples(String side) {
    this(side, new ArrayList<>());
  }

  /** Middle, or the mean of the two in the middle. */
  static double median(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  private double[] each(ToDoubleFunction<Sample> value) {
    return all.stream().mapToDouble(value).toArray();
  }

  /** Rows a second: the median of all samples. */
  double rate() {
    return median(each(sample -> sample.rows() / sample.seconds()));
  }

  /** Rows a second of the slowest sample. */
  double leastRate() {
    return Arrays.stream(each(sample -> sample.rows() / sample.seconds())).min().orElseThrow();
  }

  /** CPU milliseconds a row, the median. */
  double cpuMillis() {
    return median(each(sample -> 1e3 * sample.cpuSeconds() / sample.rows()));
  }

  /** Rows a second of the quickest sample. */
  double bestRate() {
    return Arrays.stream(each(sample -> sample.rows() / sample.seconds())).max().orElseThrow();
  }

  /** Tokens a second, the median. */
  double tokenRate() {
    return median(each(sample -> sample.tokens() / sample.seconds()));
  }

  /** This side's rate over the other's, of the samples that were taken next to each other. */
  double ratio(Samples other) {
    double[] ratios = new double[all.size()];
    for (int i = 0; i < ratios.length; i++) {
      Sample mine = all.get(i);
      Sample its = other.all.get(i);
      ratios[i] = mine.rows() / mine.seconds() / (its.rows() / its.seconds());
    }
    return median(ratios);
  }

  /** This side's rate over the other's, all samples taken together. */
  double ratioOfSums(Samples other) {
    return sum(Sample::rows)
        / sum(Sample::seconds)
        / (other.sum(Sample::rows) / other.sum(Sample::seconds));
  }

  private double sum(ToDoubleFunction<Sample> value) {
    return all.stream().mapToDouble(value).sum();
  }

  /** Such as {@code 83.1 (80.2)}: rows a second, median and least. */
  String rates() {
    return String.format(Locale.ROOT, "%.1f (%.1f)", rate(), leastRate());
  }
}
