package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** {@code explain} end to end, in local mode. */
class ExplainTest {
  private static final Path BASE = Fixtures.path("models/bert-sequence");

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;
  private String job;

  /** Two files, each a partition: texts of 4, 2 and 6 tokens as they are estimated. */
  @BeforeEach
  void writeJob() throws IOException {
    String text =
        """
        medley {
          base = "%s"
          task = "text-classification"
          adapters { qv = "%s/adapters/qv", seven = "%s/adapters/head-7-labels" }
          input { format = json, path = "%s/in" }
          output { format = json, path = "%s/out" }
          device = cpu
          batch-size = 2
          merging = run
        }
        """
            .formatted(BASE, BASE, BASE, folder, folder);
    job = Files.writeString(folder.resolve("job.conf"), text).toString();
    Files.createDirectories(folder.resolve("in"));
    Files.write(folder.resolve("in/a.jsonl"), rows(6, "a lazy dog", "qv"));
    List<String> others = new ArrayList<>(rows(3, "9 !", "__base__"));
    others.addAll(rows(2, "the red fox jumps", "seven"));
    others.addAll(rows(1, "a lazy dog", "0.5*qv"));
    others.addAll(rows(1, "nobody scores this", "qw"));
    others.addAll(rows(1, "nor this", "2**qv"));
    Files.write(folder.resolve("in/b.jsonl"), others);
  }

  private static List<String> rows(int n, String text, String adapter) {
    String row = "{\"text\": \"" + text + "\", \"adapter\": \"" + adapter + "\"}";
    return java.util.Collections.nCopies(n, row);
  }

  private CommandLineRun explain(String... more) {
    List<String> args = new ArrayList<>(List.of("explain", job));
    args.addAll(List.of(more));
    return CommandLineRun.of(args.toArray(String[]::new));
  }

  /** Predicted seconds are the machine's, threads those of the first engine in this JVM. */
  private static String withoutSeconds(String out) {
    return out.replaceAll("(?<![0-9])[0-9]+\\.[0-9]{3}(?= )(?! ×)", "N.NNN")
        .replaceAll("[0-9]+ of each task", "N of each task");
  }

  @Test
  void setsAndSumsAreShownAndNothingIsScored() {
    CommandLineRun run = explain();
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(withoutSeconds(run.out()))
        .isEqualTo(
            """
            SET       ROWS  TOKENS*  PARTS  BATCHES  MODE                SECONDS  TO LOAD
            qv        6     24       1      3        merged per run      N.NNN    4.3 KiB
            seven     2     12       1      1        merged per product  N.NNN    4.1 KiB
            __base__  3     6        1      2        base                N.NNN    0 B
            0.5*qv    1     4        1      1        merged per product  N.NNN    4.3 KiB
            * estimated from the bytes of texts

            rows            14 in 2 partitions
            rows in error   2 that name no adapter of the job
            tokens          46, estimated
            sets            4
            adapters        2, 8.4 KiB
            adapter memory  1.0 GiB of an executor
            loads           3 where rows stay, 3 where they are moved
            affinity        off: fewer than 16 adapters and sets have names; the plan would be 4 sets in 2
                            partitions, 3 loads, the largest partition 1.260 × the mean; it saves 0 tokens =
                            100 · (3 - 3 loads) + 30 · (3 - 3 runs), costs 10414 = 1 · 14 rows + 100 · 2 · 2
                            partitions + 10000
            window          8192 rows
            batches         about 7 of at most 2 rows and 4096 tokens
            base products   N.NNN s*
            changes         N.NNN s*
            merged weights  at most 18.4 KiB of a set, merge memory 512.0 MiB of a task
            device          cpu, passes at a time: one of each task
            threads         N of each task, 2 tasks at a time
                * of one task after the other, by a measurement of this machine's processor; attention, heads,
                  tokens and loads not counted
            """);
    assertThat(run.out().lines()).allMatch(line -> line.length() <= Table.WIDTH);
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void rowsThatWouldBeMovedAreShownWhereTheyGo() {
    String out = explain("adapter-affinity=on").out().replaceAll("\\s+", " ");
    assertThat(out).contains(" affinity on: 4 sets in 2 partitions, 3 loads, ");
    assertThat(out).contains(" loads 3 where rows stay, 3 where they are moved ");
  }

  @Test
  void setsBeyondTwentyAreSummedUnlessAllAreAskedFor() throws IOException {
    List<String> many = new ArrayList<>();
    for (int i = 1; i <= 22; i++) {
      many.addAll(rows(i, "a lazy dog", "0." + (i < 10 ? "0" : "") + i + "*qv"));
    }
    Files.write(folder.resolve("many.jsonl"), many);
    String path = "input.path=" + folder + "/many.jsonl";
    String out = explain(path).out();
    assertThat(withoutSeconds(out))
        .contains("\nand 2 more: 3 rows, 12 tokens, N.NNN s, 4.3 KiB; --all shows them\n");
    assertThat(out).contains("\n0.22*qv ", "\n0.03*qv ").doesNotContain("\n0.02*qv ");
    assertThat(explain(path, "--all").out()).contains("\n0.01*qv ").doesNotContain(" more: ");
  }

  @Test
  void jobWithoutAdaptersIsTheBases() {
    String out = explain("input.adapter=null", "adapters=null").out();
    assertThat(out.lines().skip(1).findFirst().orElse("")).startsWith("__base__  14 ");
    assertThat(out.replaceAll("\\s+", " "))
        .contains("affinity off: no column of adapters;", "rows in error 0 that");
  }

  @Test
  void problemsAreShownAsValidateShowsThem() {
    CommandLineRun run = explain("sets.s=[qv, qx]", "input.text=body");
    assertThat(run.code()).isEqualTo(Medley.FAILED);
    assertThat(run)
        .isEqualTo(CommandLineRun.of("validate", job, "sets.s=[qv, qx]", "input.text=body"));
    assertThat(run.out()).endsWith("problems  2\n");
  }
}
