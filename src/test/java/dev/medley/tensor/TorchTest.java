package dev.medley.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TorchTest {
  /** More than any machine has. */
  private static final long NUMBERS = 1L << 48;

  @Test
  void whatLibtorchSaysWhereMemoryEndsIsUnderstood() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      EngineException direct =
          catchThrowableOfType(EngineException.class, () -> owner.zeros(new Shape(NUMBERS)));
      EngineException inAKernel =
          catchThrowableOfType(
              EngineException.class, () -> Kernels.empty(owner, Precision.FLOAT32, NUMBERS));

      assertThat(direct).hasMessageContaining("allocate");
      assertThat(inAKernel).hasMessageContaining("TorchScript").hasMessageContaining("allocate");
      assertThat(Torch.isOutOfMemory(direct)).isTrue();
      assertThat(Torch.isOutOfMemory(inAKernel)).isTrue();
    }
  }

  /** As PyTorch's users report them. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB of"
            + " which 0 bytes is free.",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory: you tried"
            + " to allocate 9830400 bytes."
      })
  void soIsWhatItSaysElsewhere(String message) {
    assertThat(Torch.isOutOfMemory(new EngineException(message))).isTrue();
  }

  @Test
  void nothingElseIsTakenForIt() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      EngineException unfit =
          catchThrowableOfType(
              EngineException.class,
              () -> Kernels.add(owner.zeros(new Shape(2)), owner.zeros(new Shape(3))));
      assertThat(Torch.isOutOfMemory(unfit)).isFalse();
    }
    assertThat(Torch.isOutOfMemory(new EngineException((String) null))).isFalse();
    assertThat(
            Torch.isOutOfMemory(
                new EngineException("CUDA error: an illegal memory access was encountered")))
        .isFalse();
  }
}
