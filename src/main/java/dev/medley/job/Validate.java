package dev.medley.job;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Checks all of a job that can be checked without reading weights or scoring a row. */
@Command(
    name = "validate",
    description =
        "Checks a job file, its base, adapters, input columns and output; scores nothing.")
final class Validate implements Callable<Integer> {
  @Mixin private JobArguments job;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    JobConf conf = job.conf();
    return conf.inSession("medley validate " + job.file(), () -> validate(conf));
  }

  private int validate(JobConf conf) {
    JobCheck check = new JobCheck(conf, job.file(), Session.storage());
    PrintWriter out = spec.commandLine().getOut();
    out.print(check.shown(spec.commandLine().getColorScheme().ansi()));
    out.flush();
    return check.isFine() ? Medley.OK : Medley.FAILED;
  }
}
