package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import dev.medley.Fixtures;
import dev.medley.engine.Batching;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.DevicePermits;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.tensor.Calls;
import dev.medley.tensor.StandInGpus;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Four tasks at a time on one GPU of two permits, for which the CPU stands in. */
@Timeout(300)
@SuppressWarnings("try") // calls are seen until the end of a block
class DeviceTurnsTest {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");
  private static final Batching SMALL = new Batching(8, 4096, 64, 0, true);

  private StandInGpus gpus;

  @BeforeEach
  void installGpus() {
    gpus = StandInGpus.install(1);
  }

  @AfterEach
  void removeGpus() {
    gpus.close();
  }

  private static DevicePermits permits() {
    return ExecutorEngines.OF_THIS_JVM.permits(Device.gpu(0));
  }

  private static EngineSpec spec(DeviceChoice device) {
    Task task = TextClassification.AUTO;
    EngineSpec spec = LocalSpark.spec(Fixtures.path("models/bert-sequence"), task, "qv");
    return new EngineSpec(
        spec.base(),
        task,
        spec.adapters(),
        spec.sets(),
        spec.dtype(),
        device,
        SMALL,
        spec.merging(),
        spec.adapterMemory(),
        spec.onError());
  }

  private static Dataset<Row> rows(int count) {
    return LocalSpark.rows(LocalSpark.random(count, 4, "qv", null)).repartition(4);
  }

  /** Stops every pass where it begins until it is opened. */
  private static final class Gate implements BiConsumer<String, NDArray> {
    private final CountDownLatch open = new CountDownLatch(1);
    private final Set<Thread> stopped = ConcurrentHashMap.newKeySet();
    private final Set<String> devices = ConcurrentHashMap.newKeySet();

    @Override
    public void accept(String method, NDArray first) {
      if (!method.equals("embedding")) {
        return;
      }
      devices.add(StandInGpus.deviceOf(first.getManager()));
      stopped.add(Thread.currentThread());
      boolean interrupted = false;
      while (open.getCount() > 0) {
        try {
          open.await();
        } catch (InterruptedException e) {
          interrupted = true; // libtorch would not hear of it, either
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Two tasks compute and two wait for them; all four are killed, softly or by interrupts. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void killedTasksLeaveTheQueueAndGiveTheirPermitsBack(boolean byInterrupts) throws Exception {
    kill(Scoring.score(rows(400), spec(DeviceChoice.GPU), COLUMNS, null), byInterrupts);
  }

  @Test
  void tasksThatGenerateDoSoStepByStep(@TempDir Path folder) throws Exception {
    DecoderFolder.of("llama", folder);
    List<Row> prompts = new ArrayList<>();
    for (int id = 0; id < 40; id++) {
      prompts.add(RowFactory.create(id, "t" + (9 + id) + " t8 t7", id % 2 == 0 ? "lora" : null));
    }
    var lora = Map.of("lora", DecoderFolder.adapters("llama").get("lora"));
    EngineSpec spec =
        EngineSpec.of(folder.toString(), TextGeneration.AUTO.withMaxNewTokens(5), lora);
    kill(
        Scoring.score(
            LocalSpark.rows(prompts).repartition(4),
            LocalSpark.ready(spec.with(SMALL)),
            COLUMNS,
            null),
        false);
  }

  private static void kill(Dataset<Row> scored, boolean byInterrupts) throws Exception {
    SparkContext context = LocalSpark.session().sparkContext();
    Gate gate = new Gate();
    try (AutoCloseable seen = Calls.seen(gate)) {
      Thread job =
          new Thread(
              () -> {
                context.setJobGroup("turns", "to be killed", byInterrupts);
                try {
                  scored.collectAsList();
                } catch (Exception e) {
                  // what killing is for
                }
              });
      job.start();
      waitUntil(() -> permits().taken() == 2 && permits().waiting() == 2);

      context.cancelJobGroup("turns");

      waitUntil(() -> permits().waiting() == 0);
      assertThat(permits().taken()).as("passes that still compute").isEqualTo(2);
      assertThat(gate.stopped).hasSize(2);
      assertThat(gate.devices).containsExactly("cuda:0");
      gate.open.countDown();
      job.join();
      waitUntil(() -> permits().taken() == 0);
      waitUntil(() -> ExecutorEngines.OF_THIS_JVM.leases() == 0);
    }
    assertThat(scored.filter("prediction is null").count()).isZero();
    assertThat(permits().taken()).isZero();
  }

  /** However busy the machine is: the test's own timeout ends it. */
  private static void waitUntil(BooleanSupplier condition) throws InterruptedException {
    while (!condition.getAsBoolean()) {
      Thread.sleep(10);
    }
  }

  @Test
  void failedPassGivesItsPermitBack() throws Exception {
    Dataset<Row> scored = Scoring.score(rows(40), spec(DeviceChoice.AUTO), COLUMNS, null);
    try (AutoCloseable seen =
        Calls.seen(
            (method, first) -> {
              if (method.equals("embedding")) {
                throw new IllegalStateException("a broken pass");
              }
            })) {
      assertThatThrownBy(scored::collectAsList).hasStackTraceContaining("a broken pass");
    }
    waitUntil(() -> permits().taken() == 0 && permits().waiting() == 0);
    assertThat(scored.filter("prediction is null").count()).isZero();
  }

  @Test
  void gpuThatIsAskedForAndNotThereFailsTheJobAndSaysWhatToSet() {
    gpus.close();
    gpus = StandInGpus.install(0);
    assertThatThrownBy(
            () -> Scoring.score(rows(4), spec(DeviceChoice.GPU), COLUMNS, null).collectAsList())
        .hasStackTraceContaining(
            "device = gpu, and libtorch sees none; put a CUDA build of libtorch on the class path,"
                + " or set device = auto");
  }
}
