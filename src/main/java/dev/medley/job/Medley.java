package dev.medley.job;

import dev.medley.io.Location;
import dev.medley.job.bench.Bench;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The command line, and the main class of spark-submit jobs. Exits with 0 when all is well, 1 when
 * a job failed or problems were found, 2 when the arguments or the job file are wrong.
 */
@Command(
    name = "medley",
    description = "Scores rows under HuggingFace PEFT adapters, each row under its own.",
    versionProvider = Medley.Version.class,
    subcommands = {
      Score.class,
      Validate.class,
      Explain.class,
      Inspect.class,
      SaveSet.class,
      Quickstart.class,
      Bench.class
    })
public final class Medley implements Runnable {
  static final int OK = 0;
  static final int FAILED = 1;
  static final int MISUSED = 2;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this and exit.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version and exit.")
  private boolean version;

  @Option(
      names = {"-v", "--stacktrace"},
      scope = ScopeType.INHERIT,
      description = "Show where in the code an error comes from.")
  private boolean stacktrace;

  @Spec private CommandSpec spec;

  /** Runs a command. */
  public static void main(String[] args) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    int code = run(out, err, args);
    if (code != OK) {
      System.exit(code); // spark-submit and YARN take a return for success
    }
  }

  /** The same without ending the JVM. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    Medley medley = new Medley();
    CommandLine line = new CommandLine(medley);
    line.setOut(out).setErr(err);
    line.setExpandAtFiles(false);
    line.setUsageHelpAutoWidth(false);
    line.setParameterExceptionHandler(medley::misused);
    line.setExecutionExceptionHandler(medley::failed);
    return line.execute(args);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "expected a command, found none");
  }

  private int misused(ParameterException e, String[] args) {
    CommandLine line = e.getCommandLine();
    String name = line.getCommandSpec().qualifiedName();
    PrintWriter err = line.getErr();
    err.println(name + ": " + Location.redacted(e.getMessage()));
    if (e.getCause() == null) { // else it is about a file
      err.println("Try '" + name + " --help'.");
    }
    trace(e, err);
    return MISUSED;
  }

  private int failed(Exception e, CommandLine line, ParseResult parsed) {
    PrintWriter err = line.getErr();
    err.println(line.getCommandSpec().qualifiedName() + " failed: " + Failure.message(e));
    trace(e, err);
    return FAILED;
  }

  private void trace(Exception e, PrintWriter err) {
    if (stacktrace) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace, true));
      err.print(Location.redacted(trace.toString()));
    }
    err.flush();
  }

  /** Of the jar that this runs from. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Medley.class.getPackage().getImplementationVersion();
      return new String[] {"medley " + (version == null ? "without a jar" : version)};
    }
  }
}
