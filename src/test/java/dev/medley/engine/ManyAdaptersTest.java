package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.Fixtures;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.io.Checkpoint;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import dev.medley.model.Head;
import dev.medley.tensor.Precision;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What thousands of adapters cost, in what can be counted. */
class ManyAdaptersTest {
  private static final String BASE = "models/bert-sequence";
  private static final Path QV = Fixtures.path(BASE + "/adapters/qv");
  private static final Path WEIGHTS = QV.resolve("adapter_model.safetensors");

  @TempDir Path cache;
  @TempDir Path folder;

  private Storage storage;

  @BeforeEach
  void count() {
    RemoteFileSystem.reset();
    storage = new Storage(RemoteFileSystem.conf(), cache);
  }

  /** One adapter far away in many folders. */
  private Map<String, AdapterSource> far(int count) throws IOException {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    Path one = folder.resolve("one");
    if (!Files.exists(one)) {
      Files.createDirectory(one);
      for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
        Files.copy(QV.resolve(name), one.resolve(name));
      }
    }
    for (int i = 0; i < count; i++) {
      Path link = folder.resolve("link" + i);
      if (!Files.exists(link)) {
        Files.createSymbolicLink(link, one);
      }
      sources.put("a" + i, AdapterSource.of(RemoteFileSystem.location(link).uri()));
    }
    return sources;
  }

  private static EngineSpec spec(Map<String, AdapterSource> adapters) {
    return EngineSpec.of(Fixtures.path(BASE).toString(), TextClassification.AUTO, adapters);
  }

  private static int headerBytes() throws IOException {
    byte[] file = Files.readAllBytes(WEIGHTS);
    return 8 + (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private static int serialised(Object spec) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(spec);
    }
    return bytes.size();
  }

  @Test
  void registeringReadsNoFileAtAllAndValidatingNoWeight() throws IOException {
    int count = 100;
    EngineSpec spec = spec(far(count));
    try (BaseModel base = base();
        Engine engine = Engine.on(base, storage, spec)) {
      assertThat(engine.store().names()).hasSize(count);
      assertThat(RemoteFileSystem.OPENED).hasValue(0);

      Validation validation = Validation.of(spec, storage);

      assertThat(validation.adapters()).hasSize(count).allMatch(a -> a.problems().isEmpty());
      assertThat(validation.adapters())
          .extracting(a -> a.name())
          .containsExactlyElementsOf(spec.adapters().keySet());
      assertThat(RemoteFileSystem.FURTHEST)
          .containsEntry(WEIGHTS.getFileName().toString(), headerBytes());
      // the header twice where it is the first of its kind, for each thread at the most
      assertThat(RemoteFileSystem.OPENED.get()).isBetween(2 * count, 2 * count + 16);
      assertThat(engine.adapterLoads()).isZero();
    }
  }

  @Test
  void adaptersTrainedAlikeShareTheirConfig() throws IOException {
    EngineSpec few = Validation.of(spec(far(20)), storage).spec();
    EngineSpec many = Validation.of(spec(far(60)), storage).spec();
    String json = many.adapters().get("a0").configJson();
    assertThat(many.adapters().values()).allMatch(source -> source.configJson() == json);
    int each = (serialised(many) - serialised(few)) / 40;
    assertThat(each).isLessThan(folder.toString().length() + 100);
  }

  @Test
  void adaptersThatAreNotAlikeAreCheckedApart() throws IOException {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (int i = 0; i < 64; i++) {
      Path adapter = Files.createDirectories(folder.resolve("a" + i));
      String config = Files.readString(QV.resolve("adapter_config.json"));
      byte[] weights = Files.readAllBytes(WEIGHTS);
      if (i % 4 == 1) {
        config = config.replaceFirst("\"r\": *\\d+", "\"r\": 5");
      } else if (i % 4 == 2) { // all but the last byte, under the same header
        weights = Arrays.copyOf(weights, weights.length - 1);
      } else if (i % 4 == 3) { // another tensor's name, of the same length
        String text = new String(weights, StandardCharsets.ISO_8859_1);
        weights = text.replaceFirst("lora_A", "lora_X").getBytes(StandardCharsets.ISO_8859_1);
      }
      Files.writeString(adapter.resolve("adapter_config.json"), config);
      Files.write(adapter.resolve("adapter_model.safetensors"), weights);
      sources.put("a" + i, AdapterSource.of(adapter.toString()));
    }

    List<Validation.AdapterCheck> checks = Validation.of(spec(sources), storage).adapters();

    assertThat(checks).hasSize(64);
    for (Validation.AdapterCheck check : checks) {
      int kind = Integer.parseInt(check.name().substring(1)) % 4;
      Map<String, AdapterSource> alone = Map.of(check.name(), sources.get(check.name()));
      assertThat(check).isEqualTo(Validation.of(spec(alone), storage).adapters().get(0));
      assertThat(check.problems().isEmpty()).as(check.name()).isEqualTo(kind == 0);
      if (kind == 2) {
        assertThat(check.problems().get(0)).startsWith(folder.resolve(check.name()) + "/");
      }
    }
  }

  @Test
  void everyLoadOpensTwoFilesAndReadsEachByteOnceHoweverManyAreLoaded() throws IOException {
    int count = 40;
    long size = Files.size(WEIGHTS) + Files.size(QV.resolve("adapter_config.json"));
    EngineSpec spec = spec(far(count));
    try (BaseModel base = base();
        Engine engine = Engine.on(base, storage, spec)) {
      List<Lease> leases = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        leases.add(engine.store().lease(AdapterRef.of("a" + i)));
        assertThat(RemoteFileSystem.OPENED).hasValue(2 * (i + 1));
        assertThat(RemoteFileSystem.BYTES_READ.get()).isEqualTo(size * (i + 1));
        assertThat(engine.adapterLoads()).isEqualTo(i + 1);
        assertThat(engine.adapterBytes()).isEqualTo((i + 1) * tensorBytes());
      }
      leases.forEach(Lease::close);
    }
  }

  private long tensorBytes() {
    return Checkpoint.headers(storage, AdapterSource.of(QV.toString()).location(), "adapter_model")
        .values()
        .stream()
        .mapToLong(TensorInfo::bytes)
        .sum();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"qv", "all-linear", "rslora", "adalora-qv", "lokr-qv", "shira-qv", "vera-dense"})
  void adapterInMemoryTakesNoMoreThanItsFile(String name) throws IOException {
    Path adapter = Fixtures.path(BASE + "/adapters/" + name);
    try (BaseModel base = base();
        AdapterStore store =
            new AdapterStore(
                base, storage, Map.of("a", AdapterSource.of(adapter.toString())), 1L << 30)) {
      store.lease(AdapterRef.of("a")).close();
      assertThat(store.bytes())
          .isPositive()
          .isLessThanOrEqualTo(Files.size(adapter.resolve("adapter_model.safetensors")));
    }
  }

  private static BaseModel base() {
    return BaseModel.load(
        Storage.standard(),
        Fixtures.location(BASE),
        Head.SEQUENCE,
        Device.cpu(),
        Precision.FLOAT32);
  }

  @Test
  void workInParallelKeepsItsOrderAndEndsItsThreads() {
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    List<Integer> numbers = IntStream.range(0, 5000).boxed().toList();
    List<Integer> doubled =
        InParallel.map(
            numbers,
            i -> {
              threads.add(Thread.currentThread());
              return 2 * i;
            });
    assertThat(doubled).isEqualTo(numbers.stream().map(i -> 2 * i).toList());
    assertThat(threads).hasSizeBetween(1, 16).doesNotContain(Thread.currentThread());
    assertThatThrownBy(
            () ->
                InParallel.map(
                    numbers,
                    i -> {
                      if (i == 77) {
                        throw new IllegalStateException("at " + i);
                      }
                      return i;
                    }))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("at 77");
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> InParallel.map(numbers, i -> i))
        .hasMessage("interrupted while reading adapters' files");
    assertThat(Thread.interrupted()).isTrue();
  }
}
