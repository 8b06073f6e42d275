package dev.medley.notebook;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * One direction of a chart.
 *
 * @param name null for an axis that is not drawn
 */
record Axis(String name, boolean isLogarithmic) {
  private static final int TICKS = 6; // at most

  /**
   * Where numbers are on it.
   *
   * @param low what is at 0
   * @param high what is at 1, more than {@code low}
   */
  record Scale(double low, double high, boolean isLogarithmic, List<Double> ticks) {
    /** From 0 to 1. */
    double share(double number) {
      return isLogarithmic
          ? Math.log(number / low) / Math.log(high / low)
          : (number - low) / (high - low);
    }
  }

  /** For numbers that are all to be on it, with some room. */
  Scale scale(double... numbers) {
    double low = Arrays.stream(numbers).min().orElse(0);
    double high = Arrays.stream(numbers).max().orElse(1);
    return isLogarithmic ? logarithmic(low, high) : linear(low, high);
  }

  private static Scale linear(double low, double high) {
    double room = high > low ? (high - low) * 0.05 : 1;
    double step = step(high - low + 2 * room);
    List<Double> ticks = new ArrayList<>();
    for (long i = (long) Math.ceil((low - room) / step); i * step <= high + room; i++) {
      ticks.add(i * step);
    }
    return new Scale(low - room, high + room, false, ticks);
  }

  private static Scale logarithmic(double low, double high) {
    if (low <= 0) {
      throw new IllegalArgumentException("logarithmic axis: expected numbers above 0, got " + low);
    }
    double from = Math.pow(10, Math.floor(Math.log10(low)));
    double to = Math.pow(10, Math.ceil(Math.log10(high) + 1e-9));
    List<Double> ticks = new ArrayList<>();
    for (double tick = from; tick <= to * 1.0001; tick *= 10) {
      ticks.add(tick);
    }
    return new Scale(from, to > from ? to : 10 * from, true, ticks);
  }

  /** 1, 2 or 5 times a power of ten. */
  static double step(double range) {
    double least = range / TICKS;
    double power = Math.pow(10, Math.floor(Math.log10(least)));
    for (double factor : new double[] {1, 2, 5}) {
      if (factor * power >= least) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  /** As short as can be: {@code 0.05}, {@code 12}, {@code 1,500}. */
  static String text(double number) {
    double shown = Math.abs(number) < 1e-12 ? 0 : number;
    if (shown == Math.rint(shown)) {
      return String.format(Locale.ROOT, "%,.0f", shown);
    }
    return String.format(Locale.ROOT, "%.6f", shown).replaceFirst("0+$", "");
  }
}
