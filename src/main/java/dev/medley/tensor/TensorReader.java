package dev.medley.tensor;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.medley.io.Checkpoint;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;

/**
 * Copies tensors from a memory-mapped checkpoint into arrays of one precision, piece by piece: the
 * bytes go from the map into libtorch's memory and never through the heap. It is Java that reads
 * the map, since native code that reads one dies with the JVM when the file is cut short meanwhile.
 */
public final class TensorReader {
  private static final int PIECE = 8 << 20; // bytes

  private final Checkpoint checkpoint;
  private final NDManager owner;
  private final Precision precision;

  /** Arrays are created on the device of {@code owner} and belong to it. */
  public TensorReader(Checkpoint checkpoint, NDManager owner, Precision precision) {
    this.checkpoint = checkpoint;
    this.owner = owner;
    this.precision = precision;
  }

  /** A tensor of the checkpoint in this reader's precision. */
  NDArray read(TensorInfo tensor) {
    return read(tensor, precision.scalarType);
  }

  /** A tensor of indices as int64, which holds them all whatever they are stored as. */
  NDArray readIntegers(TensorInfo tensor) {
    return read(tensor, 4);
  }

  private NDArray read(TensorInfo tensor, int scalarType) {
    NDArray into;
    try (NDArray like = owner.zeros(new Shape(1))) {
      into = Kernels.empty(like, tensor.shape(), scalarType);
    }
    int width = tensor.type().bytes();
    int step = PIECE / width;
    try (NDManager cpu = owner.newSubManager(Device.cpu())) {
      for (long at = 0; at < tensor.elements(); at += step) {
        int length = (int) Math.min(step, tensor.elements() - at);
        NDArray raw = cpu.create(new Shape(length), carrier(width));
        raw.toByteBuffer(true).put(checkpoint.slice(tensor, at * width, length * width));
        Kernels.decodeInto(into, at, raw, scalarType(tensor.type()));
        raw.close();
      }
    }
    return into;
  }

  /** A type of that width which DJL's native side knows; the kernel reads the bytes as they are. */
  private static DataType carrier(int width) {
    return switch (width) {
      case 1 -> DataType.UINT8;
      case 2 -> DataType.FLOAT16;
      case 4 -> DataType.FLOAT32;
      default -> DataType.FLOAT64;
    };
  }

  /** c10::ScalarType of the stored type; a BOOL is a byte, so that no byte is undefined. */
  static int scalarType(StoredType type) {
    return switch (type) {
      case U8, BOOL -> 0;
      case I8 -> 1;
      case I16 -> 2;
      case I32 -> 3;
      case I64 -> 4;
      case F16 -> 5;
      case F32 -> 6;
      case F64 -> 7;
      case BF16 -> 15;
    };
  }
}
