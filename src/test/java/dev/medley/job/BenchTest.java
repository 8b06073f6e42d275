package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The benchmark runs; what it measures is no test's business. */
class BenchTest {
  @Test
  void benchTimesTheBaseAndItsAdapters() {
    CommandLineRun run =
        CommandLineRun.of(
            "bench", "--quick", "--runs=1", "--rows=4", "--new-tokens=3", "--adapters=2");

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
}
