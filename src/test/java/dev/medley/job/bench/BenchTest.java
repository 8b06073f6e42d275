package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.job.CommandLineRun;
import java.io.IOException;
import java.nio.file.Path;
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

  @Test
  void scoringOfATinyModelFillsTheTable() throws IOException {
    Path model = folder.resolve("tiny");
    Path json = folder.resolve("figures.json");
    EncoderFolder.write(model, TINY);

    CommandLineRun run =
        CommandLineRun.of(
            "bench", "--quick", "--model=" + model, "--rows=16", "--runs=2", "--json=" + json);

    assertThat(run.code()).as(run.out() + run.err()).isZero();
    assertThat(run.out())
        .contains(
            "P2  S1 1 adapter : base", "S7 sets of 4 types", "no --peft PYTHON given", "GFLOP/s");
    JsonNode figures = new ObjectMapper().readTree(json.toFile()).get("figures");
    assertThat(figures).isNotEmpty();
    assertThat(figures.findValues("all"))
        .isNotEmpty()
        .allSatisfy(samples -> assertThat(samples).hasSize(2));
  }

  @Test
  void unknownFigureIsRefusedByName() {
    CommandLineRun run = CommandLineRun.of("bench", "--only=P2,P77");

    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("--only: expected one of P1, ").contains("found P77");
  }
}
