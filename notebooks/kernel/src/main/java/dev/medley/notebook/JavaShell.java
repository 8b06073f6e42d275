package dev.medley.notebook;

import dev.medley.notebook.CellException.CompileError;
import dev.medley.notebook.CellException.Interrupted;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.Diag;
import jdk.jshell.ExpressionSnippet;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.Snippet.Status;
import jdk.jshell.Snippet.SubKind;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.Completeness;
import jdk.jshell.SourceCodeAnalysis.CompletionInfo;
import jdk.jshell.SourceCodeAnalysis.Suggestion;
import jdk.jshell.UnresolvedReferenceException;
import jdk.jshell.spi.ExecutionControl;
import jdk.jshell.spi.ExecutionControlProvider;
import jdk.jshell.spi.ExecutionEnv;

/**
 * Cells of Java, compiled against this JVM's class path and run in it: imports, declarations,
 * statements and expressions, as JShell has them. One cell at a time; only {@link #interrupt} may
 * come from another thread.
 */
final class JavaShell implements AutoCloseable {
  private static final List<String> IMPORTS =
      List.of(
          "import java.util.*;",
          "import java.util.stream.*;",
          "import static dev.medley.notebook.Show.*;");

  /** How long a cell may take to end after an interrupt, before its thread is ended. */
  private static final long GRACE_MS = 5000;

  private final SparkJobs jobs;
  private final CellExecution execution;
  private final JShell shell;
  private final SourceCodeAnalysis analysis;
  private final Cells cells;
  private final Object lock = new Object();
  private volatile int cell; // its number, 0 while none runs; written under lock
  private volatile boolean isInterrupted; // written under lock

  /** What may stand at {@code from} to {@code to} in a cell. */
  record Completions(List<String> texts, int from, int to) {}

  JavaShell(SparkJobs jobs) {
    this.jobs = jobs;
    execution = new CellExecution(() -> jobs.describe("cell " + cell));
    shell =
        JShell.builder()
            .executionEngine(
                new ExecutionControlProvider() {
                  @Override
                  public String name() {
                    return "cells";
                  }

                  @Override
                  public ExecutionControl generate(
                      ExecutionEnv environment, Map<String, String> parameters) {
                    return execution;
                  }
                },
                Map.of())
            .compilerOptions("-Xlint:none", "-proc:none")
            .build();
    analysis = shell.sourceCodeAnalysis();
    cells = new Cells(analysis);
    IMPORTS.forEach(shell::eval);
  }

  /**
   * Runs a cell.
   *
   * @param number of the cell, from 1
   * @return the value of its last expression as it is shown, by MIME type; null for nothing
   */
  Map<String, String> run(int number, String source) throws CellException {
    synchronized (lock) {
      isInterrupted = false;
      cell = number;
    }
    try {
      Object value = value(source);
      return value == null ? null : shown(value);
    } finally {
      synchronized (lock) {
        cell = 0;
      }
    }
  }

  /** In the cells' thread: a Dataset is only now computed. */
  private Map<String, String> shown(Object value) throws CellException {
    try {
      return execution.call(() -> Show.mime(value));
    } catch (Exception e) {
      if (isInterrupted) {
        throw new Interrupted("The cell was interrupted while its value was computed");
      }
      throw cells.uncaught(e);
    }
  }

  private Object value(String source) throws CellException {
    Object value = null;
    List<Snippet> snippets = new ArrayList<>();
    String rest = source;
    while (!rest.isBlank()) {
      CompletionInfo info = analysis.analyzeCompletion(rest);
      if (info.completeness() == Completeness.EMPTY) { // nothing but comments
        break;
      }
      boolean isComplete = info.completeness().isComplete();
      String code = isComplete ? info.source() : rest;
      String remaining = isComplete ? info.remaining() : "";
      value = null;
      int from = source.length() - rest.length();
      for (SnippetEvent event : shell.eval(code)) {
        Snippet snippet = event.snippet();
        if (event.causeSnippet() == null) {
          cells.add(snippet, cell, source, from);
          check(event);
          snippets.add(snippet);
          value = hasValue(snippet) ? execution.value() : null;
        } else {
          cells.compiledAnew(snippet);
        }
      }
      rest = remaining;
    }
    for (Snippet snippet : snippets) {
      checkResolved(snippet);
    }
    return value;
  }

  private void check(SnippetEvent event) throws CellException {
    Snippet snippet = event.snippet();
    if (event.status() == Status.REJECTED) {
      List<Diag> errors = shell.diagnostics(snippet).filter(Diag::isError).toList();
      throw cells.compileError(snippet, errors);
    }
    if (isInterrupted) {
      throw new Interrupted("The cell was interrupted in " + cells.place(snippet));
    }
    if (event.exception() instanceof UnresolvedReferenceException unresolved) {
      checkResolved(unresolved.getSnippet());
    } else if (event.exception() != null) {
      throw cells.uncaught(execution.thrown());
    }
  }

  /** JShell lets declarations wait for what they refer to. */
  private void checkResolved(Snippet snippet) throws CompileError {
    Status status = shell.status(snippet);
    if (snippet instanceof DeclarationSnippet declared
        && (status == Status.RECOVERABLE_DEFINED || status == Status.RECOVERABLE_NOT_DEFINED)) {
      String missing =
          shell.unresolvedDependencies(declared).sorted().collect(Collectors.joining(", "));
      String message =
          cells.place(snippet)
              + ": "
              + declared.name()
              + " refers to "
              + missing
              + ", declared nowhere";
      throw new CompileError(message, List.of(message));
    }
  }

  private static boolean hasValue(Snippet snippet) {
    return snippet instanceof ExpressionSnippet
        ? snippet.subKind() != SubKind.ASSIGNMENT_SUBKIND
        : snippet.subKind() == SubKind.TEMP_VAR_EXPRESSION_SUBKIND;
  }

  /**
   * Cancels the cell that runs: its Spark jobs and its thread, for some seconds by asking, then by
   * ending the thread. Returns when the cell has ended; the shell goes on with all it knows.
   */
  void interrupt() {
    int interrupted = cell;
    if (interrupted == 0) {
      return;
    }
    long start = System.nanoTime();
    while (true) {
      synchronized (lock) { // so that it does not meet the next cell
        if (cell != interrupted) {
          return;
        }
        isInterrupted = true;
        if (System.nanoTime() - start < GRACE_MS * 1_000_000) {
          execution.stop();
        } else {
          execution.kill();
        }
        try {
          jobs.cancel();
        } catch (RuntimeException e) {
          // of a Spark that is stopping: the cell ends all the same
        }
      }
      try {
        Thread.sleep(100);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  /** What may stand at a place in a cell. */
  Completions complete(String source, int cursor) {
    int from = 0;
    while (true) {
      CompletionInfo info = analysis.analyzeCompletion(source.substring(from));
      int next = source.length() - info.remaining().length();
      if (!info.completeness().isComplete() || next <= from || next >= cursor) {
        break;
      }
      from = next;
    }
    int[] anchor = {cursor - from};
    List<String> texts =
        analysis.completionSuggestions(source.substring(from), cursor - from, anchor).stream()
            .map(Suggestion::continuation)
            .distinct()
            .toList();
    return new Completions(texts, from + anchor[0], cursor);
  }

  /** Whether a cell could be run as it is, or wants more lines. */
  boolean isComplete(String source) {
    String rest = source;
    while (!rest.isBlank()) {
      CompletionInfo info = analysis.analyzeCompletion(rest);
      if (!info.completeness().isComplete()) {
        return info.completeness() != Completeness.DEFINITELY_INCOMPLETE;
      }
      rest = info.remaining();
    }
    return true;
  }

  @Override
  public void close() {
    shell.close();
  }
}
