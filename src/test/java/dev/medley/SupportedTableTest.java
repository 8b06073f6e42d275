package dev.medley;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterLoader;
import dev.medley.adapter.AdapterReport;
import dev.medley.adapter.AdapterType;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.RefusedType;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.OnePass;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import dev.medley.model.Architecture;
import dev.medley.model.DecoderFixture;
import dev.medley.model.Head;
import dev.medley.model.TextModel;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** README promises what the enums hold, no more and no less. */
class SupportedTableTest {
  /** Words in backquotes in the second column of the row that begins with {@code title}. */
  private static List<String> row(String title) throws IOException {
    String row =
        Files.readAllLines(Path.of("README.md")).stream()
            .filter(line -> line.startsWith("| " + title + " |"))
            .findFirst()
            .orElseThrow();
    String cell = row.split("\\|")[2];
    return Pattern.compile("`([^`]+)`").matcher(cell).results().map(m -> m.group(1)).toList();
  }

  /** Second cells of README's rows that begin with a name of {@code names}, by that name. */
  private static Map<String, String> cells(String header, Object[] names) throws IOException {
    List<String> lines = Files.readAllLines(Path.of("README.md"));
    int table = lines.indexOf(header);
    assertThat(table).as(header).isNotNegative();
    Map<String, String> cells = new LinkedHashMap<>();
    for (String line : lines.subList(table + 2, lines.size())) {
      if (!line.startsWith("|")) {
        break;
      }
      String[] row = line.split("\\|");
      cells.put(row[1].replace("`", "").strip(), row[2].strip());
    }
    assertThat(cells.keySet())
        .containsExactlyInAnyOrderElementsOf(Arrays.stream(names).map(Object::toString).toList());
    return cells;
  }

  /** The layers that README says a type runs on are those that fixtures of PEFT's prove. */
  @Test
  void adapterTypesAndTheirLayers() throws IOException {
    Map<String, String> layers = cells("| Adapter type | layers | |", AdapterType.values());
    for (AdapterType type : AdapterType.values()) {
      Set<String> proven = new TreeSet<>();
      for (String name : Fixtures.folders("adapters/" + type)) {
        proven.add(layer("adapters/" + type + "/" + name));
      }
      proven.addAll(inDecoders(type));
      assertThat(layers.get(type.name()).split(", "))
          .as(type.name())
          .containsExactlyInAnyOrderElementsOf(proven);
    }
  }

  /** What PEFT adapted in the decoders of the fixtures by that type. */
  private static Set<String> inDecoders(AdapterType type) throws IOException {
    Set<String> layers = new TreeSet<>();
    for (String base : DecoderFixture.adaptedBases().toList()) {
      Location folder = Fixtures.location("decoders/" + base);
      Head head = base.endsWith("-seq") ? Head.SEQUENCE : Head.CAUSAL_LM;
      BaseModules modules = TextModel.outline(Storage.standard(), folder, head).modules();
      for (String name : DecoderFixture.adapted(base).adapters()) {
        Location adapter = folder.resolve("adapters/" + name);
        String json = Files.readString(adapter.resolve("adapter_config.json").path());
        AdapterConfig config = AdapterConfig.parse(json, name);
        if (config.type() != type) {
          continue;
        }
        AdapterReport report =
            new AdapterLoader(modules, Precision.FLOAT32)
                .check(config, Checkpoint.headers(Storage.standard(), adapter, "adapter_model"));
        assertThat(report.problems()).as(base + " " + name).isEmpty();
        for (Module module : modules.all()) {
          boolean isWhole = type == AdapterType.LN_TUNING && report.saved().contains(module.path());
          if (isWhole || report.targets().contains(module.path())) {
            layers.add(layer(type, module));
          }
        }
      }
    }
    return layers;
  }

  private static String layer(AdapterType type, Module module) {
    return switch (module.kind()) {
      case LINEAR -> type == AdapterType.TRAINABLE_TOKENS ? module.path() : "linear";
      case CONV1D -> "Conv1D";
      case EMBEDDING -> "embedding";
      case NORM -> "norm";
    };
  }

  private static String layer(String folder) {
    Map<String, TensorInfo> tensors =
        Checkpoint.headers(Storage.standard(), Fixtures.location(folder), "expected");
    if (tensors.containsKey("ids")) {
      return "embedding";
    }
    String weight = tensors.containsKey("weight") ? "weight" : "lin.weight";
    return tensors.get(weight).shape().length == 1 ? "norm" : "linear";
  }

  @Test
  void refusedTypesAndWhy() throws IOException {
    Map<String, String> reasons = cells("| Refused type | because |", RefusedType.values());
    for (RefusedType type : RefusedType.values()) {
      assertThat(reasons.get(type.name())).isEqualTo(type.reason());
    }
  }

  @Test
  void architectures() throws IOException {
    assertThat(row("Architectures"))
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(Architecture.values()).flatMap(a -> a.modelTypes().stream()).toList());
  }

  @Test
  void tasks() throws IOException {
    List<Task> tasks =
        List.of(
            FeatureExtraction.AUTO,
            TextClassification.AUTO,
            TokenClassification.AUTO,
            TextScoring.AUTO,
            TextGeneration.AUTO);
    assertThat(Stream.concat(subclasses(OnePass.class), subclasses(Task.class)))
        .contains(OnePass.class)
        .filteredOn(task -> task != OnePass.class)
        .containsExactlyInAnyOrderElementsOf(tasks.stream().<Class<?>>map(Task::getClass).toList());
    assertThat(row("Tasks"))
        .containsExactlyInAnyOrderElementsOf(tasks.stream().map(Task::pipeline).toList());
  }

  private static Stream<Class<?>> subclasses(Class<?> sealed) {
    return Stream.of(sealed.getPermittedSubclasses());
  }
}
