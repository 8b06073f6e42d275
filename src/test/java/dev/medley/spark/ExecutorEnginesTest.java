package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.Fixtures;
import dev.medley.engine.BaseModel;
import dev.medley.engine.Batching;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Request;
import dev.medley.engine.TextClassification;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Storage;
import dev.medley.tensor.Precision;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExecutorEnginesTest {
  private static final Path BERT = Fixtures.path("models/bert");
  private static final Storage STORAGE = Storage.standard();
  private static final List<String> VERSIONS = List.of("1");

  private static final EngineSpec EMBED = LocalSpark.spec(BERT, FeatureExtraction.AUTO, "feature");

  private static EngineSpec withWindow(int rows) {
    return EMBED.with(new Batching(8, 999, rows, 0, true));
  }

  @Test
  void manyThreadsLoadOneBaseAndOneEngine() throws Exception {
    ExecutorEngines engines = new ExecutorEngines(2);
    var threads = Executors.newFixedThreadPool(8);
    try {
      Callable<Engine> lease = () -> engines.lease(EMBED, VERSIONS, STORAGE, Device.cpu()).engine();
      List<Engine> found = new ArrayList<>();
      for (Future<Engine> each : threads.invokeAll(java.util.Collections.nCopies(8, lease))) {
        found.add(each.get());
      }
      assertThat(found).hasSize(8).containsOnly(found.get(0));
      assertThat(engines.baseLoads()).isEqualTo(1);
      assertThat(engines.leases()).isEqualTo(8);
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void anotherDtypeOrHeadIsAnotherBase() {
    ExecutorEngines engines = new ExecutorEngines(9);
    engines.lease(EMBED, VERSIONS, STORAGE, Device.cpu());
    engines.lease(withWindow(5), VERSIONS, STORAGE, Device.cpu());
    assertThat(engines.baseLoads()).isEqualTo(1);
    EngineSpec half = EMBED.with(Precision.BFLOAT16);
    engines.lease(half, VERSIONS, STORAGE, Device.cpu());
    assertThat(engines.baseLoads()).isEqualTo(2);
    EngineSpec classify = EngineSpec.of(EMBED.base(), TextClassification.AUTO, Map.of());
    engines.lease(classify, VERSIONS, STORAGE, Device.cpu());
    assertThat(engines.baseLoads()).isEqualTo(3);
  }

  @Test
  void longestUnusedEnginesAreClosedAndThoseInUseStay() {
    ExecutorEngines engines = new ExecutorEngines(2);
    var busy = engines.lease(withWindow(1), VERSIONS, STORAGE, Device.cpu());
    for (int rows = 2; rows <= 5; rows++) {
      engines.lease(withWindow(rows), VERSIONS, STORAGE, Device.cpu()).close();
    }
    assertThat(engines.size()).isEqualTo(3);
    assertThat(engines.leases()).isEqualTo(1);
    assertThat(busy.engine().run(List.of(Request.of("a dog", "feature")))).hasSize(1);

    // of 4 and 5, which are left, 5 is the longer unused once 4 was used again
    var again = engines.lease(withWindow(4), VERSIONS, STORAGE, Device.cpu());
    Engine four = again.engine();
    again.close();
    engines.lease(withWindow(6), VERSIONS, STORAGE, Device.cpu()).close();
    assertThat(engines.lease(withWindow(4), VERSIONS, STORAGE, Device.cpu()).engine())
        .isSameAs(four);
    assertThat(four.run(List.of(Request.of("a dog", "feature")))).hasSize(1);
    assertThat(engines.baseLoads()).isEqualTo(1);
  }

  @Test
  void failedLoadIsForgotten(@TempDir Path folder) throws Exception {
    ExecutorEngines engines = new ExecutorEngines(1);
    Path model = LocalSpark.freshModel("bert", folder);
    Path weights = model.resolve("model.safetensors");
    Files.move(weights, folder.resolve("elsewhere"));
    EngineSpec spec = EngineSpec.of(model.toString(), FeatureExtraction.AUTO, Map.of());
    assertThatThrownBy(() -> engines.lease(spec, VERSIONS, STORAGE, Device.cpu()))
        .isInstanceOf(LoadException.class);
    Files.move(folder.resolve("elsewhere"), weights);
    assertThat(engines.lease(spec, VERSIONS, STORAGE, Device.cpu()).engine()).isNotNull();
    assertThat(engines.baseLoads()).isEqualTo(1);
  }

  @Test
  void threadThatIsInterruptedWhileLoadingSpoilsNoOther(@TempDir Path folder) throws Exception {
    Path model = LocalSpark.freshModel("bert", folder);
    EngineSpec spec = EngineSpec.of(model.toString(), FeatureExtraction.AUTO, Map.of());
    for (int round = 0; round < 20; round++) {
      ExecutorEngines engines = new ExecutorEngines(1);
      Thread killed =
          new Thread(
              () -> {
                Thread.currentThread().interrupt();
                try {
                  engines.lease(spec, VERSIONS, STORAGE, Device.cpu());
                } catch (LoadException e) {
                  // its own fault
                }
              });
      killed.start();
      assertThat(engines.lease(spec, VERSIONS, STORAGE, Device.cpu()).engine()).isNotNull();
      killed.join();
    }
  }

  @Test
  void storageStaysUntilTheConfigurationSaysSomethingElse() {
    ExecutorEngines engines = new ExecutorEngines(1);
    Configuration driver = Scoring.hadoop(LocalSpark.session());
    Storage storage = engines.storage(driver);
    SharedSpec arrived =
        SharedSpec.of(
            new SharedSpec(EMBED, VERSIONS, new SerializableConfiguration(driver)).toBytes());
    assertThat(arrived.spec()).isEqualTo(EMBED);
    assertThat(engines.storage(arrived.hadoop().value())).isSameAs(storage);

    Configuration renewed = new Configuration(driver);
    renewed.set("fs.s3a.session.token", "another");
    assertThat(engines.storage(renewed)).isNotSameAs(storage);
  }

  @Test
  void sessionSettingsReachTheStorageAndSparksOwnDoNot() {
    var session = LocalSpark.session().newSession();
    session.conf().set("fs.s3a.endpoint", "http://localhost:1");
    assertThat(Scoring.hadoop(session).get("fs.s3a.endpoint")).isEqualTo("http://localhost:1");
    Map<String, String> before = Scoring.hadoop(session).getPropsWithPrefix("spark.");
    session.conf().set("spark.sql.shuffle.partitions", "77");
    assertThat(Scoring.hadoop(session).getPropsWithPrefix("spark.")).isEqualTo(before);
  }

  @Test
  void nothingPrintsTheConfiguration() {
    Configuration conf = new Configuration(false);
    conf.set("fs.s3a.secret.key", "hush");
    assertThat(new SharedSpec(EMBED, VERSIONS, new SerializableConfiguration(conf)).toString())
        .isEqualTo("SharedSpec of feature-extraction");
  }

  @Test
  void remoteBaseOfOtherFilesThanTheDriverFoundIsRefused(@TempDir Path folder) throws Exception {
    RemoteFileSystem.reset();
    Storage storage = new Storage(RemoteFileSystem.conf(), folder);
    Location base = RemoteFileSystem.location(BERT);
    EngineSpec spec = EngineSpec.of(base.uri(), FeatureExtraction.AUTO, Map.of());
    ExecutorEngines engines = new ExecutorEngines(1);
    assertThatThrownBy(() -> engines.lease(spec, VERSIONS, storage, Device.cpu()))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            base + ": its files have changed since the driver found them; start the job again");
    List<String> found = BaseModel.versions(storage, base);
    assertThat(engines.lease(spec, found, storage, Device.cpu()).engine()).isNotNull();
    assertThat(engines.baseLoads()).isEqualTo(1);
  }

  @Test
  void baseWhoseFilesHaveChangedIsLoadedAnewAndTheOldOneGoesWhenNobodyUsesIt() {
    ExecutorEngines engines = new ExecutorEngines(4);
    var old = engines.lease(EMBED, VERSIONS, STORAGE, Device.cpu());
    var changed = engines.lease(EMBED, List.of("2"), STORAGE, Device.cpu());
    assertThat(engines.baseLoads()).isEqualTo(2);
    assertThat(old.engine().run(List.of(Request.of("a dog")))).hasSize(1);
    old.close();
    assertThat(engines.size()).isEqualTo(1);
    assertThatThrownBy(() -> old.engine().run(List.of(Request.of("a dog"))))
        .isInstanceOf(IllegalStateException.class);
    assertThat(changed.engine().run(List.of(Request.of("a dog")))).hasSize(1);
    changed.close();
    engines.lease(EMBED, VERSIONS, STORAGE, Device.cpu()).close();
    assertThat(engines.baseLoads()).isEqualTo(3);
  }
}
