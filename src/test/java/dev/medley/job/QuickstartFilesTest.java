package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The quickstart's adapters, rows and PEFT's predictions belong together. */
class QuickstartFilesTest {
  private static final Path QUICKSTART = Path.of("jobs", "quickstart");
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void everyRowHasPeftsPredictionAndThereIsNoOther() throws IOException {
    Map<String, Set<String>> rows = new HashMap<>();
    for (String file : List.of("classification", "regression", "tokens", "embedding")) {
      for (JsonNode row : rows(file)) {
        rows.computeIfAbsent(row.get("adapter").asText(), adapter -> new HashSet<>())
            .add(row.get("id").asText());
      }
    }

    Map<String, Set<String>> predicted = new HashMap<>();
    expected()
        .fields()
        .forEachRemaining(
            adapter ->
                adapter
                    .getValue()
                    .get("rows")
                    .fieldNames()
                    .forEachRemaining(
                        id ->
                            predicted
                                .computeIfAbsent(adapter.getKey(), name -> new HashSet<>())
                                .add(id)));
    assertThat(predicted).isEqualTo(rows);
  }

  @Test
  void statedAccuracyIsThatOfTheRows() throws IOException {
    Map<String, Integer> seen = new HashMap<>();
    Map<String, Integer> correct = new HashMap<>();
    for (JsonNode row : rows("classification")) {
      String adapter = row.get("adapter").asText();
      JsonNode prediction = expected().get(adapter).get("rows").get(row.get("id").asText());
      seen.merge(adapter, 1, Integer::sum);
      correct.merge(
          adapter, prediction.get("label").equals(row.get("expected")) ? 1 : 0, Integer::sum);
    }

    assertThat(seen).hasSizeGreaterThanOrEqualTo(4);
    assertThat(seen.values().stream().mapToInt(n -> n).sum()).isGreaterThanOrEqualTo(300);
    seen.forEach(
        (adapter, n) -> {
          JsonNode stated = expected().get(adapter);
          assertThat(stated.get("n").asInt()).as(adapter).isEqualTo(n);
          assertThat(stated.get("correct").asInt()).as(adapter).isEqualTo(correct.get(adapter));
        });
  }

  @Test
  void labelsOfTheRowsAreTheAdaptersOwn() throws IOException {
    for (JsonNode row : rows("classification")) {
      Path config = QUICKSTART.resolve("adapters/" + row.get("adapter").asText() + "/config.json");
      List<JsonNode> labels = new ArrayList<>();
      JSON.readTree(config.toFile()).get("id2label").forEach(labels::add);
      assertThat(labels).as(row.get("id").asText()).contains(row.get("expected"));
    }
  }

  @Test
  void adaptersAreSmall() throws IOException {
    long total = 0;
    try (Stream<Path> adapters = Files.list(QUICKSTART.resolve("adapters"))) {
      for (Path adapter : adapters.toList()) {
        long bytes = Files.size(adapter.resolve("adapter_model.safetensors"));
        assertThat(bytes).as(adapter.toString()).isLessThan(1 << 20);
        total += bytes;
      }
    }
    assertThat(total).isLessThan(5 << 20);
  }

  private static JsonNode expected() {
    return Expected.ADAPTERS;
  }

  private static List<JsonNode> rows(String name) throws IOException {
    List<JsonNode> rows = new ArrayList<>();
    for (String line : Files.readAllLines(QUICKSTART.resolve("rows-" + name + ".jsonl"))) {
      rows.add(JSON.readTree(line));
    }
    return rows;
  }

  private static final class Expected {
    static final JsonNode ADAPTERS = read();

    private static JsonNode read() {
      try {
        return JSON.readTree(QUICKSTART.resolve("expected.json").toFile()).get("adapters");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
