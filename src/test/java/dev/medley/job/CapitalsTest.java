package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The jobs in jobs/capitals as people run them: every row as transformers and PEFT have it. */
class CapitalsTest {
  private static final Path CAPITALS = Path.of("jobs", "capitals");
  private static final ObjectMapper JSON = new ObjectMapper();

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;

  /** What a job writes, by id. */
  private Map<String, JsonNode> scored(String job) throws IOException {
    String out = folder.resolve("out").toString();
    CommandLineRun run =
        CommandLineRun.of(
            "score", CAPITALS.resolve(job + ".conf").toString(), "output.path=" + out);
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).contains("errors           0\n");
    Map<String, JsonNode> rows = new HashMap<>();
    try (Stream<Path> parts = Files.list(Path.of(out))) {
      for (Path part : parts.filter(p -> p.getFileName().toString().startsWith("part-")).toList()) {
        for (String line : Files.readAllLines(part)) {
          JsonNode row = JSON.readTree(line);
          rows.put(row.get("id").asText(), row.get("prediction"));
        }
      }
    }
    return rows;
  }

  private static JsonNode expected(String job) throws IOException {
    return JSON.readTree(CAPITALS.resolve("expected.json").toFile()).get(job);
  }

  @ParameterizedTest
  @ValueSource(strings = {"prompts", "chats"})
  void everyTextIsTransformersAndPefts(String job) throws IOException {
    Map<String, JsonNode> rows = scored(job);
    JsonNode expected = expected(job);
    assertThat(rows).hasSize(24).hasSameSizeAs(expected);
    rows.forEach((id, row) -> assertThat(row).as(id).isEqualTo(expected.get(id)));
  }

  @Test
  void everyLikelihoodIsTransformersAndPefts() throws IOException {
    Map<String, JsonNode> rows = scored("answers");
    JsonNode expected = expected("answers");
    assertThat(rows).hasSize(48).hasSameSizeAs(expected);
    rows.forEach(
        (id, row) -> {
          double likelihood = expected.get(id).get("log_likelihood").asDouble();
          assertThat(row.get("log_likelihood").asDouble())
              .as(id)
              .isCloseTo(likelihood, within(1e-5 + 1e-4 * Math.abs(likelihood)));
          assertThat(row.get("is_greedy")).as(id).isEqualTo(expected.get(id).get("is_greedy"));
        });
  }

  @Test
  void filesAreSmall() throws IOException {
    try (Stream<Path> files = Files.walk(CAPITALS)) {
      long bytes = 0;
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        bytes += Files.size(file);
      }
      assertThat(bytes).isLessThan(300 << 10);
    }
  }
}
