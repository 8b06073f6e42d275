package dev.medley.tensor;

import ai.djl.ndarray.NDArray;
import dev.medley.io.StoredType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/** Writes arrays as safetensors stores them, piece by piece. */
public final class TensorWriter {
  private static final int PIECE = 8 << 20; // bytes

  private TensorWriter() {}

  /** Converts x to {@code type}, row-major and little-endian. */
  public static void write(NDArray x, StoredType type, OutputStream out) throws IOException {
    long elements = x.getShape().size();
    long step = PIECE / type.bytes();
    for (long at = 0; at < elements; at += step) {
      long length = Math.min(step, elements - at);
      try (NDArray bytes = Kernels.encode(x, at, length, TensorReader.scalarType(type))) {
        ByteBuffer buffer = bytes.toByteBuffer();
        byte[] piece = new byte[buffer.remaining()];
        buffer.get(piece);
        out.write(piece);
      }
    }
  }

  /** Whether no element is NaN or infinite as {@code type}. */
  public static boolean isFiniteAs(NDArray x, StoredType type) {
    try (NDArray stored = Kernels.to(x, TensorReader.scalarType(type))) {
      return Kernels.isFinite(stored);
    }
  }
}
