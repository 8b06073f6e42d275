package dev.medley.spark;

import java.io.Serializable;

/**
 * How many tokens a row costs, told from the length of its text alone: a token is about {@value
 * #BYTES_PER_TOKEN} bytes of UTF-8, be it four Latin letters or a Chinese character and a bit. Sets
 * are compared by it, so that only what differs between them matters.
 *
 * @param most tokens of a text; longer ones are cut or errors
 * @param generated tokens that are made for each text
 */
record TokenEstimate(int most, int generated) implements Serializable {
  static final int BYTES_PER_TOKEN = 4;

  /** Of a row in error, which is read and no more. */
  static final int ERROR = 1;

  /** Such as {@code [CLS]} and {@code [SEP]}. */
  private static final int SPECIAL = 2;

  /** Of a row with so many bytes of text; one for a row without, which is in error. */
  long of(long bytes) {
    return bytes == 0 ? ERROR : Math.min(most, bytes / BYTES_PER_TOKEN + SPECIAL) + generated;
  }
}
