package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextClassification;
import dev.medley.engine.Validation;
import dev.medley.io.ArchiveFile;
import dev.medley.io.HdfsServer;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.RemoteStore;
import dev.medley.io.S3Server;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Base and adapters on a real HDFS and a real S3 server, each as if it were far away. */
class RemoteStorageTest {
  private static final Path MODEL = Fixtures.path("models/bert-sequence");
  private static final List<String> BASE_FILES =
      List.of("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json");
  private static final List<String> ADAPTERS = List.of("qv", "head-7-labels", "oft-qv");
  private static final List<String> ADAPTER_FILES =
      List.of("adapter_config.json", "adapter_model.safetensors");
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");

  @TempDir static Path servers;
  private static Map<String, RemoteStore> stores;

  @TempDir Path folder;

  @BeforeAll
  static void startServers() throws Exception {
    Path hdfs = Files.createDirectory(servers.resolve("hdfs"));
    Path s3 = Files.createDirectory(servers.resolve("s3"));
    stores = new LinkedHashMap<>();
    stores.put("hdfs", new HdfsServer(hdfs));
    stores.put("s3a", new S3Server(s3));
    Path zip = servers.resolve("oft-qv.zip");
    ArchiveFile.ofFolder(zip, MODEL.resolve("adapters/oft-qv"), "oft-qv/");
    for (RemoteStore store : stores.values()) {
      for (String file : BASE_FILES) {
        store.put(MODEL.resolve(file), "base/" + file);
      }
      for (String adapter : ADAPTERS) {
        for (String file : ADAPTER_FILES) {
          Path local = MODEL.resolve("adapters").resolve(adapter).resolve(file);
          store.put(local, "adapters/" + adapter + "/" + file);
        }
      }
      store.put(zip, "adapters/oft-qv.zip");
    }
  }

  @AfterAll
  static void stopServers() throws Exception {
    for (RemoteStore store : stores.values()) {
      store.close();
    }
  }

  private static EngineSpec local() {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    ADAPTERS.forEach(name -> sources.put(name, AdapterSource.of(LocalSpark.adapter(MODEL, name))));
    return EngineSpec.of(MODEL.toString(), TextClassification.AUTO, sources);
  }

  /** One adapter with a hash, one in a zip with that of the zip. */
  private static EngineSpec remote(RemoteStore store) {
    String adapters = store.uri() + "/adapters/";
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    sources.put(
        "qv", AdapterSource.of(adapters + "qv").withSha256(Sha256.of(weights(MODEL, "qv"))));
    sources.put("head-7-labels", AdapterSource.of(adapters + "head-7-labels"));
    sources.put(
        "oft-qv",
        AdapterSource.of(adapters + "oft-qv.zip")
            .withSha256(Sha256.of(servers.resolve("oft-qv.zip"))));
    return EngineSpec.of(store.uri() + "/base", TextClassification.AUTO, sources);
  }

  private static Path weights(Path model, String adapter) {
    return model.resolve("adapters").resolve(adapter).resolve("adapter_model.safetensors");
  }

  private static List<Row> rows() {
    return LocalSpark.random(40, 7, "qv", "head-7-labels", "oft-qv", "0.5*qv", null);
  }

  private static List<Result> run(Engine engine) {
    return engine.run(
        rows().stream()
            .map(
                row ->
                    row.isNullAt(2)
                        ? Request.of(row.getString(1))
                        : Request.of(row.getString(1), row.getString(2)))
            .toList());
  }

  private static List<Path> files(Path cache, String name) throws IOException {
    try (Stream<Path> all = Files.walk(cache)) {
      return all.filter(file -> file.endsWith(name)).toList();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"hdfs", "s3a"})
  void engineScoresAsOnLocalFilesAndFetchesThemOnce(String scheme) throws Exception {
    RemoteStore store = stores.get(scheme);
    List<Result> expected;
    try (Engine engine = Engine.load(local())) {
      expected = run(engine);
    }
    Path cache = folder.resolve("cache");
    try (Engine engine = Engine.load(remote(store), new Storage(store.conf(), cache))) {
      assertThat(run(engine)).isEqualTo(expected);
    }
    assertThat(expected).allMatch(result -> result.prediction() != null);
    for (String file : BASE_FILES) {
      assertThat(files(cache, file)).hasSize(1);
    }
    assertThat(files(cache, "adapter_model.safetensors")).hasSize(3);
    assertThat(files(cache, "oft-qv.zip")).hasSize(1);

    long before = store.bytesRead();
    try (Engine engine = Engine.load(remote(store), new Storage(store.conf(), cache))) {
      assertThat(run(engine)).isEqualTo(expected);
    }
    assertThat(store.bytesRead() - before).isLessThan(Files.size(MODEL.resolve(BASE_FILES.get(1))));
    assertThat(files(cache, "model.safetensors")).hasSize(1);
  }

  /** Of the weights' files no more than headers is asked for; the zip has to come whole. */
  @ParameterizedTest
  @ValueSource(strings = {"hdfs", "s3a"})
  void validationReadsHeadersAlone(String scheme) throws Exception {
    RemoteStore store = stores.get(scheme);
    EngineSpec spec = remote(store);
    Map<String, AdapterSource> adapters = new LinkedHashMap<>(spec.adapters());
    adapters.put("qv", AdapterSource.of(adapters.get("qv").uri())); // a hash wants all bytes
    adapters.remove("oft-qv");
    Path cache = folder.resolve("cache");
    long before = store.bytesRead();

    Validation validation =
        Validation.of(spec.with(spec.base(), adapters), new Storage(store.conf(), cache));

    validation.orThrow();
    assertThat(validation.adapters()).allMatch(adapter -> adapter.problems().isEmpty());
    long small = 0;
    for (String file : List.of("config.json", "tokenizer.json", "tokenizer_config.json")) {
      small += Files.size(MODEL.resolve(file));
    }
    long headers = header(MODEL.resolve("model.safetensors"));
    long rests = 0; // S3A reads one of less than 64 KiB, so as to keep its connection
    for (String adapter : List.of("qv", "head-7-labels")) {
      small += Files.size(MODEL.resolve("adapters").resolve(adapter).resolve(ADAPTER_FILES.get(0)));
      Path file = weights(MODEL, adapter);
      headers += 2 * header(file); // its hash, and what it says
      rests += scheme.equals("s3a") ? 2 * (Files.size(file) - header(file)) : 0;
    }
    assertThat(store.bytesRead() - before).isEqualTo(small + headers + rests);
    assertThat(files(cache, "model.safetensors")).isEmpty();
    assertThat(files(cache, "adapter_model.safetensors")).isEmpty();
  }

  private static long header(Path safetensors) throws IOException {
    byte[] first = new byte[8];
    try (var in = Files.newInputStream(safetensors)) {
      in.readNBytes(first, 0, 8);
    }
    return 8 + java.nio.ByteBuffer.wrap(first).order(java.nio.ByteOrder.LITTLE_ENDIAN).getLong();
  }

  @ParameterizedTest
  @ValueSource(strings = {"hdfs", "s3a"})
  void sparkScoresAsOnLocalFilesAndFetchesThemOnce(String scheme) throws Exception {
    RemoteStore store = stores.get(scheme);
    Path cache = Files.createDirectory(folder.resolve("cache"));
    SparkSession session = LocalSpark.session().newSession();
    store.settings().forEach(session.conf()::set);
    session.conf().set("medley.test", cache.toString()); // so that this JVM makes a storage for it
    Dataset<Row> rows = session.createDataFrame(rows(), LocalSpark.ROWS).repartition(4);
    String chosen = System.setProperty("medley.cache", cache.toString());
    try {
      TextClassifier classifier =
          new TextClassifier().setModel(store.uri() + "/base").setAdapterCol("adapter");
      remote(store)
          .adapters()
          .forEach(
              (name, source) -> {
                if (source.sha256() == null) {
                  classifier.addAdapter(name, source.uri());
                } else {
                  classifier.addPinnedAdapter(name, source.uri(), source.sha256());
                }
              });
      List<Row> scored = classifier.transform(rows).orderBy("id").collectAsList();
      assertThat(scored)
          .isEqualTo(
              Scoring.score(rows, LocalSpark.ready(local()), COLUMNS, null)
                  .orderBy("id")
                  .collectAsList());
      assertThat(scored).hasSize(40).noneMatch(row -> row.isNullAt(3));
      assertThat(files(cache, "model.safetensors")).hasSize(1);
      assertThat(files(cache, "adapter_model.safetensors")).hasSize(3);
    } finally {
      if (chosen == null) {
        System.clearProperty("medley.cache");
      } else {
        System.setProperty("medley.cache", chosen);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"hdfs", "s3a"})
  void hashThatDoesNotFitAndFileThatIsNotThereAreNamed(String scheme) {
    RemoteStore store = stores.get(scheme);
    EngineSpec right = remote(store);
    String zip = right.adapters().get("oft-qv").uri();
    String wrong = "0".repeat(64);
    Map<String, AdapterSource> adapters =
        Map.of(
            "zip", AdapterSource.of(zip).withSha256(wrong),
            "qv", AdapterSource.of(store.uri() + "/adapters/qv").withSha256(wrong),
            "none", AdapterSource.of(store.uri() + "/adapters/none"));
    Storage storage = new Storage(store.conf(), folder.resolve("cache"));

    Validation validation = Validation.of(right.with(right.base(), adapters), storage);

    String sum = "sha256: expected " + wrong + ", found ";
    String changed = "; the file has changed since the hash was taken";
    assertThat(validation.adapters())
        .flatExtracting(adapter -> adapter.problems())
        .containsExactlyInAnyOrder(
            zip + ": " + sum + right.adapters().get("oft-qv").sha256() + changed,
            store.uri()
                + "/adapters/qv/adapter_model.safetensors: "
                + sum
                + right.adapters().get("qv").sha256()
                + changed,
            store.uri() + "/adapters/none/adapter_config.json: expected a file, found none");
    assertThatThrownBy(() -> storage.list(Location.of(store.uri() + "/none")))
        .isInstanceOf(LoadException.class)
        .hasMessage(store.uri() + "/none: expected a folder, found none");
  }
}
