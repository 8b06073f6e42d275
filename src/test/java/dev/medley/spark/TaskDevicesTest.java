package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.tensor.StandInGpus;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.resource.ResourceInformation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@SuppressWarnings("try") // stand-ins are there, not used
class TaskDevicesTest {
  private static SparkConf conf(String master, String... settings) {
    SparkConf conf = new SparkConf(false).setMaster(master);
    for (int i = 0; i < settings.length; i += 2) {
      conf.set(settings[i], settings[i + 1]);
    }
    return conf;
  }

  @Test
  void taskWithoutResourcesComputesOnTheCpu() {
    assertThat(TaskDevices.of(DeviceChoice.AUTO, Map.of())).isEqualTo(Device.cpu());
    assertThatThrownBy(() -> TaskDevices.of(DeviceChoice.GPU, Map.of()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("device = gpu, and no GPU is assigned to this task");
  }

  @Test
  void assignedGpuIsNeverReplacedByTheCpu() {
    var assigned = Map.of("gpu", new ResourceInformation("gpu", new String[] {"999"}));
    assertThat(TaskDevices.of(DeviceChoice.CPU, assigned)).isEqualTo(Device.cpu());
    assertThatThrownBy(() -> TaskDevices.of(DeviceChoice.AUTO, assigned))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("GPU 999 is assigned to this task, and libtorch sees ");
  }

  @Test
  void localModeIsToldThatItsTasksWouldWaitForGpusForEver() {
    SparkConf local = conf("local[4]", "spark.task.resource.gpu.amount", "0.5");
    assertThatThrownBy(() -> TaskDevices.check(local))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "spark.task.resource.gpu.amount: expected none in local mode, where Spark gives no GPUs"
                + " to tasks and they would wait for them for ever, found 0.5; leave it out: tasks"
                + " of a local mode share the first GPU that there is");
    TaskDevices.check(conf("local-cluster[1,4,1024]", "spark.task.resource.gpu.amount", "0.5"));
    TaskDevices.check(conf("local"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "2.5", "many"})
  void permitsAreAWholeNumber(String said) {
    assertThatThrownBy(() -> TaskDevices.check(conf("yarn", TaskDevices.PERMITS, said)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "spark.medley.device.permits: expected a whole number of at least 1, got " + said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          CPU  ; local[2]         ; 0 ;      ;    ; cpu, passes at a time: one of each task
          AUTO ; local[2]         ; 0 ;      ;  3 ; cpu, passes at a time: 3
          AUTO ; local            ; 2 ;      ;    ; cuda:0, passes at a time: 2
          GPU  ; local[*]         ; 2 ;      ;  1 ; cuda:0, passes at a time: 1
          GPU  ; local[*]         ; 0 ;      ;    ; none: device = gpu, and libtorch sees none
          AUTO ; spark://host:1   ; 0 ;      ;    ; cpu, passes at a time: one of each task
          CPU  ; spark://host:1   ; 0 ; 1    ;    ; cpu, passes at a time: one of each task
          AUTO ; spark://host:1   ; 0 ; 0.25 ;    ; gpu, 0.25 of one for each task, passes at a time: 2
          GPU  ; k8s://host       ; 0 ; 1    ;  4 ; gpu, 1 of one for each task, passes at a time: 4
          GPU  ; yarn             ; 0 ;      ;    ; none: device = gpu, and spark.task.resource.gpu.amount gives none to tasks
          """)
  void explainSaysWhereTasksWouldCompute(
      DeviceChoice choice, String master, int gpus, String perTask, String permits, String said) {
    SparkConf conf = conf(master);
    if (perTask != null) {
      conf.set("spark.task.resource.gpu.amount", perTask);
    }
    if (permits != null) {
      conf.set(TaskDevices.PERMITS, permits);
    }
    try (StandInGpus standIns = StandInGpus.install(gpus)) {
      assertThat(TaskDevices.forecast(choice, conf)).isEqualTo(said);
    }
  }
}
