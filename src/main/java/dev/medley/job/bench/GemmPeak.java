package dev.medley.job.bench;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Torch;

/** What this machine can do at best: a large fp32 product with all threads of libtorch. */
final class GemmPeak {
  private static final int SIZE = 2048;
  private static final int RUNS = 5;

  private double best;

  /** Floating-point operations a second, the best of all times that it was measured. */
  double flops() {
    return best;
  }

  /** Measures it once more: other processes, or a hot CPU, make it look less, and nothing more. */
  void measure() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      NDArray x = owner.randomNormal(0, 1, new Shape(SIZE, SIZE), DataType.FLOAT32);
      NDArray w = owner.randomNormal(0, 1, new Shape(SIZE, SIZE), DataType.FLOAT32);
      for (int run = 0; run <= RUNS; run++) {
        long start = System.nanoTime();
        Kernels.linear(x, w, null).close();
        double seconds = (System.nanoTime() - start) / 1e9;
        best = Math.max(best, 2.0 * SIZE * SIZE * SIZE / seconds);
      }
    }
  }
}
