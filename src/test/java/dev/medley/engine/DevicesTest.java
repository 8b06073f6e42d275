package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.tensor.StandInGpus;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@SuppressWarnings("try") // stand-ins are there, not used
class DevicesTest {
  private static Device choose(DeviceChoice choice, List<String> addresses, int visible) {
    return Devices.choose(choice, addresses, visible, null);
  }

  @Test
  void autoTakesTheAssignedGpuElseTheCpu() {
    assertThat(choose(DeviceChoice.AUTO, List.of(), 2)).isEqualTo(Device.cpu());
    assertThat(choose(DeviceChoice.AUTO, List.of("1"), 2)).isEqualTo(Device.gpu(1));
  }

  @Test
  void cpuIsTheCpuWhateverIsAssigned() {
    assertThat(choose(DeviceChoice.CPU, List.of("1", "GPU-9"), 2)).isEqualTo(Device.cpu());
  }

  @Test
  void gpuNeverFallsBack() {
    assertThatThrownBy(() -> choose(DeviceChoice.GPU, List.of(), 2))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "device = gpu, and no GPU is assigned to this task; set spark.task.resource.gpu.amount"
                + " and spark.executor.resource.gpu.amount, or set device = auto");
    assertThatThrownBy(() -> choose(DeviceChoice.AUTO, List.of("0"), 0))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "GPU 0 is assigned to this task, and libtorch sees 0; put a CUDA build of libtorch on"
                + " the executor's class path, or set device = cpu");
  }

  @Test
  void severalGpusOfOneTaskAreRefusedRatherThanAllButOneLeftIdle() {
    assertThat(choose(DeviceChoice.AUTO, List.of("2", "2"), 4)).isEqualTo(Device.gpu(2));
    assertThatThrownBy(() -> choose(DeviceChoice.AUTO, List.of("2", "3", "2"), 4))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "GPUs 2, 3 are assigned to this task, which computes on one; set"
                + " spark.task.resource.gpu.amount to 1, or to less for tasks to share a GPU");
  }

  /** A number counts as CUDA does, which begins anew in the list; a name has its place there. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          1                 ;                       ; 1
          1                 ; 4,5                   ; 1
          GPU-8932f937-d72c ; GPU-11, GPU-8932f937  ; 1
          GPU-8932f937-d72c ; 0,GPU-8932f937-d72c   ; 1
          MIG-1a            ; MIG-1a                ; 0
          """)
  void addressIsANumberOrANameInTheListOfVisibleGpus(String address, String list, int expected) {
    assertThat(Devices.choose(DeviceChoice.GPU, List.of(address), 2, list))
        .isEqualTo(Device.gpu(expected));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          GPU-1  ;           ; is not set
          GPU-1  ; GPU-2,0   ; is GPU-2,0
          GPU-1  ; GPU-12    ; is GPU-12
          0x1    ; 0x1       ; is 0x1
          """)
  void nameThatIsNotInTheListHasNoNumber(String address, String list, String found) {
    assertThatThrownBy(() -> Devices.choose(DeviceChoice.AUTO, List.of(address), 2, list))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("GPU " + address + " is assigned to this task by a name, and CUDA_")
        .hasMessageContaining("a number, " + found + "; have the discovery script give numbers");
  }

  @Test
  void whereNobodyAssignsItIsTheFirstGpu() {
    try (StandInGpus gpus = StandInGpus.install(2)) {
      assertThat(Devices.unassigned(DeviceChoice.AUTO)).isEqualTo(Device.gpu(0));
      assertThat(Devices.unassigned(DeviceChoice.GPU)).isEqualTo(Device.gpu(0));
      assertThat(Devices.unassigned(DeviceChoice.CPU)).isEqualTo(Device.cpu());
    }
    try (StandInGpus none = StandInGpus.install(0)) {
      assertThat(Devices.unassigned(DeviceChoice.AUTO)).isEqualTo(Device.cpu());
      assertThatThrownBy(() -> Devices.unassigned(DeviceChoice.GPU))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("device = gpu, and libtorch sees none; put a CUDA build");
    }
  }

  @Test
  void nameIsTorchs() {
    assertThat(Devices.name(Device.gpu(1))).isEqualTo("cuda:1");
    assertThat(Devices.name(Device.cpu())).isEqualTo("cpu");
  }
}
