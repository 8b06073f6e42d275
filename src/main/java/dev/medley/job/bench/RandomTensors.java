package dev.medley.job.bench;

import dev.medley.io.SafetensorsWriter.Tensor;
import dev.medley.io.StoredType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;

/** Tensors to write whose numbers follow from their names and a seed. */
final class RandomTensors {
  /** Drawing a number costs more than writing it, so all tensors are made of these. */
  private static final float[] NORMAL = new float[1 << 20];

  static {
    Random random = new Random(7);
    for (int i = 0; i < NORMAL.length; i++) {
      NORMAL[i] = (float) random.nextGaussian();
    }
  }

  private interface Numbers {
    float at(int index);
  }

  private RandomTensors() {}

  /** Normal numbers with mean 0. */
  static Tensor normal(String name, double std, int seed, long... shape) {
    Random random = new Random(31L * name.hashCode() + seed);
    int start = random.nextInt(NORMAL.length);
    int step = 2 * random.nextInt(NORMAL.length / 2) + 1; // odd: comes by all of them
    float scale = (float) std;
    return tensor(name, i -> scale * NORMAL[(start + i * step) & (NORMAL.length - 1)], shape);
  }

  /** The same number everywhere. */
  static Tensor filled(String name, float value, long... shape) {
    return tensor(name, i -> value, shape);
  }

  private static Tensor tensor(String name, Numbers numbers, long... shape) {
    List<Long> sizes = LongStream.of(shape).boxed().toList();
    int count = Math.toIntExact(sizes.stream().reduce(1L, Math::multiplyExact));
    return new Tensor(name, StoredType.F32, sizes, out -> write(out, count, numbers));
  }

  private static void write(OutputStream out, int count, Numbers numbers) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      if (!buffer.hasRemaining()) {
        out.write(buffer.array());
        buffer.clear();
      }
      buffer.putFloat(numbers.at(i));
    }
    out.write(buffer.array(), 0, buffer.position());
  }
}
