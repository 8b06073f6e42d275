package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.Fixtures;
import dev.medley.adapter.AdapterSet;
import dev.medley.engine.AdapterStore.Lease;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import dev.medley.model.Head;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterStoreTest {
  private static final String ADAPTERS = "models/bert-sequence/adapters/";
  private static BaseModel base;

  @BeforeAll
  static void load() {
    base =
        BaseModel.load(
            Storage.standard(),
            Fixtures.location("models/bert-sequence"),
            Head.SEQUENCE,
            Device.cpu(),
            Precision.FLOAT32);
  }

  @AfterAll
  static void close() {
    base.close();
  }

  private static AdapterSource source(String name) {
    return AdapterSource.of(Fixtures.path(ADAPTERS + name).toString());
  }

  private static AdapterStore store(long budget) {
    return new AdapterStore(
        base, Storage.standard(), Map.of("qv", source("qv"), "rslora", source("rslora")), budget);
  }

  @Test
  void adapterIsLoadedOnceHoweverManyAsk() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try (AdapterStore store = store(1 << 20)) {
      CountDownLatch start = new CountDownLatch(1);
      List<Future<AdapterSet>> adapters = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        adapters.add(
            threads.submit(
                () -> {
                  start.await();
                  try (Lease lease = store.lease(AdapterRef.of("qv"))) {
                    return lease.set();
                  }
                }));
      }
      start.countDown();
      for (Future<AdapterSet> adapter : adapters) {
        assertThat(adapter.get()).isSameAs(adapters.get(0).get());
      }
      assertThat(store.loads()).isEqualTo(1);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Of an adapter's tensors, which are stored as they are kept in memory. */
  private static long bytesOf(String name) {
    return Checkpoint.headers(Storage.standard(), source(name).location(), "adapter_model")
        .values()
        .stream()
        .mapToLong(TensorInfo::bytes)
        .sum();
  }

  @Test
  void leasedAdaptersStayHoweverSmallTheBudget() {
    try (AdapterStore store = store(1)) {
      try (Lease first = store.lease(AdapterRef.of("qv"));
          Lease second = store.lease(AdapterRef.of("rslora"))) {
        assertThat(second.set()).hasToString("rslora");
        assertThat(store.bytes()).isEqualTo(bytesOf("qv") + bytesOf("rslora"));
        try (Lease again = store.lease(AdapterRef.of("qv"))) {
          assertThat(again.set()).isSameAs(first.set());
        }
      }
      assertThat(store.bytes()).isZero();
      assertThat(store.loads()).isEqualTo(2);
    }
  }

  @Test
  void theLongestUnusedIsEvictedFirst() {
    Map<String, AdapterSource> equal =
        Map.of("a", source("qv"), "b", source("qv"), "c", source("qv"));
    long bytes = bytesOf("qv");
    try (AdapterStore store = new AdapterStore(base, Storage.standard(), equal, 2 * bytes)) {
      for (String name : List.of("a", "b", "a", "c", "a")) {
        store.lease(AdapterRef.of(name)).close();
      }
      assertThat(store.loads()).isEqualTo(3);
      store.lease(AdapterRef.of("b")).close();
      assertThat(store.loads()).isEqualTo(4);
      assertThat(store.bytes()).isEqualTo(2 * bytes);
    }
  }

  private static AdapterRef set(String expression) {
    return AdapterRef.parse(List.of(expression));
  }

  private static AdapterStore members(long budget) {
    Map<String, AdapterSource> sources = new HashMap<>();
    for (String name : List.of("lora", "oft", "pissa")) {
      String folder = "sets/bert/adapters/" + name;
      sources.put(name, AdapterSource.of(Fixtures.path(folder).toString()));
    }
    return new AdapterStore(base, Storage.standard(), sources, budget);
  }

  @Test
  void setIsCompiledOnceHoweverManyAsk() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try (AdapterStore store = members(1 << 20)) {
      CountDownLatch start = new CountDownLatch(1);
      List<Future<AdapterSet>> sets = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        sets.add(
            threads.submit(
                () -> {
                  start.await();
                  try (Lease lease = store.lease(set("lora+oft"))) {
                    return lease.set();
                  }
                }));
      }
      start.countDown();
      for (Future<AdapterSet> set : sets) {
        assertThat(set.get()).isSameAs(sets.get(0).get());
      }
      assertThat(store.loads()).isEqualTo(2);
      try (Lease other = store.lease(set("oft+lora"))) {
        assertThat(other.set()).isNotSameAs(sets.get(0).get());
      }
      assertThat(store.loads()).isEqualTo(2);
    } finally {
      threads.shutdownNow();
    }
  }

  /** A set counts for what it adds: the correction that PiSSA makes of the base. */
  @Test
  void setKeepsItsMembersAndGoesWithThem() {
    int before = base.owner().getManagedArrays().size();
    try (AdapterStore store = members(1)) {
      try (Lease lease = store.lease(set("lora+pissa"))) {
        long members;
        try (Lease one = store.lease(AdapterRef.of("lora"));
            Lease other = store.lease(AdapterRef.of("pissa"))) {
          members = store.bytes();
          assertThat(List.of(one.set(), other.set())).doesNotContain(lease.set());
        }
        assertThat(store.bytes()).isEqualTo(members);
        assertThat(store.loads()).isEqualTo(2);
      }
      assertThat(store.bytes()).isZero();
      store.lease(set("lora+pissa")).close();
      assertThat(store.loads()).isEqualTo(4);
    }
    assertThat(base.owner().getManagedArrays()).hasSize(before);
  }

  /** Sets of two types hold no arrays of their own, and weights make ever new ones. */
  @Test
  void soManySetsAreKept() {
    try (AdapterStore store = members(1 << 20)) {
      for (int i = 1; i <= AdapterStore.KEPT_SETS + 50; i++) {
        store.lease(set(i + ".5*lora+oft")).close();
      }
      assertThat(store.sets()).isEqualTo(AdapterStore.KEPT_SETS);
      assertThat(store.loads()).isEqualTo(2);
    }
  }

  /** Each set that goes gives its members back, which must not begin another round of going. */
  @Test
  void manySetsGoAtOnce() {
    try (AdapterStore store = members(bytesOfSet("lora"))) {
      for (int i = 1; i <= AdapterStore.KEPT_SETS; i++) {
        store.lease(set(i + ".5*lora")).close();
      }
      assertThat(store.sets()).isEqualTo(AdapterStore.KEPT_SETS);
      store.lease(AdapterRef.of("oft")).close();
      assertThat(store.sets()).isZero();
      assertThat(store.bytes()).isLessThanOrEqualTo(bytesOfSet("lora"));
    }
  }

  private static long bytesOfSet(String name) {
    AdapterSource source = AdapterSource.of(Fixtures.path("sets/bert/adapters/" + name).toString());
    return Checkpoint.headers(Storage.standard(), source.location(), "adapter_model")
        .values()
        .stream()
        .mapToLong(TensorInfo::bytes)
        .sum();
  }

  @Test
  void leaseThatIsClosedTwiceIsGivenBackOnce() {
    try (AdapterStore store = store(1)) {
      Lease first = store.lease(AdapterRef.of("qv"));
      try (Lease second = store.lease(AdapterRef.of("qv"))) {
        first.close();
        first.close();
        assertThat(store.bytes()).isEqualTo(bytesOf("qv"));
        assertThat(second.set()).hasToString("qv");
      }
      assertThat(store.bytes()).isZero();
    }
  }

  @Test
  void setThatFailsLeavesItsMembersFree() {
    try (AdapterStore store =
        new AdapterStore(
            base,
            Storage.standard(),
            Map.of("qv", source("qv"), "rslora", source("rslora")),
            1 << 20)) {
      assertThatThrownBy(() -> store.lease(set("qv+rslora")))
          .isInstanceOf(LoadException.class)
          .hasMessageContaining("both qv and rslora bring it");
      assertThatThrownBy(() -> store.lease(set("qv+rslora"))).isInstanceOf(LoadException.class);
      assertThat(store.loads()).isEqualTo(2);
      store.lease(AdapterRef.of("qv")).close();
    }
    try (AdapterStore store = store(1)) {
      assertThatThrownBy(() -> store.lease(set("qv+rslora"))).isInstanceOf(LoadException.class);
      assertThat(store.bytes()).isZero(); // nobody holds them any more
    }
  }

  @Test
  void failedLoadIsForgotten(@TempDir Path folder) throws IOException {
    Path good = Fixtures.path(ADAPTERS + "qv");
    Files.copy(good.resolve("adapter_config.json"), folder.resolve("adapter_config.json"));
    try (AdapterStore store =
        new AdapterStore(
            base,
            Storage.standard(),
            Map.of("late", AdapterSource.of(folder.toString())),
            1 << 20)) {
      assertThatThrownBy(() -> store.lease(AdapterRef.of("late")))
          .isInstanceOf(LoadException.class)
          .hasMessageContaining("adapter_model.safetensors");
      Files.copy(
          good.resolve("adapter_model.safetensors"), folder.resolve("adapter_model.safetensors"));
      try (Lease lease = store.lease(AdapterRef.of("late"))) {
        assertThat(lease.set()).hasToString("late");
      }
    }
  }

  /** One tries, and the others do not wait for the same failure once more each. */
  @Test
  void failedLoadIsReportedToAllWhoWaitForIt(@TempDir Path cache) throws Exception {
    RemoteFileSystem.reset();
    RemoteFileSystem.breakAt(1000);
    AdapterSource far =
        AdapterSource.of("remote://" + Fixtures.path(ADAPTERS + "qv").toAbsolutePath());
    Storage storage = new Storage(RemoteFileSystem.conf(), cache);
    try (AdapterStore store = new AdapterStore(base, storage, Map.of("far", far), 1 << 20)) {
      assertThatThrownBy(() -> store.lease(AdapterRef.of("far"))).isInstanceOf(LoadException.class);
      int opened = RemoteFileSystem.OPENED.getAndSet(0);
      CyclicBarrier start = new CyclicBarrier(8);
      List<Future<String>> rows = new ArrayList<>();
      ExecutorService threads = Executors.newFixedThreadPool(8);
      for (int i = 0; i < 8; i++) {
        rows.add(
            threads.submit(
                () -> {
                  await(start);
                  try {
                    store.lease(AdapterRef.of("far")).close();
                    return null;
                  } catch (LoadException e) {
                    return e.getMessage();
                  }
                }));
      }
      for (Future<String> row : rows) {
        assertThat(row.get()).contains("far: ").contains("adapter_");
      }
      assertThat(RemoteFileSystem.OPENED).hasValue(opened);
      RemoteFileSystem.reset();
      store.lease(AdapterRef.of("far")).close(); // and forgotten
      threads.shutdown();
    }
  }

  @Test
  void threadThatIsInterruptedWhileLoadingSpoilsNoOther() throws Exception {
    int interrupted = 0;
    for (int round = 0; round < 50; round++) {
      try (AdapterStore store = store(1 << 20)) {
        CyclicBarrier start = new CyclicBarrier(2);
        CompletableFuture<Boolean> killed = new CompletableFuture<>();
        Thread thread =
            new Thread(
                () -> {
                  await(start);
                  Thread.currentThread().interrupt();
                  try {
                    store.lease(AdapterRef.of("qv")).close();
                    killed.complete(false);
                  } catch (LoadException e) {
                    killed.complete(true);
                  }
                });
        thread.start();
        await(start);
        Thread.sleep(round % 2); // so that it is the first in some rounds
        store.lease(AdapterRef.of("qv")).close();
        thread.join();
        interrupted += killed.get() ? 1 : 0;
        assertThat(store.loads()).isEqualTo(1);
      }
    }
    assertThat(interrupted).isPositive();
  }

  @Test
  void changedFilesAreNeverMixedWithWhatWasReadBefore(@TempDir Path folder) throws IOException {
    Path good = Fixtures.path(ADAPTERS + "qv");
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(good.resolve(file), folder.resolve(file));
    }
    AdapterSource resolved = AdapterSource.of(folder.toString()).resolve(Storage.standard());
    Map<String, AdapterSource> sources = Map.of("mine", resolved);
    try (AdapterStore store = new AdapterStore(base, Storage.standard(), sources, 1)) {
      store.lease(AdapterRef.of("mine")).close(); // and evicted at once
      Files.setLastModifiedTime(
          folder.resolve("adapter_model.safetensors"), FileTime.from(Instant.EPOCH));
      assertThatThrownBy(() -> store.lease(AdapterRef.of("mine")))
          .hasMessageEndingWith(
              "its weights have changed since they were first read; start the job again");
    }
    Path config = folder.resolve("adapter_config.json");
    Files.writeString(
        config, Files.readString(config).replace("\"lora_alpha\": 7", "\"lora_alpha\": 9"));
    try (AdapterStore store = new AdapterStore(base, Storage.standard(), sources, 1)) {
      assertThatThrownBy(() -> store.lease(AdapterRef.of("mine")))
          .hasMessageEndingWith(
              "its config has changed since it was validated; start the job again");
    }
  }

  private static void await(CyclicBarrier barrier) {
    try {
      barrier.await();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
