package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.io.HubServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Jobs whose model and adapters are on the Hub. */
class HubJobTest {
  @RegisterExtension static final JobSession SESSION = new JobSession();

  private static final Path BASE = Fixtures.path("models/bert-sequence");

  @TempDir Path folder;
  private HubServer server;

  @BeforeEach
  void serve() throws IOException {
    server = new HubServer().ofThisJvm(folder.resolve("hf"));
    Map<String, byte[]> files = HubServer.files(BASE);
    files.keySet().removeIf(path -> path.startsWith("adapters/") || path.startsWith("refused/"));
    server.repo("job/bert").commit("main", files);
    Map<String, byte[]> adapters = HubServer.files(BASE.resolve("adapters"));
    adapters.keySet().removeIf(path -> !path.matches("(qv|head-2-labels|head-7-labels)/.*"));
    adapters.put("README.md", "Adapters".getBytes());
    adapters.put("docs/about.md", "them".getBytes());
    server.repo("job/adapters").commit("main", adapters);
    Files.writeString(
        folder.resolve("rows.jsonl"),
        """
        {"text": "the red fox", "adapter": "qv"}
        {"text": "a lazy dog", "adapter": "head-7-labels"}
        {"text": "9 !", "adapter": null}
        """);
  }

  @AfterEach
  void close() {
    server.close();
  }

  private CommandLineRun run(String command, String out, String models) throws IOException {
    Path job =
        Files.writeString(
            folder.resolve("job.conf"),
            """
            medley {
              %s
              task = "text-classification"
              input { format = json, path = "%s/rows.jsonl" }
              output { format = json, path = "%s/%s" }
              device = cpu
            }
            """
                .formatted(models, folder, folder, out));
    return CommandLineRun.of(command, job.toString());
  }

  private List<Row> rows(String out) {
    return SESSION.spark().read().json(folder + "/" + out).orderBy("text").collectAsList();
  }

  @Test
  void foldersOfARepositoryAreAdaptersByName() throws IOException {
    String onHub = "base = \"hf://job/bert\", adapters-from = \"hf://job/adapters@main/*\"";
    CommandLineRun validated = run("validate", "out", onHub);
    assertThat(validated.out() + validated.err())
        .contains("head-2-labels", "head-7-labels", "qv")
        .doesNotContain("docs", "README")
        .contains("hf://job/bert (text-classification)");
    assertThat(validated.code()).isEqualTo(Medley.OK);
    assertThat(run("score", "out", onHub).code()).isEqualTo(Medley.OK);
    String local = "base = \"" + BASE + "\", adapters-from = \"" + BASE + "/adapters/*\"";
    assertThat(run("score", "local", local).code()).isEqualTo(Medley.OK);
    assertThat(rows("out")).hasSize(3).isEqualTo(rows("local"));
  }

  @Test
  void adaptersAreNamedOneByOneToo() throws IOException {
    CommandLineRun run =
        run(
            "validate",
            "out",
            """
            base = "hf://job/bert@main"
              adapters {
                qv = "hf://job/adapters/qv"
                head = { path = "hf://job/adapters@main/head-7-labels" }
              }""");
    assertThat(run.out()).contains("problems  none", "qv", "head");
    assertThat(run.code()).isEqualTo(Medley.OK);
  }

  @Test
  void whatIsNoModelIsRefusedByTheLineThatNamesIt() throws IOException {
    CommandLineRun run =
        run(
            "validate",
            "out",
            """
            base = "hf://datasets/org/name"
              adapters { a = "hf://gpt2" }
              adapters-from = "hf://org/*\"""");
    assertThat(run.code()).isEqualTo(Medley.MISUSED);
    assertThat(run.err())
        .contains(
            "base: hf://datasets/org/name: expected a model, found a dataset",
            "a: hf://gpt2: expected hf://org/name[@revision][/folder], found no organisation",
            "adapters-from: hf://org: expected hf://org/name[@revision][/folder], found no");
  }
}
