package dev.medley.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.medley.notebook.CellException.CompileError;
import dev.medley.notebook.CellException.Interrupted;
import dev.medley.notebook.CellException.Uncaught;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 5, unit = TimeUnit.MINUTES)
class JavaShellTest {
  private static final JavaShell SHELL = new JavaShell(new SparkJobs());
  private static int cells;

  @AfterAll
  static void close() {
    SHELL.close();
  }

  @Test
  void valueOfTheLastExpressionIsShown() throws CellException {
    assertThat(text("int a = 20;\nint b = 1;\n2 * (a + b)")).isEqualTo("42");
    assertThat(text("a")).isEqualTo("20");
    assertThat(text("List.of(1, 2)")).isEqualTo("[1, 2]");
  }

  @Test
  void nothingIsShownOfWhatHasNoValue() throws CellException {
    for (String cell :
        new String[] {
          "",
          "// words",
          "int c = 3;",
          "int d; d = 4",
          "void f() {}",
          "f();",
          "Object none = null; none"
        }) {
      assertThat(run(cell)).as(cell).isNull();
    }
  }

  @Test
  void declarationsGoOnFromCellToCell() throws CellException {
    run(
        """
        // a type and a method

        record Point(int x, int y) {
          int sum() {
            return x + y;
          }
        }
        /** Says it. */
        String said(Point point) {
          return "sum " + point.sum();
        }
        """);
    assertThat(text("said(new Point(1,\n    2))")).isEqualTo("sum 3");
  }

  @Test
  void valueThatKnowsHowToShowItselfDoes() throws CellException {
    assertThat(run("html(\"<b>bold</b>\")"))
        .isEqualTo(Map.of("text/html", "<b>bold</b>", "text/plain", "bold"));
  }

  @Test
  void compileErrorSaysTheLineOfTheCell() {
    CompileError error =
        catchThrowableOfType(
            CompileError.class,
            () -> run("int fine = 1;\n\nString wrong =\n    missing + 1;\nint after = 2;"));
    assertThat(error.lines())
        .containsExactly(
            "cell " + cells + ", line 4: cannot find symbol",
            "  symbol:   variable missing",
            "        missing + 1;",
            "        ^");
    assertThat(error).hasMessage("cell " + cells + ", line 4: cannot find symbol");
    assertThat(catchThrowableOfType(CompileError.class, () -> run("int x = (1;")).lines())
        .containsExactly(
            "cell " + cells + ", line 1: ')' expected", "    int x = (1;", "              ^");
  }

  @Test
  void methodThatCallsWhatIsNotThereIsAnError() {
    CompileError error =
        catchThrowableOfType(CompileError.class, () -> run("\nint g() {\n  return nowhere();\n}"));
    assertThat(error)
        .hasMessage("cell " + cells + ", line 2: g refers to method nowhere(), declared nowhere");
  }

  @Test
  void exceptionHasTheFramesOfCellsAndNoOthers() throws CellException {
    run(
        "\nint half(int n) {\n  if (n % 2 == 1) {\n    throw new IllegalStateException(\"odd\");\n  }\n  return n / 2;\n}");
    int declared = cells;
    Uncaught thrown =
        catchThrowableOfType(
            Uncaught.class,
            () ->
                run(
                    "int six = 6;\nList.of(six, 7).stream()\n    .map(n -> half(n))\n    .toList()"));
    assertThat(thrown.lines())
        .containsExactly(
            "java.lang.IllegalStateException: odd",
            "    at cell " + declared + ", line 4, in half",
            "    at cell " + cells + ", line 3",
            "    at cell " + cells + ", line 4");
  }

  @Test
  void causesAreTold() {
    Uncaught thrown =
        catchThrowableOfType(
            Uncaught.class,
            () ->
                run(
                    "throw new RuntimeException(\"outer\", new IllegalArgumentException(\"inner\"));"));
    assertThat(thrown.lines())
        .contains(
            "java.lang.RuntimeException: outer",
            "caused by java.lang.IllegalArgumentException: inner");
  }

  @Test
  void interruptEndsWhatSleepsAndTheShellGoesOn() throws Exception {
    run("int kept = 7;");
    assertInterrupted("Thread.sleep(600_000);\nint never = 1;");
    assertThat(text("kept")).isEqualTo("7");
    assertThat(catchThrowableOfType(CompileError.class, () -> run("never"))).isNotNull();
  }

  @Test
  void interruptEndsALoopThatNeverAsks() throws Exception {
    assertInterrupted("long n = 0; while (true) { n++; }");
    assertThat(text("1 + 1")).isEqualTo("2");
  }

  @Test
  void interruptWithoutACellDoesNothing() throws CellException {
    SHELL.interrupt();
    assertThat(text("3")).isEqualTo("3");
  }

  @Test
  void completesInTheLastStatement() throws CellException {
    run("String word = \"medley\";");
    JavaShell.Completions found = SHELL.complete("int q = 1;\nword.toUpp", 21);
    assertThat(found.texts()).contains("toUpperCase(");
    assertThat("int q = 1;\nword.toUpp".substring(found.from(), found.to())).isEqualTo("toUpp");
  }

  @Test
  void knowsWhatWantsMoreLines() {
    assertThat(SHELL.isComplete("int a = 1;")).isTrue();
    assertThat(SHELL.isComplete("for (int i = 0; i < 3; i++) {")).isFalse();
  }

  private static void assertInterrupted(String source) throws Exception {
    CompletableFuture<Throwable> end = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                run(source);
                end.complete(null);
              } catch (Throwable e) {
                end.complete(e);
              }
            });
    thread.start();
    while (!isRunning("cell")) {
      Thread.sleep(20);
    }
    SHELL.interrupt();
    assertThat(end.get(60, TimeUnit.SECONDS)).isInstanceOf(Interrupted.class);
  }

  /** Whether that thread is in a cell's code. */
  private static boolean isRunning(String name) {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(thread -> thread.getKey().getName().equals(name))
        .flatMap(thread -> java.util.Arrays.stream(thread.getValue()))
        .anyMatch(frame -> frame.getClassName().startsWith("REPL."));
  }

  private static String text(String source) throws CellException {
    return run(source).get("text/plain");
  }

  private static Map<String, String> run(String source) throws CellException {
    return SHELL.run(++cells, source);
  }
}
