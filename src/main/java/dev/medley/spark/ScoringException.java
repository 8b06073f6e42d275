package dev.medley.spark;

import dev.medley.engine.RowException;

/** A row in error where errors fail the job; says where the row is and what is wrong with it. */
public final class ScoringException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final RowException cause; // null where nobody knows the row

  ScoringException(int partition, RowException row) {
    this(partition, row.row(), row);
  }

  private ScoringException(int partition, long index, RowException row) {
    super(
        "partition "
            + partition
            + ", row "
            + index
            + " (both from 0): "
            + row.error().code()
            + ": "
            + row.error().message(),
        row);
    cause = row;
  }

  /** A row that SQL asks the prediction of, wherever it is. */
  ScoringException(String call, String code, String message) {
    super(
        call + ": " + code + ": " + message + "; its try_ function gives the error beside the row");
    cause = null;
  }

  /** Which of the rows that its task reads it is. */
  long row() {
    return cause.row();
  }

  /** The same of a row that came to its task from elsewhere. */
  ScoringException at(int partition, long index) {
    return new ScoringException(partition, index, cause);
  }
}
