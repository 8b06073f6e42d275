package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.job.CommandLineRun;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The benchmark runs, and compares what it times; what it measures is no test's business. */
class BenchTest {
  private static final EncoderShape TINY = new EncoderShape(64, 128, 2, 4, 2000);

  @TempDir Path folder;

  @Test
  void generationTimesTheBaseAndItsAdapters() {
    CommandLineRun run =
        CommandLineRun.of(
            "bench",
            "generation",
            "--quick",
            "--runs=1",
            "--rows=4",
            "--new-tokens=3",
            "--adapters=2");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(run.out().lines().toList())
        .hasSize(5)
        .satisfies(
            lines -> {
              assertThat(lines.get(0)).contains("4 prompts, 3 new tokens each; 2 LoRA adapters");
              assertThat(lines.get(2)).matches("base +\\d+\\.\\d +\\d+\\.\\d +1\\.000 *");
              assertThat(lines.get(3)).startsWith("1 adapter ");
              assertThat(lines.get(4)).startsWith("2 adapters ");
            });
  }

  private CommandLineRun tiny(String... more) {
    Path model = folder.resolve("tiny");
    EncoderFolder.write(model, TINY);
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "bench",
                "--quick",
                "--model=" + model,
                "--rows=16",
                "--runs=2",
                "--json=" + folder.resolve("figures.json")));
    arguments.addAll(List.of(more));
    return CommandLineRun.of(arguments.toArray(String[]::new));
  }

  @Test
  void scoringOfATinyModelFillsTheTable() throws IOException {
    CommandLineRun run = tiny("--only=S1,S9,P10");

    assertThat(run.code()).as(run.out() + run.err()).isZero();
    assertThat(run.out())
        .contains("S1 1 adapter : base", "no --peft PYTHON given", "GFLOP/s")
        .containsPattern("good rows, bit for bit +the same");
    JsonNode figures =
        new ObjectMapper().readTree(folder.resolve("figures.json").toFile()).get("figures");
    assertThat(figures.findValuesAsText("id"))
        .containsExactly("P1", "P2", "P2", "P5", "P10", "P10", "S9", "S9");
    assertThat(figures.get(1).get("ours").get("all")).hasSize(2);
  }

  @Test
  void rowsAreTheSameBytesWhereThatIsAskedFor() {
    CommandLineRun run = tiny("--only=D1");

    assertThat(run.code()).as(run.out() + run.err()).isZero();
    assertThat(run.out())
        .contains("S1 deterministic : otherwise", "S3 deterministic : otherwise")
        .containsPattern("S1 deterministic, rows alone +0 of 4 differ")
        .containsPattern("S3 otherwise, rows alone +\\d+ of \\d+ differ");
  }

  @Test
  @Tag("long") // JVMs and Sparks of its own
  void everyFigureOfATinyModelIsMeasured() {
    CommandLineRun run = tiny();

    assertThat(run.code()).as(run.out() + run.err()).isZero();
    for (int figure = 1; figure <= 12; figure++) {
      assertThat(run.out()).contains("P" + figure + " ");
    }
    assertThat(run.out()).containsPattern("P11 +base loads of a JVM, 2 jobs of 2 +1 +1 +yes");
  }

  @Test
  void profileOfATinyModelSaysWhereTheTimeGoes() {
    CommandLineRun run = tiny("--profile=S4");

    assertThat(run.code()).as(run.out() + run.err()).isZero();
    assertThat(run.out())
        .contains("base: 16 rows, 1024 tokens", "S4: 16 rows, 1024 tokens")
        .contains("aten::addmm", "outside any");
  }

  @Test
  void unknownProfileIsRefusedByName() {
    CommandLineRun run = tiny("--profile=S77");

    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("--profile: expected one of S0, S1, ").contains("found S77");
  }

  @Test
  void unknownFigureIsRefusedByName() {
    CommandLineRun run = CommandLineRun.of("bench", "--only=P2,P77");

    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("--only: expected one of D1, P1, ").contains("found P77");
  }
}
