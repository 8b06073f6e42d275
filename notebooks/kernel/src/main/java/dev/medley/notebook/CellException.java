package dev.medley.notebook;

import java.util.List;

/** Why a cell did not end well, in words for who wrote it; a notebook shows the class's name. */
abstract sealed class CellException extends Exception {
  private static final long serialVersionUID = 1L;

  private final List<String> lines;

  private CellException(String message, List<String> lines) {
    super(message, null, false, false);
    this.lines = List.copyOf(lines);
  }

  /** All that is to be said, the message in the first line. */
  List<String> lines() {
    return lines;
  }

  /** What javac says, with the place in the cell. */
  static final class CompileError extends CellException {
    private static final long serialVersionUID = 1L;

    CompileError(String message, List<String> lines) {
      super(message, lines);
    }
  }

  /** What was thrown, its causes, and the lines of cells that it came through. */
  static final class Uncaught extends CellException {
    private static final long serialVersionUID = 1L;

    Uncaught(String message, List<String> lines) {
      super(message, lines);
    }
  }

  /** The cell was interrupted. */
  static final class Interrupted extends CellException {
    private static final long serialVersionUID = 1L;

    Interrupted(String message) {
      super(message, List.of(message));
    }
  }
}
