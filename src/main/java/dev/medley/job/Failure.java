package dev.medley.job;

import dev.medley.engine.RowException;
import dev.medley.io.LoadException;
import dev.medley.io.Location;

/** What to tell of an exception in a scheduler's log. */
final class Failure {
  private Failure() {}

  /**
   * Medley's own message, however deep Spark has wrapped it; else that of the exception that was
   * caught, without the stack traces that Spark puts into messages. Passwords in URIs are left out.
   */
  static String message(Throwable thrown) {
    return Location.redacted(said(thrown));
  }

  private static String said(Throwable thrown) {
    for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
      if (cause instanceof LoadException || cause instanceof RowException) {
        return cause.getMessage();
      }
    }
    String message = String.valueOf(thrown.getMessage()).replaceAll("(?s)\\R\\tat .*", "");
    return thrown.getMessage() == null || thrown instanceof NullPointerException
        ? thrown + " (--stacktrace shows where)"
        : message.replaceAll("(?s)\\R+Driver stacktrace:.*", "").strip();
  }
}
