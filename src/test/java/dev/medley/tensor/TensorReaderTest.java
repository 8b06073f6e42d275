package dev.medley.tensor;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.SafetensorsWriter.Tensor;
import dev.medley.io.Storage;
import dev.medley.io.StoredType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorReaderTest {
  private static final float[] VALUES = {0, 1, 2, 3, 100, 127, 5};

  @TempDir Path folder;

  /** One tensor "x" of shape (7). */
  private void write(StoredType type, ByteBuffer data) throws IOException {
    int length = data.capacity();
    String header =
        "{\"x\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}"
            .formatted(type, length / type.bytes(), length);
    header += " ".repeat((8 - header.length() % 8) % 8);
    ByteBuffer file =
        ByteBuffer.allocate(8 + header.length() + length).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(header.length()).put(header.getBytes(StandardCharsets.US_ASCII)).put(data);
    Files.write(folder.resolve("model.safetensors"), file.array());
  }

  private static ByteBuffer encode(StoredType type, float[] values) {
    ByteBuffer data =
        ByteBuffer.allocate(values.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      switch (type) {
        case F64 -> data.putDouble(value);
        case F32 -> data.putFloat(value);
        case F16 -> data.putShort(half(value));
        case BF16 -> data.putShort((short) (Float.floatToIntBits(value) >>> 16));
        case I64 -> data.putLong((long) value);
        case I32 -> data.putInt((int) value);
        case I16 -> data.putShort((short) value);
        case I8, U8, BOOL -> data.put((byte) value);
      }
    }
    return data.flip();
  }

  /** IEEE 754 binary16 of a small whole number. */
  private static short half(float value) {
    if (value == 0) {
      return 0;
    }
    int exponent = Math.getExponent(value);
    int fraction = Math.round((value / Math.scalb(1f, exponent) - 1) * 1024);
    return (short) ((exponent + 15) << 10 | fraction);
  }

  private NDArray read(NDManager owner, Precision precision) {
    try (Checkpoint checkpoint =
        Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "model")) {
      TensorReader reader = new TensorReader(checkpoint, owner, precision);
      Weights weights = Weights.of(folder.toString(), checkpoint.tensors(), reader);
      NDArray x = weights.get("x", Weights.ANY);
      weights.done();
      return x;
    }
  }

  @ParameterizedTest
  @EnumSource(StoredType.class)
  void everyStoredTypeIsConvertedToEveryPrecision(StoredType type) throws IOException {
    write(type, encode(type, VALUES));
    for (Precision precision : Precision.values()) {
      try (NDManager owner = NDManager.newBaseManager()) {
        NDArray x = read(owner, precision); // all values are exact in 8 bits
        assertClose(Kernels.to(x, Precision.FLOAT32).toFloatArray(), VALUES, 0);
        assertThat(owner.getManagedArrays()).hasSize(2);
      }
    }
  }

  @Test
  void tensorOfManyPiecesIsWhole() throws IOException {
    float[] values = new float[5_000_001];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 8191;
    }
    write(StoredType.F32, encode(StoredType.F32, values));
    try (NDManager owner = NDManager.newBaseManager()) {
      assertThat(read(owner, Precision.FLOAT32).toFloatArray()).isEqualTo(values);
    }
  }

  /** Neighbours of all types and sizes, in a file, by name; every number is exact in 8 bits. */
  private Map<String, float[]> writeMany() throws IOException {
    Map<String, float[]> values = new LinkedHashMap<>();
    List<Tensor> tensors = new ArrayList<>();
    List<List<Long>> shapes =
        List.of(List.of(3L, 2L), List.of(), List.of(0L, 4L), List.of(5L), List.of(2L, 1L, 2L));
    for (StoredType type : StoredType.values()) {
      for (int i = 0; i < shapes.size(); i++) {
        int count = (int) shapes.get(i).stream().mapToLong(size -> size).reduce(1, (a, b) -> a * b);
        float[] numbers = new float[count];
        for (int j = 0; j < count; j++) {
          numbers[j] = (7 * i + j + type.ordinal()) % 128;
        }
        String name = type + "." + i;
        values.put(name, numbers);
        byte[] bytes = encode(type, numbers).array();
        tensors.add(new Tensor(name, type, shapes.get(i), out -> out.write(bytes)));
      }
    }
    SafetensorsWriter.write(folder.resolve("model.safetensors"), Map.of(), tensors);
    return values;
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void neighboursReadTogetherAreWhatEachIsAlone(Precision precision) throws IOException {
    Map<String, float[]> values = writeMany();
    try (NDManager owner = NDManager.newBaseManager();
        Checkpoint checkpoint =
            Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "model")) {
      int before = owner.getManagedArrays().size();
      int read = 0;
      try (TensorReader reader = TensorReader.ahead(checkpoint, owner, precision)) {
        Weights weights = Weights.of("", checkpoint.tensors(), reader);
        for (String name : values.keySet()) {
          if (name.endsWith("3")) { // stays behind
            continue;
          }
          long[] shape = checkpoint.tensors().get(name).shape();
          NDArray x = weights.get(name, shape);
          assertThat(x.getShape().getShape()).as(name).isEqualTo(shape);
          assertClose(Kernels.to(x, Precision.FLOAT32).toFloatArray(), values.get(name), 0);
          NDArray again = weights.get(name, shape);
          assertThat(Kernels.areEqual(x, again)).as(name).isTrue();
          read += 3;
        }
        assertThat(owner.getManagedArrays()).hasSizeGreaterThan(before + read);
      }
      assertThat(owner.getManagedArrays()).hasSize(before + read);
    }
  }

  @Test
  void neighboursHaveMemoryOfTheirOwn() throws IOException {
    writeMany();
    try (NDManager owner = NDManager.newBaseManager();
        Checkpoint checkpoint =
            Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "model");
        TensorReader reader = TensorReader.ahead(checkpoint, owner, Precision.FLOAT32)) {
      Weights weights = Weights.of("", checkpoint.tensors(), reader);
      NDArray first = weights.get("F32.3", 5);
      NDArray second = weights.get("F32.4", 2, 1, 2);
      float[] before = second.toFloatArray();
      Kernels.zeroInto(first);
      first.close();
      assertThat(second.toFloatArray()).isEqualTo(before);
    }
  }

  @Test
  void onlyTheNeighbourWithNanIsNamed() throws IOException {
    byte[] fine = encode(StoredType.F32, VALUES).array();
    byte[] wrong = encode(StoredType.F32, new float[] {1, Float.NaN, 2}).array();
    SafetensorsWriter.write(
        folder.resolve("model.safetensors"),
        Map.of(),
        List.of(
            new Tensor("a", StoredType.F32, List.of(7L), out -> out.write(fine)),
            new Tensor("b", StoredType.F32, List.of(3L), out -> out.write(wrong)),
            new Tensor("c", StoredType.F32, List.of(7L), out -> out.write(fine))));
    try (NDManager owner = NDManager.newBaseManager();
        Checkpoint checkpoint =
            Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "model");
        TensorReader reader = TensorReader.ahead(checkpoint, owner, Precision.FLOAT32)) {
      Weights weights = Weights.of("", checkpoint.tensors(), reader);
      List.of("a", "b", "c").forEach(name -> weights.get(name, Weights.ANY));
      assertThat(weights.problems())
          .containsExactly("b: expected finite numbers, found NaN or infinity");
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void nanAndInfinityAreFoundWhereverTheyAre(Precision precision) {
    try (NDManager owner = NDManager.newBaseManager()) {
      for (int size : new int[] {1, 7, 64, 200}) {
        for (float wrong : new float[] {Float.NaN, -1f / 0, 1f / 0}) {
          for (int at = 0; at < size; at++) {
            float[] numbers = new float[size];
            numbers[at] = wrong;
            try (NDArray x = owner.create(numbers);
                NDArray converted = Kernels.to(x, precision)) {
              assertThat(Kernels.isFinite(converted)).as(wrong + " at " + at).isFalse();
            }
          }
        }
        try (NDArray x = owner.create(new float[size]);
            NDArray converted = Kernels.to(x, precision)) {
          assertThat(Kernels.isFinite(converted)).isTrue();
        }
      }
    }
  }

  @Test
  void fileCutShortWhileItIsReadIsAnErrorAndNotACrash() throws IOException {
    write(StoredType.F32, encode(StoredType.F32, new float[1 << 20]));
    try (NDManager owner = NDManager.newBaseManager();
        Checkpoint checkpoint =
            Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "model")) {
      TensorReader reader = new TensorReader(checkpoint, owner, Precision.FLOAT32);
      Weights weights = Weights.of("", checkpoint.tensors(), reader);
      try (RandomAccessFile file =
          new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
        file.setLength(4096);
      }
      assertThatThrownBy(() -> weights.get("x", Weights.ANY)).isInstanceOf(LoadException.class);
    }
  }

  @Test
  void nanAndInfinityAreNamed() throws IOException {
    write(StoredType.F32, encode(StoredType.F32, new float[] {1, Float.NEGATIVE_INFINITY}));
    try (NDManager owner = NDManager.newBaseManager()) {
      assertThatThrownBy(() -> read(owner, Precision.FLOAT32))
          .isInstanceOf(LoadException.class)
          .hasMessage(folder + ": x: expected finite numbers, found NaN or infinity");
    }
  }
}
