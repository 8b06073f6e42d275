package dev.medley.job;

/** More rows of a job are in error than its {@code max-error-rate} allows. */
final class TooManyErrorsException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  TooManyErrorsException(String message) {
    super(message);
  }
}
