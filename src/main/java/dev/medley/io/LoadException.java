package dev.medley.io;

import java.util.List;

/**
 * Files that cannot be used. Says where, and for every problem found there what was expected, what
 * was found and what to do: all problems of one load at once.
 */
public class LoadException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** One problem; {@code where} names the file or folder. */
  public LoadException(String where, String problem) {
    this(where, List.of(problem));
  }

  /** All problems of one load; {@code where} names the file or folder. */
  public LoadException(String where, List<String> problems) {
    super(message(where, problems));
  }

  /** One problem with the exception behind it. */
  public LoadException(String where, String problem, Throwable cause) {
    super(message(where, List.of(problem)), cause);
  }

  /** The same once more, for another thread or at another time. */
  LoadException(LoadException again) {
    super(again.getMessage(), again);
  }

  private static String message(String where, List<String> problems) {
    if (problems.isEmpty()) {
      throw new IllegalArgumentException("a LoadException needs a problem; " + where + " has none");
    }
    return problems.size() == 1
        ? where + ": " + problems.get(0)
        : where + ": " + problems.size() + " problems:\n  " + String.join("\n  ", problems);
  }
}
