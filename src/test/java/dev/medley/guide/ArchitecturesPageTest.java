package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Architecture;
import dev.medley.model.Head;
import dev.medley.model.TextModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the page on architectures says of models, tasks and refused keys is so. */
class ArchitecturesPageTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path PAGE = Path.of("src", "site", "markdown", "architectures.md");
  private static final List<Task> TASKS =
      List.of(
          FeatureExtraction.AUTO,
          TextClassification.AUTO,
          TokenClassification.AUTO,
          TextGeneration.AUTO,
          TextScoring.AUTO);

  @TempDir Path folder;

  /** Cells of the rows of the table with that header. */
  private static List<String[]> rows(String header) throws IOException {
    List<String> lines = Files.readAllLines(PAGE);
    List<String[]> rows = new ArrayList<>();
    for (int i = lines.indexOf(header) + 2; lines.get(i).startsWith("|"); i++) {
      String[] cells = lines.get(i).replace("`", "").split("\\|");
      rows.add(Arrays.stream(cells).skip(1).map(String::strip).toArray(String[]::new));
    }
    return rows;
  }

  @Test
  void modelsAndTheirTasks() throws IOException {
    Map<String, String> said = new TreeMap<>();
    for (String[] row : rows("| `model_type` | class in transformers, such as | tasks | paper |")) {
      said.put(row[0], row[2]);
    }
    Map<String, String> found = new TreeMap<>();
    for (Architecture architecture : Architecture.values()) {
      String tasks =
          TASKS.stream()
              .filter(task -> architecture.has(task.head()))
              .map(Task::pipeline)
              .collect(Collectors.joining(", "));
      architecture.modelTypes().forEach(type -> found.put(type, tasks));
    }
    assertThat(said).isEqualTo(found);
  }

  @Test
  void classesAreThoseOfTheFixturesConfigs() throws IOException {
    for (String[] row : rows("| `model_type` | class in transformers, such as | tasks | paper |")) {
      ObjectNode config = config(row[0]);
      assertThat(config.get("architectures").get(0).asText()).as(row[0]).isEqualTo(row[1]);
    }
  }

  @Test
  void headsAreNamedAsTransformersDoes() throws IOException {
    for (String[] row :
        rows("| task | the base's class ends in | where neither base nor adapter has the head |")) {
      for (String name : row[0].split(", ")) {
        Task task =
            TASKS.stream().filter(each -> each.pipeline().equals(name)).findFirst().orElseThrow();
        if (task.head() != Head.NONE) {
          assertThat(row[1]).contains(task.head().in("BertModel").replace("Bert", ""));
        }
      }
    }
  }

  static Stream<Arguments> refused() throws IOException {
    List<Arguments> refused = new ArrayList<>();
    for (String[] row : rows("| `model_type` | key in `config.json` | because it |")) {
      for (String type : types(row[0])) {
        for (String key : row[1].split(", ")) {
          refused.add(Arguments.of(type, key, row[2]));
        }
      }
    }
    return refused.stream();
  }

  private static List<String> types(String cell) {
    return Arrays.stream(Architecture.values())
        .filter(
            each ->
                cell.equals("all")
                    || cell.equals("encoders") && each.kind() == Architecture.Kind.ENCODER
                    || List.of(cell.split(", ")).contains(each.modelTypes().get(0)))
        .map(each -> each.modelTypes().get(0))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("refused")
  void keysThatAreRefused(String type, String key, String because) throws IOException {
    ObjectNode config = config(type);
    config.putObject(key).put("sparkle", true);
    Files.writeString(folder.resolve("config.json"), config.toString());
    Files.copy(fixture(type).resolve("model.safetensors"), folder.resolve("model.safetensors"));
    Location base = Location.of(folder.toString());
    assertThatThrownBy(() -> TextModel.outline(Storage.standard(), base, Head.NONE))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(key + ": ")
        .hasMessageContaining(because);
  }

  /** Of a fixture. */
  private static ObjectNode config(String type) throws IOException {
    return (ObjectNode) JSON.readTree(fixture(type).resolve("config.json").toFile());
  }

  private static Path fixture(String type) {
    String name = type.equals("xlm-roberta") ? "xlm-roberta-token" : type;
    boolean isEncoder = Fixtures.folders("models").contains(name);
    return Fixtures.path((isEncoder ? "models/" : "decoders/") + name);
  }
}
