package dev.medley.job;

import dev.medley.engine.SetManifest;
import dev.medley.io.Storage;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Writes a set of a job's adapters as a manifest, which may then stand where an adapter does. */
@Command(
    name = "save-set",
    description =
        "Saves an ordered set of a job's adapters, with hashes, as a folder that may stand wherever"
            + " an adapter's may.")
final class SaveSet implements Callable<Integer> {
  @Mixin private JobArguments job;

  @Option(
      names = "--set",
      required = true,
      description = "A named set, or members as in an adapter column, such as 0.7*math+polite.")
  private String set;

  @Option(
      names = "--to",
      required = true,
      paramLabel = "FOLDER",
      description = "Where mixed_set.json is written.")
  private Path folder;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Storage storage = Session.storage();
    SetManifest.of(storage, job.conf().spec(storage), set).write(folder);
    spec.commandLine().getOut().println(folder.resolve(SetManifest.FILE));
    return Medley.OK;
  }
}
