package dev.medley.engine;

/**
 * One row's outcome.
 *
 * @param prediction null where the row failed
 * @param error null where there is nothing to say
 * @param lineage null where the spec does not ask for it
 */
public record Result(Prediction prediction, RowError error, Lineage lineage) {
  Result(Prediction prediction, RowError error) {
    this(prediction, error, null);
  }

  static Result failed(RowError.Code code, String message) {
    return new Result(null, new RowError(code, message));
  }

  Result from(Lineage origin) {
    return new Result(prediction, error, origin);
  }
}
