package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.LogCapture;
import dev.medley.io.RemoteFileSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.logging.log4j.Level;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Passwords in a job file, and all that the commands print. */
class SecretsOfJobsTest {
  private static final String PASSWORD = "correct-horse-battery-staple";
  private static final Path MODEL = Fixtures.path("models/bert-sequence");

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;
  private String job;

  @BeforeEach
  void writeJob() throws IOException {
    RemoteFileSystem.reset();
    System.setProperty("spark.hadoop.fs.remote.impl", RemoteFileSystem.class.getName());
    SESSION
        .spark()
        .sparkContext()
        .hadoopConfiguration()
        .set("fs.remote.impl", RemoteFileSystem.class.getName());
    String text =
        """
        medley {
          base = "%s"
          task = "text-classification"
          adapters { qv = "%s", none = "%s" }
          input { format = json, path = "%s/rows.jsonl" }
          output { format = json, path = "%s/out" }
        }
        """
            .formatted(
                remote(MODEL),
                remote(MODEL.resolve("adapters/qv")),
                remote(folder.resolve("none")),
                folder,
                folder);
    job = Files.writeString(folder.resolve("job.conf"), text).toString();
    Files.writeString(
        folder.resolve("rows.jsonl"),
        "{\"text\": \"a dog\", \"adapter\": \"qv\"}\n"
            + "{\"text\": \"a dog\", \"adapter\": \"none\"}\n");
  }

  @AfterEach
  void forgetTheScheme() {
    System.clearProperty("spark.hadoop.fs.remote.impl");
  }

  private static String remote(Path path) {
    return "remote://alice:" + PASSWORD + "@host" + path;
  }

  @Test
  void noCommandPrintsThem() {
    String elsewhere = remote(folder.resolve("elsewhere"));
    List<CommandLineRun> runs = new ArrayList<>();
    try (LogCapture log = new LogCapture(Level.INFO)) {
      CommandLineRun scored = run(Medley.OK, "score", job);
      assertThat(scored.out()).contains("rows             2\n", "errors           1: ");
      runs.add(scored);
      runs.add(run(Medley.MISUSED, "-v", "score", job, "output.path=" + elsewhere));
      runs.add(run(Medley.MISUSED, "-v", "score", job, "output.errors.path=" + elsewhere));
      runs.add(run(Medley.MISUSED, "-v", "score", job, "input.path=" + elsewhere));
      runs.add(run(Medley.FAILED, "-v", "score", job, "on-error=fail", "output.mode=overwrite"));
      runs.add(run(Medley.FAILED, "-v", "score", job, "base=" + elsewhere));
      runs.add(run(Medley.FAILED, "validate", job));
      runs.add(run(Medley.FAILED, "validate", job, "base=" + elsewhere));
      String registry = "adapters-from={ format = json, path = \"" + elsewhere + "\" }";
      runs.add(run(Medley.MISUSED, "validate", job, registry));
      runs.add(run(Medley.FAILED, "validate", job, "adapters-from=" + elsewhere + "/*"));
      runs.add(run(Medley.FAILED, "explain", job));
      runs.add(run(Medley.OK, "inspect", remote(MODEL)));
      runs.add(run(Medley.FAILED, "-v", "inspect", elsewhere));
      runs.add(
          run(Medley.FAILED, "-v", "save-set", job, "--set", "qv+none", "--to", folder + "/s"));
      runs.add(run(Medley.OK, "save-set", job, "--set", "qv", "--to", folder + "/s"));
      runs.add(run(Medley.MISUSED, "-v", "validate", job, "device=" + elsewhere));
      runs.add(run(Medley.MISUSED, "-v", "validate", job, "adapters-from=" + elsewhere));
      assertThat(log.text()).contains("remote://host").doesNotContain(PASSWORD);
    }
    assertThat(runs).allSatisfy(run -> assertThat(run.out() + run.err()).doesNotContain(PASSWORD));
    assertThat(folder.resolve("s/mixed_set.json")).content().doesNotContain(PASSWORD);
  }

  /** By what a job's own settings say of a scheme, as Spark reads and writes it. */
  @Test
  void outputIsLookedForWhereSparkWritesIt() {
    String out = "output.path=remote://host" + folder.resolve("there");
    String ignore = "output.mode=ignore";
    assertThat(run(Medley.OK, "score", job, out, ignore).out()).contains("rows             2\n");
    assertThat(run(Medley.OK, "score", job, out, ignore).out()).contains("rows             0\n");
    assertThat(run(Medley.FAILED, "score", job, out).err()).contains("PATH_ALREADY_EXISTS");
  }

  private static CommandLineRun run(int code, String... args) {
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.code())
        .as(String.join(" ", args) + "\n" + run.out() + run.err())
        .isEqualTo(code);
    return run;
  }
}
