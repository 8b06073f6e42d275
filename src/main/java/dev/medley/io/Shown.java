package dev.medley.io;

import com.fasterxml.jackson.core.io.JsonStringEncoder;

/** Names and values out of files, fit for one line of a message: escaped, quoted and shortened. */
public final class Shown {
  private static final int LONGEST = 120;

  private Shown() {}

  /** As a JSON string. */
  public static String quoted(String text) {
    String start = text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "…";
    return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(start)) + '"';
  }

  /** A JSON value or other text as it stands, without line breaks. */
  public static String plain(Object value) {
    String text = String.valueOf(value).replaceAll("\\p{Cntrl}", " ");
    return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "…";
  }
}
