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
    assertThat(predicted(expected()))
        .isEqualTo(ids(List.of("classification", "regression", "tokens", "embedding")));
    assertThat(predicted(Expected.SETS)).isEqualTo(ids(List.of("mixed")));
  }

  private static Map<String, Set<String>> ids(List<String> files) throws IOException {
    Map<String, Set<String>> ids = new HashMap<>();
    for (String file : files) {
      for (JsonNode row : rows(file)) {
        ids.computeIfAbsent(group(row), group -> new HashSet<>()).add(row.get("id").asText());
      }
    }
    return ids;
  }

  private static Map<String, Set<String>> predicted(JsonNode expected) {
    Map<String, Set<String>> predicted = new HashMap<>();
    expected
        .properties()
        .forEach(
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
    return predicted;
  }

  private static String group(JsonNode row) {
    String adapter = row.get("adapter").asText();
    return row.has("noise") ? row.get("noise").asText() + ": " + adapter : adapter;
  }

  @Test
  void statedAccuracyIsThatOfTheRows() throws IOException {
    List<JsonNode> rows = rows("classification");
    assertThat(rows).hasSizeGreaterThanOrEqualTo(300);
    assertThat(statedAccuracy(rows, expected())).hasSizeGreaterThanOrEqualTo(4);
  }

  @Test
  void statedAccuracyOfASetIsThatOfTheRows() throws IOException {
    assertThat(statedAccuracy(rows("mixed"), Expected.SETS)).hasSameSizeAs(Expected.SETS);
  }

  /** Checks it; the groups seen. */
  private static Set<String> statedAccuracy(List<JsonNode> rows, JsonNode expected) {
    Map<String, Integer> seen = new HashMap<>();
    Map<String, Integer> correct = new HashMap<>();
    for (JsonNode row : rows) {
      JsonNode prediction = expected.get(group(row)).get("rows").get(row.get("id").asText());
      seen.merge(group(row), 1, Integer::sum);
      correct.merge(
          group(row), prediction.get("label").equals(row.get("expected")) ? 1 : 0, Integer::sum);
    }

    seen.forEach(
        (group, n) -> {
          JsonNode stated = expected.get(group);
          assertThat(stated.get("n").asInt()).as(group).isEqualTo(n);
          assertThat(stated.get("correct").asInt()).as(group).isEqualTo(correct.get(group));
        });
    return seen.keySet();
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
    static final JsonNode ADAPTERS = read("expected.json");
    static final JsonNode SETS = read("expected-mixed.json");

    private static JsonNode read(String file) {
      try {
        return JSON.readTree(QUICKSTART.resolve(file).toFile()).get("adapters");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
