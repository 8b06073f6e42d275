package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.io.ArchiveFile;
import dev.medley.io.HubServer;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A base and adapters on the Hub do what they do from a folder. */
class HubEngineTest {
  private static final Path BASE = Fixtures.path("models/bert-sequence");
  private static final List<String> ADAPTERS = List.of("qv", "head-7-labels");
  private static final List<Request> ROWS =
      List.of(
          Request.of("the red fox"),
          Request.of("the red fox", "qv"),
          Request.of("a lazy dog jumps", "head-7-labels"));

  @TempDir Path cache;
  private HubServer server;
  private String base;
  private String adapters;

  @BeforeEach
  void serve() throws IOException {
    server = new HubServer().ofThisJvm(cache);
    Map<String, byte[]> files = HubServer.files(BASE);
    files.keySet().removeIf(path -> path.startsWith("adapters/") || path.startsWith("refused/"));
    base = server.repo("org/bert").commit("main", files);
    adapters = server.repo("org/adapters").commit("v1", HubServer.files(BASE.resolve("adapters")));
  }

  @AfterEach
  void close() {
    server.close();
  }

  private static EngineSpec spec(String base, String adapters) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    ADAPTERS.forEach(name -> sources.put(name, AdapterSource.of(adapters + "/" + name)));
    return EngineSpec.of(base, TextClassification.AUTO, sources);
  }

  private static final EngineSpec LOCAL = spec(BASE.toString(), BASE + "/adapters");
  private static final EngineSpec HUB = spec("hf://org/bert", "hf://org/adapters@v1");

  private static List<Result> run(EngineSpec spec) {
    try (Engine engine = Engine.load(spec)) {
      return engine.run(ROWS);
    }
  }

  private List<String> cachedWeights() throws IOException {
    try (Stream<Path> all = Files.walk(cache)) {
      return all.map(Path::toString)
          .filter(name -> name.contains("/snapshots/") && name.endsWith(".safetensors"))
          .toList();
    }
  }

  @Test
  void engineOnTheHubIsTheEngineOfTheFolder() {
    List<Result> local = run(LOCAL);
    assertThat(local).allMatch(result -> result.error() == null);
    assertThat(run(HUB)).isEqualTo(local);
    server.forgetRequests();
    assertThat(run(HUB)).isEqualTo(local); // and asks only where the branches are
    assertThat(server.requests())
        .extracting(HubServer.Request::path)
        .containsExactlyInAnyOrder(
            "/api/models/org/bert/revision/main", "/api/models/org/adapters/revision/v1");
  }

  @Test
  void validationNamesTheCommitsAndFetchesNoWeights() throws IOException {
    Validation validation = Validation.of(HUB, Storage.standard());
    validation.orThrow();
    assertThat(validation.spec().base()).isEqualTo("hf://org/bert@" + base);
    assertThat(validation.spec().adapters().get("qv").uri())
        .isEqualTo("hf://org/adapters@" + adapters + "/qv");
    assertThat(validation.spec().adapters().get("qv").version()).isEqualTo(adapters);
    assertThat(validation.adapters()).allMatch(adapter -> adapter.problems().isEmpty());
    assertThat(cachedWeights()).isEmpty();
    assertThat(server.requests())
        .filteredOn(request -> request.host().equals("cdn"))
        .isNotEmpty()
        .allMatch(request -> request.range().startsWith("bytes=0-"));
    server.repo("org/bert").commit("main", Map.of());
    server.repo("org/adapters").commit("v1", Map.of());
    assertThat(run(validation.spec())).isEqualTo(run(LOCAL)); // as an executor does later
  }

  @Test
  void modelThatIsNotThereIsOneProblem() {
    Validation validation =
        Validation.of(spec("hf://org/nmae", BASE + "/adapters"), Storage.standard());
    assertThat(validation.problems())
        .singleElement()
        .asString()
        .startsWith("hf://org/nmae@main: expected a model, found none that everybody may read");
    assertThat(validation.adapters()).allMatch(adapter -> adapter.problems().isEmpty());
  }

  @Test
  void adapterThatIsNotThereIsThatAdaptersProblem() {
    Map<String, AdapterSource> sources = new LinkedHashMap<>(HUB.adapters());
    sources.put("gone", AdapterSource.of("hf://org/adapters@v1/gone"));
    sources.put("none", AdapterSource.of("hf://org/none"));
    Validation validation = Validation.of(HUB.with(HUB.base(), sources), Storage.standard());
    assertThat(validation.problems()).isEmpty();
    assertThat(validation.adapters().get(2).problems())
        .containsExactly(
            "hf://org/adapters@"
                + adapters
                + "/gone/adapter_config.json: expected a file, found none");
    assertThat(validation.adapters().get(3).problems())
        .singleElement()
        .asString()
        .startsWith("hf://org/none@main: expected a model, found none");
  }

  @Test
  void verbsOfPeftTakeAHubAdapterAtARevision() {
    LoadOptions options = LoadOptions.DEFAULT.revision("v1").subfolder("qv");
    EngineSpec bare = EngineSpec.of("hf://org/bert", TextClassification.AUTO, Map.of());
    EngineSpec local = EngineSpec.of(BASE.toString(), TextClassification.AUTO, Map.of());
    String folder = BASE + "/adapters/qv";
    List<String> texts = List.of("the red fox", "9 !");
    try (PeftModel model = PeftModel.fromPretrained(bare, "hf://org/adapters", "qv", options);
        PeftModel same = PeftModel.fromPretrained(local, folder, "qv", LoadOptions.DEFAULT)) {
      assertThat(model.run(texts)).isEqualTo(same.run(texts));
    }
    LoadOptions other = LoadOptions.DEFAULT.revision("feature/$1").subfolder("qv");
    assertThatThrownBy(
            () -> PeftModel.fromPretrained(bare, "hf://org/adapters", "qv", other).close())
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected the revision feature/$1, found none of that name");
  }

  @Test
  void archiveOnTheHubIsAnAdapter(@TempDir Path folder) throws IOException {
    Path zip = ArchiveFile.ofFolder(folder.resolve("qv.zip"), BASE.resolve("adapters/qv"), "");
    server.repo("org/zips").commit("main", Map.of("qv.zip", Files.readAllBytes(zip)));
    EngineSpec zipped =
        HUB.with(HUB.base(), Map.of("qv", AdapterSource.of("hf://org/zips/qv.zip")));
    List<Request> rows = List.of(Request.of("the red fox", "qv"));
    try (Engine engine = Engine.load(zipped);
        Engine local = Engine.load(LOCAL)) {
      List<Result> results = engine.run(rows);
      assertThat(results.get(0).error()).isNull();
      assertThat(results).isEqualTo(local.run(rows));
    }
  }
}
