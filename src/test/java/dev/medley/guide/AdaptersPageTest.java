package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterType;
import dev.medley.adapter.RefusedType;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the page on adapters says of types, keys, layers and tensors is so. */
class AdaptersPageTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path PAGE = Path.of("src", "site", "markdown", "adapters.md");

  /** Keys that all types have; a type may have less. */
  private static final Set<String> COMMON =
      Set.of(
          "auto_mapping",
          "base_model_name_or_path",
          "bias",
          "exclude_modules",
          "inference_mode",
          "layers_pattern",
          "layers_to_transform",
          "modules_to_save",
          "peft_type",
          "peft_version",
          "revision",
          "target_modules",
          "task_type");

  /** What becomes of a key that is set. */
  private enum Fate {
    READ,
    IGNORED,
    REFUSED
  }

  /** Tables by the heading above them, cells by the first of their row. */
  private static Map<String, Map<String, String>> sections() throws IOException {
    Map<String, Map<String, String>> sections = new LinkedHashMap<>();
    Map<String, String> cells = new LinkedHashMap<>();
    for (String line : Files.readAllLines(PAGE)) {
      if (line.startsWith("## ")) {
        cells = new LinkedHashMap<>();
        sections.put(line.substring(3), cells);
      } else if (line.matches("\\| [^|]+ \\| .* \\|")) {
        String[] row = line.split("\\|");
        cells.put(row[1].replace("`", "").strip(), row[2].strip());
      }
    }
    return sections;
  }

  private static Map<String, String> section(AdapterType type) throws IOException {
    return sections().get(type.name());
  }

  private static Set<String> code(String cell) {
    Matcher code = Pattern.compile("`([^`]+)`").matcher(cell);
    return code.results().map(m -> m.group(1)).collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void everyTypeHasASection() throws IOException {
    assertThat(sections().keySet().stream().filter(title -> title.matches("[A-Z0-9_]+")))
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(AdapterType.values()).map(AdapterType::name).toList());
  }

  @Test
  void everyRefusedTypeHasItsReason() throws IOException {
    Map<String, String> reasons = sections().get("Other types");
    reasons.remove("Refused type");
    assertThat(reasons)
        .isEqualTo(
            Arrays.stream(RefusedType.values())
                .collect(Collectors.toMap(RefusedType::name, RefusedType::reason)));
  }

  @Test
  void keysThatAllTypesHave() throws IOException {
    Map<String, String> all = sections().get("What all types have");
    Set<String> named = code(all.get("read"));
    named.addAll(code(all.get("ignored")));
    named.add("peft_type");
    assertThat(named).isEqualTo(new TreeSet<>(COMMON));
    for (AdapterType type : AdapterType.values()) {
      for (String key : code(all.get("ignored"))) {
        assertThat(fate(type, key)).as(type + " " + key).isEqualTo(Fate.IGNORED);
      }
    }
  }

  /** Every field of PEFT's config class is in one of the three rows, the one that it belongs to. */
  @ParameterizedTest
  @EnumSource
  void keysAreReadIgnoredOrRefusedAsItSays(AdapterType type) throws IOException {
    Map<Fate, Set<String>> fates = new LinkedHashMap<>();
    for (Fate fate : Fate.values()) {
      fates.put(fate, new TreeSet<>());
    }
    for (String key : fields(type)) {
      if (!COMMON.contains(key)) {
        fates.get(fate(type, key)).add(key);
      }
    }
    Map<String, String> said = section(type);
    assertThat(code(said.get("ignored"))).as("ignored").isEqualTo(fates.get(Fate.IGNORED));
    assertThat(code(said.get("refused"))).as("refused").isEqualTo(fates.get(Fate.REFUSED));
    assertThat(code(said.get("read"))).as("read").isEqualTo(fates.get(Fate.READ));
  }

  private static Set<String> fields(AdapterType type) throws IOException {
    JsonNode peft = JSON.readTree(Fixtures.path("adapter_config_keys.json").toFile());
    Set<String> keys = new TreeSet<>();
    peft.get(type.name()).get("fields").fieldNames().forEachRemaining(keys::add);
    peft.get(type.name()).get("written").forEach(key -> keys.add(key.textValue()));
    return keys;
  }

  /**
   * Refused says so; read is what is wrong with an object in its place, or changes what is read.
   */
  private static Fate fate(AdapterType type, String key) {
    ObjectNode config = config(type);
    config.putObject(key).put("sparkle", true);
    try {
      AdapterConfig read = AdapterConfig.parse(config.toString(), "config");
      boolean isChanged = !shown(read).equals(shown(parsed(type)));
      return isChanged ? Fate.READ : Fate.IGNORED;
    } catch (LoadException e) {
      return e.getMessage().contains("is not supported: ") && !key.equals("init_lora_weights")
          ? Fate.REFUSED
          : Fate.READ;
    }
  }

  /** Without the addresses of parts that show none of their content, and without the document. */
  private static String shown(AdapterConfig config) {
    return config.toString().replace(config.json(), "").replaceAll("@[0-9a-f]+", "");
  }

  private static AdapterConfig parsed(AdapterType type) {
    return AdapterConfig.parse(config(type).toString(), "config");
  }

  private static ObjectNode config(AdapterType type) {
    ObjectNode config = JSON.createObjectNode().put("peft_type", type.name());
    config.putArray("target_modules").add("query");
    switch (type) {
      case OFT -> config.put("oft_block_size", 4);
      case IA3 -> config.putArray("feedforward_modules");
      case TRAINABLE_TOKENS -> config.putArray("token_indices").add(3);
      default -> {}
    }
    return config;
  }

  @ParameterizedTest
  @EnumSource
  void layersAreReadmes(AdapterType type) throws IOException {
    String row =
        Files.readAllLines(Path.of("README.md")).stream()
            .filter(line -> line.startsWith("| `" + type + "` |"))
            .findFirst()
            .orElseThrow();
    assertThat(section(type).get("layers")).isEqualTo(row.split("\\|")[2].strip());
  }

  /** The names that it gives are those of the fixtures' files. */
  @ParameterizedTest
  @EnumSource
  void tensorsAreThoseOfPeftsFiles(AdapterType type) throws IOException {
    Set<String> stored = new TreeSet<>();
    for (String name : Fixtures.folders("adapters/" + type)) {
      stored.addAll(tensors(type, "adapters/" + type + "/" + name));
    }
    assertThat(code(section(type).get("tensors"))).containsAll(stored);
    String all = String.join(" ", stored);
    for (String named : code(section(type).get("tensors"))) {
      if (named.startsWith(type.prefix())) {
        assertThat(all).contains(named);
      }
    }
  }

  private static Set<String> tensors(AdapterType type, String folder) {
    Pattern own = Pattern.compile("(?:^|\\.)(" + type.prefix() + "\\w+(?:\\.(?:weight|bias))?)$");
    return Checkpoint.headers(Storage.standard(), Fixtures.location(folder), "adapter_model")
        .keySet()
        .stream()
        .flatMap(key -> own.matcher(key).results())
        .map(found -> found.group(1))
        .collect(Collectors.toSet());
  }

  @ParameterizedTest
  @EnumSource
  void scaledOrNot(AdapterType type) throws IOException {
    String said = section(type).get("scaled").replaceFirst("[;:].*", "");
    assertThat(said).isEqualTo(parsed(type).unscalable("tone", 0.5).isEmpty() ? "yes" : "no");
  }

  /** Papers that it names are named in the code. */
  @ParameterizedTest
  @EnumSource
  void papersAreThoseOfTheCode(AdapterType type) throws IOException {
    Set<String> said = papers(section(type).get("paper"));
    Set<String> known = papers(code());
    assertThat(known).containsAll(said);
  }

  private static Set<String> papers(String text) {
    Matcher ids = Pattern.compile("\\b(\\d{4}\\.\\d{5})\\b").matcher(text);
    return ids.results().map(m -> m.group(1)).collect(Collectors.toSet());
  }

  private static String code() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("src/main/java/dev/medley/adapter"))) {
      StringBuilder code = new StringBuilder();
      for (Path file : files.toList()) {
        code.append(Files.readString(file));
      }
      return code.toString();
    }
  }
}
