package dev.medley.job;

import java.util.Locale;

/** Pieces of a page, in which nothing is markup that was data. */
final class Html {
  private Html() {}

  /** Text as text. */
  static String text(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }

  /** A whole number for people, such as {@code 12,345}, and for machines. */
  static String number(long value) {
    return data(Long.toString(value), grouped(value));
  }

  /** Such as {@code 0.034}, {@code 7.25} or {@code 12,345}: about three digits. */
  static String number(double value) {
    int digits = value == 0 || value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
    String shown = String.format(Locale.ROOT, "%,." + digits + "f", value);
    return data(Double.toString(value), shown);
  }

  /** Bytes for people, such as {@code 1.3 MiB}, and for machines. */
  static String bytes(long value) {
    return data(Long.toString(value), Table.bytes(value));
  }

  /** A bar as long as a share of its whole, which the figure beside it says in words. */
  static String bar(double share) {
    double percent = 100 * Math.max(0, Math.min(1, share));
    return String.format(
        Locale.ROOT,
        "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span>",
        percent);
  }

  private static String data(String value, String shown) {
    return "<data value=\"" + value + "\">" + shown + "</data>";
  }

  static String grouped(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }
}
