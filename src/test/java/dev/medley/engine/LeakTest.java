package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.Fixtures;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.io.ChildJvm;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * What is made in a batch goes with the batch. Measured in a JVM of its own, whose heap has its
 * full size from the start: what its resident size grows by is native memory.
 */
class LeakTest {
  private static final int BATCHES = 500;
  private static final int ADAPTERS = 20;
  private static final long ALLOWED = 24L << 20;

  @Test
  void noNativeMemoryGrowsOver500BatchesWith20Adapters() throws Exception {
    assertThat(ChildJvm.run(ManyBatches.class)).contains("nothing left behind");
  }

  @Test
  void evictedAdaptersGiveTheirMemoryBack() throws Exception {
    assertThat(ChildJvm.run(ManyLoads.class)).contains("nothing left behind");
  }

  private static Map<String, AdapterSource> adapters() {
    List<String> folders = new ArrayList<>(Fixtures.folders("models/bert-sequence/adapters"));
    Map<String, AdapterSource> sources = new HashMap<>();
    for (int i = 0; i < ADAPTERS; i++) {
      String folder = "models/bert-sequence/adapters/" + folders.get(i % folders.size());
      sources.put("a" + i, AdapterSource.of(Fixtures.path(folder).toString()));
    }
    String unfit = Fixtures.path("models/bert-sequence/refused/wrong-rank").toString();
    sources.put("unfit", AdapterSource.of(unfit));
    for (String name : Fixtures.folders("sets/bert/adapters")) {
      String folder = "sets/bert/adapters/" + name;
      sources.put(name, AdapterSource.of(Fixtures.path(folder).toString()));
    }
    return sources;
  }

  /** What a set may add to its members: norms, corrections, biases, turned inputs. */
  private static final List<String> SETS =
      List.of("lora2+oft+dora", "pissa+kasa+0.5*loha", "table+dora-table+oft-table", "oft+oft2");

  private static BaseModel base() {
    return BaseModel.load(
        Storage.standard(),
        Fixtures.location("models/bert-sequence"),
        Head.SEQUENCE,
        Device.cpu(),
        Precision.FLOAT32);
  }

  /** Scores batches of 32 rows under all adapters. */
  static final class ManyBatches {
    /** Prints a line when all is well. */
    public static void main(String[] args) throws IOException {
      EngineSpec spec =
          EngineSpec.of(
              Fixtures.path("models/bert-sequence").toString(),
              TextClassification.AUTO,
              adapters());
      EngineSpec embed = EngineSpec.of(spec.base(), FeatureExtraction.AUTO, adapters());
      try (BaseModel base = base();
          Engine engine = Engine.on(base, Storage.standard(), spec);
          Engine embedder = Engine.on(base, Storage.standard(), embed)) {
        List<Request> rows = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
          String adapter = i % 4 == 3 ? SETS.get(i / 4 % SETS.size()) : "a" + i % ADAPTERS;
          rows.add(Request.of("the quick brown fox ".repeat(1 + i % 5), adapter));
        }
        int perRun = 64 / Batching.DEFAULT.batchSize();
        for (int batch = 0; batch < BATCHES / 2; batch += perRun) { // loads all, warms up
          engine.run(rows);
          embedder.run(rows.subList(0, 8));
        }
        int arrays = base.owner().getManagedArrays().size();
        long resident = resident();

        for (int batch = 0; batch < BATCHES; batch += perRun) {
          engine.run(rows);
          embedder.run(rows.subList(0, 8));
        }

        assertThat(base.owner().getManagedArrays()).hasSize(arrays);
        assertNoGrowth(resident);
      }
    }
  }

  /** Loads adapters over and over into a store that holds two or three. */
  static final class ManyLoads {
    /** Prints a line when all is well. */
    public static void main(String[] args) throws IOException {
      try (BaseModel base = base()) {
        int arrays = base.owner().getManagedArrays().size();
        long resident;
        try (AdapterStore store = new AdapterStore(base, Storage.standard(), adapters(), 60_000)) {
          cycle(store, 30);
          resident = resident();

          cycle(store, 100);

          assertThat(store.loads()).isGreaterThan(1000);
          assertThat(store.bytes()).isLessThanOrEqualTo(60_000);
        }
        assertThat(base.owner().getManagedArrays()).hasSize(arrays);
        assertNoGrowth(resident);
      }
    }

    private static void cycle(AdapterStore store, int times) {
      for (int i = 0; i < times; i++) {
        assertThatThrownBy(() -> store.lease(AdapterRef.of("unfit")))
            .isInstanceOf(LoadException.class);
      }
      for (int i = 0; i < times * ADAPTERS; i++) {
        try (Lease lease = store.lease(AdapterRef.of("a" + i % ADAPTERS))) {
          assertThat(lease.set()).hasToString("a" + i % ADAPTERS);
        }
        if (i % ADAPTERS < SETS.size()) {
          store.lease(AdapterRef.parse(List.of(SETS.get(i % ADAPTERS)))).close();
        }
      }
    }
  }

  private static void assertNoGrowth(long before) throws IOException {
    long growth = resident() - before;
    assertThat(growth).isLessThan(ALLOWED);
    System.out.println("nothing left behind: resident size grew by " + growth + " bytes");
  }

  /** Bytes of this process in memory. */
  private static long resident() throws IOException {
    System.gc();
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
      }
    }
    throw new IllegalStateException("/proc/self/status has no VmRSS");
  }
}
