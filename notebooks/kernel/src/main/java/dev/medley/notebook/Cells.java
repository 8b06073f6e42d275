package dev.medley.notebook;

import dev.medley.notebook.CellException.CompileError;
import dev.medley.notebook.CellException.Uncaught;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdk.jshell.Diag;
import jdk.jshell.Snippet;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.SnippetWrapper;

/** Where the snippets of cells stand, and errors in those words. */
final class Cells {
  private final SourceCodeAnalysis analysis;
  private final Map<String, Place> starts = new HashMap<>(); // by the snippet's id
  private final Map<String, Compiled> classes = new HashMap<>(); // by the class made of a snippet

  /** A line of a cell, both counted from 1. */
  record Place(int cell, int line) {
    @Override
    public String toString() {
      return "cell " + cell + ", line " + line;
    }
  }

  private record Compiled(Snippet snippet, SnippetWrapper code) {}

  Cells(SourceCodeAnalysis analysis) {
    this.analysis = analysis;
  }

  /**
   * Remembers a snippet.
   *
   * @param source of its cell
   * @param from where in that it begins at the earliest
   */
  void add(Snippet snippet, int cell, String source, int from) {
    String found = snippet.source().replaceFirst(";$", ""); // which JShell may have put there
    int at = Math.max(from, source.indexOf(found, from));
    starts.put(snippet.id(), new Place(cell, 1 + lines(source, at)));
    compiledAnew(snippet);
  }

  /** A snippet may get another class when what it refers to changes. */
  void compiledAnew(Snippet snippet) {
    SnippetWrapper code = analysis.wrapper(snippet);
    classes.put(code.fullClassName(), new Compiled(snippet, code));
  }

  /** Of a position in a snippet's source. */
  Place place(Snippet snippet, int position) {
    Place start = starts.get(snippet.id());
    return new Place(start.cell, start.line + lines(snippet.source(), position));
  }

  /** Its first line. */
  Place place(Snippet snippet) {
    String source = snippet.source();
    return place(snippet, source.length() - source.stripLeading().length());
  }

  /** What javac says, each with its line and a mark below it. */
  CompileError compileError(Snippet snippet, List<Diag> errors) {
    String source = snippet.source();
    List<String> all = new ArrayList<>();
    for (Diag error : errors) {
      int at = (int) Math.max(0, Math.min(error.getPosition(), source.length()));
      int begin = source.lastIndexOf('\n', at - 1) + 1;
      int end = source.indexOf('\n', at) < 0 ? source.length() : source.indexOf('\n', at);
      String place = place(snippet, at) + ": ";
      for (String line : error.getMessage(Locale.ROOT).lines().toList()) {
        if (!line.strip().startsWith("location:")) { // a class of JShell's own
          all.add(place + line);
          place = "";
        }
      }
      all.add("    " + source.substring(begin, end));
      all.add("    " + " ".repeat(at - begin) + "^");
    }
    return new CompileError(all.isEmpty() ? "the cell does not compile" : all.get(0), all);
  }

  /** What was thrown, its causes, and the lines of cells that it came through. */
  Uncaught uncaught(Throwable thrown) {
    List<String> all = new ArrayList<>();
    String start = "";
    for (Throwable t = thrown; t != null; t = t.getCause()) {
      all.addAll((start + t.getClass().getName() + ": " + message(t)).lines().toList());
      for (StackTraceElement frame : t.getStackTrace()) {
        Place place = place(frame);
        if (place != null) {
          all.add("    at " + place + in(frame.getMethodName()));
        }
      }
      start = "caused by ";
    }
    return new Uncaught(all.get(0), all);
  }

  private static String in(String method) {
    return method.contains("$") || method.startsWith("<") ? "" : ", in " + method;
  }

  /** Null for a frame that is not of a cell. */
  private Place place(StackTraceElement frame) {
    String name = frame.getClassName();
    for (int end = name.length(); end > 0; end = name.lastIndexOf('$', end - 1)) {
      Compiled compiled = classes.get(name.substring(0, end)); // else a class within one
      if (compiled != null) {
        int wrapped = 0;
        for (int line = 1; line < frame.getLineNumber(); line++) {
          wrapped = compiled.code.wrapped().indexOf('\n', wrapped) + 1;
        }
        int last = compiled.code.wrapped().indexOf('\n', wrapped);
        int position = -1;
        for (int at = wrapped; position < 0 && at < last; at++) { // its first that is the cell's
          position = compiled.code.wrappedToSourcePosition(at);
        }
        return place(compiled.snippet, Math.max(0, position));
      }
    }
    return null;
  }

  /** Without the stack traces that Spark writes into messages. */
  private static String message(Throwable thrown) {
    StringBuilder kept = new StringBuilder();
    for (String line : String.valueOf(thrown.getMessage()).lines().toList()) {
      if (!line.matches("\\s+at .*|\\s+\\.\\.\\. \\d+ more|Driver stacktrace:|\\s*")) {
        kept.append(kept.isEmpty() ? "" : "\n").append(line);
      }
    }
    return kept.toString();
  }

  /** How many end before a position. */
  private static int lines(String text, int position) {
    return (int)
        text.substring(0, Math.min(position, text.length())).chars().filter(c -> c == '\n').count();
  }
}
