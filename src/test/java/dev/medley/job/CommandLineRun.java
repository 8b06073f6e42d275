package dev.medley.job;

import java.io.PrintWriter;
import java.io.StringWriter;

/** A command as it ran in this JVM. */
public record CommandLineRun(int code, String out, String err) {
  public static CommandLineRun of(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Medley.run(new PrintWriter(out), new PrintWriter(err), args);
    return new CommandLineRun(code, out.toString(), err.toString());
  }
}
