package dev.medley.tensor;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.medley.io.Checkpoint;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Copies tensors from a memory-mapped checkpoint into arrays of one precision, piece by piece: the
 * bytes go from the map into libtorch's memory and never through the heap. It is Java that reads
 * the map, since native code that reads one dies with the JVM when the file is cut short meanwhile.
 *
 * <p>Most tensors of an adapter are so small that a call into libtorch costs more than the bytes. A
 * reader made by {@link #ahead} therefore reads small neighbours of one type in one piece, when the
 * first of them is asked for; each still gets memory of its own.
 */
public final class TensorReader implements AutoCloseable {
  private static final int PIECE = 8 << 20; // bytes

  private final Checkpoint checkpoint;
  private final NDManager owner;
  private final Precision precision;

  /** Neighbours by the names of each of them; none where every tensor is read alone. */
  private final Map<String, List<TensorInfo>> neighbours = new HashMap<>();

  /** Read and not asked for yet, by name. */
  private final Map<String, Finite> waiting = new HashMap<>();

  /**
   * An array.
   *
   * @param isFinite whether it holds neither NaN nor an infinity
   */
  record Finite(NDArray array, boolean isFinite) {}

  /** Arrays are created on the device of {@code owner} and belong to it. */
  public TensorReader(Checkpoint checkpoint, NDManager owner, Precision precision) {
    this.checkpoint = checkpoint;
    this.owner = owner;
    this.precision = precision;
  }

  /** One for a reader of most of the checkpoint's tensors, who closes it after the last. */
  public static TensorReader ahead(Checkpoint checkpoint, NDManager owner, Precision precision) {
    TensorReader reader = new TensorReader(checkpoint, owner, precision);
    List<TensorInfo> inOrder = new ArrayList<>(checkpoint.tensors().values());
    inOrder.sort(
        Comparator.comparing(TensorInfo::file)
            .thenComparingLong(TensorInfo::begin)
            .thenComparingLong(TensorInfo::end)); // an empty one begins where the next does
    List<TensorInfo> run = List.of();
    for (TensorInfo tensor : inOrder) {
      if (run.isEmpty() || !isOneMore(tensor, run)) {
        run = new ArrayList<>();
      }
      run.add(tensor);
      reader.neighbours.put(tensor.name(), run);
    }
    return reader;
  }

  private static boolean isOneMore(TensorInfo tensor, List<TensorInfo> run) {
    TensorInfo first = run.get(0);
    return tensor.type() == first.type()
        && tensor.file().equals(first.file())
        && tensor.end() - first.begin() <= PIECE;
  }

  /** Frees what was read ahead and nobody asked for. */
  @Override
  public void close() {
    waiting.values().forEach(read -> read.array.close());
    waiting.clear();
    neighbours.clear();
  }

  /** A tensor of the checkpoint in this reader's precision. */
  Finite read(TensorInfo tensor) {
    Finite early = waiting.remove(tensor.name());
    if (early == null && neighbours.getOrDefault(tensor.name(), List.of()).size() > 1) {
      readTogether(neighbours.get(tensor.name()));
      early = waiting.remove(tensor.name());
    }
    return early == null ? read(tensor, precision.scalarType) : early;
  }

  /** A tensor of indices as int64, which holds them all whatever they are stored as. */
  Finite readIntegers(TensorInfo tensor) {
    return read(tensor, 4);
  }

  private Finite read(TensorInfo tensor, int scalarType) {
    NDArray into = empty(tensor.shape(), scalarType);
    int width = tensor.type().bytes();
    int step = PIECE / width;
    try (NDManager cpu = owner.newSubManager(Device.cpu())) {
      for (long at = 0; at < tensor.elements(); at += step) {
        int length = (int) Math.min(step, tensor.elements() - at);
        decode(into, at, checkpoint.slice(tensor, at * width, length * width), tensor.type(), cpu);
      }
    }
    return new Finite(into, Kernels.isFinite(into));
  }

  /** Once: a name has no neighbours after that, so what is asked for again is read alone. */
  private void readTogether(List<TensorInfo> run) {
    TensorInfo first = run.get(0);
    TensorInfo last = run.get(run.size() - 1);
    long elements = (last.end() - first.begin()) / first.type().bytes();
    try (NDManager cpu = owner.newSubManager(Device.cpu());
        NDArray all = empty(new long[] {elements}, precision.scalarType)) {
      decode(all, 0, checkpoint.slice(first, last), first.type(), cpu);
      boolean areFinite = Kernels.isFinite(all);
      List<NDArray> parts = Kernels.parts(all, run.stream().map(TensorInfo::shape).toList());
      for (int i = 0; i < parts.size(); i++) {
        NDArray part = parts.get(i);
        String name = run.get(i).name();
        waiting.put(name, new Finite(part, areFinite || Kernels.isFinite(part)));
        neighbours.remove(name);
      }
    }
  }

  private NDArray empty(long[] shape, int scalarType) {
    try (NDArray like = owner.zeros(new Shape(1))) {
      return Kernels.empty(like, shape, scalarType);
    }
  }

  private static void decode(
      NDArray into, long at, ByteBuffer bytes, StoredType type, NDManager cpu) {
    int width = type.bytes();
    if (isStoredAsIs(into, type)) {
      into.toByteBuffer(true).position(Math.toIntExact(at * width)).put(bytes);
      return;
    }
    try (NDArray raw = cpu.create(new Shape(bytes.remaining() / width), carrier(width))) {
      raw.toByteBuffer(true).put(bytes);
      Kernels.decodeInto(into, at, raw, scalarType(type));
    }
  }

  /** Whether an array is in memory that Java can write, of the type that the file has. */
  private static boolean isStoredAsIs(NDArray into, StoredType type) {
    return into.getDevice().equals(Device.cpu())
        && type == StoredType.F32
        && into.getDataType() == DataType.FLOAT32
        && into.getShape().size() * type.bytes() <= Integer.MAX_VALUE;
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
