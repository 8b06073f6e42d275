package dev.medley.job;

import dev.medley.io.LoadException;
import dev.medley.io.Location;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A job file and what the command line says otherwise. */
final class JobArguments {
  @Parameters(index = "0", paramLabel = "JOB.conf", description = "Job file, HOCON.")
  private String file;

  @Parameters(
      index = "1..*",
      paramLabel = "key=value",
      description = "Wins over the job file, such as batch-size=64 or input.path=rows.jsonl.")
  private List<String> overrides = new ArrayList<>();

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /** Without a password, for people. */
  String file() {
    return Location.shown(file);
  }

  /** The job whole, with what the command line says: HOCON. */
  String text() {
    return JobFile.read(file, overrides).rendered();
  }

  /** What is wrong in the file counts as wrong arguments. */
  JobConf conf() {
    try {
      return JobConf.load(file, overrides);
    } catch (LoadException e) {
      throw new ParameterException(command.commandLine(), e.getMessage(), e);
    }
  }
}
