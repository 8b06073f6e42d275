package dev.medley.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.util.CleanerUtil;

/**
 * A safetensors file, memory-mapped; the whole header is checked when it is opened. Slices are
 * views of the map: nothing is copied, and only the pages that are read are loaded.
 *
 * <p>The map is cut into segments that begin every GiB and are up to 2 GiB long, since a ByteBuffer
 * ends at 2 GiB: they overlap, so that any slice of up to 1 GiB lies within one.
 *
 * <p>Safe for concurrent use until it is closed.
 */
public final class SafetensorsFile implements AutoCloseable {
  /** The longest slice, in bytes: 1 GiB. */
  public static final int LONGEST_SLICE = 1 << 30;

  private final Path file;
  private final String where;
  // RandomAccessFile.length() rather than FileChannel.size(): the latter closes the channel for all
  // threads when one of them is interrupted, as Spark does with the tasks that it kills.
  private final RandomAccessFile open;
  private final long length;
  private final SafetensorsHeader header;
  private final List<MappedByteBuffer> segments;
  private boolean closed;

  private SafetensorsFile(
      Path file,
      String where,
      RandomAccessFile open,
      long length,
      SafetensorsHeader header,
      List<MappedByteBuffer> segments) {
    this.file = file;
    this.where = where;
    this.open = open;
    this.length = length;
    this.header = header;
    this.segments = segments;
  }

  /** Throws LoadException when the file is missing or broken in any way. */
  public static SafetensorsFile open(Path file) {
    return open(file, file.toString());
  }

  /**
   * {@code where} stands for the file in messages: a cached copy of a remote file shows its URI.
   */
  static SafetensorsFile open(Path file, String where) {
    if (Files.isDirectory(file)) {
      throw new LoadException(where, "expected a safetensors file, found a folder");
    }
    RandomAccessFile open = null;
    try {
      open = new RandomAccessFile(file.toFile(), "r");
      FileChannel channel = open.getChannel();
      long length = open.length();
      SafetensorsHeader header =
          SafetensorsHeader.read(where, length, Channels.newInputStream(channel));
      List<MappedByteBuffer> segments = new ArrayList<>();
      for (long begin = 0; begin < length; begin += LONGEST_SLICE) {
        long size = Math.min(length - begin, Integer.MAX_VALUE);
        // fails, rather than maps beyond the end, when the file has shrunk since
        segments.add(channel.map(FileChannel.MapMode.READ_ONLY, begin, size));
      }
      return new SafetensorsFile(file, where, open, length, header, segments);
    } catch (FileNotFoundException e) {
      throw new LoadException(where, "expected a readable safetensors file, found none", e);
    } catch (IOException e) {
      close(open);
      throw new LoadException(where, "could not be read: " + e, e);
    } catch (RuntimeException | Error e) {
      close(open);
      throw e;
    }
  }

  public Path file() {
    return file;
  }

  /** The tensors by name, in the header's order. */
  public Map<String, TensorInfo> tensors() {
    return header.tensors();
  }

  /** What the header has under {@code __metadata__}; empty when nothing. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /**
   * A read-only, direct, little-endian view of {@code length} bytes of a tensor, {@code offset}
   * bytes after its begin. Valid until {@link #close()}; using it afterwards can crash the JVM.
   *
   * <p>Throws LoadException when the file has been truncated since it was opened. Should that
   * happen between this call and the reading, Java reads anything, and the JVM throws an
   * InternalError at some later point of that thread or not at all; native code that reads is
   * killed. So copy by Java, and call {@link #verifyWhole} after the last read.
   */
  public ByteBuffer slice(TensorInfo t, long offset, int length) {
    if (!t.equals(tensors().get(t.name()))) {
      throw new IllegalArgumentException("not a tensor of " + where + ": " + t);
    }
    if (offset < 0 || length < 0 || length > LONGEST_SLICE || offset > t.bytes() - length) {
      throw new IllegalArgumentException(
          "expected a slice of up to "
              + LONGEST_SLICE
              + " bytes within the "
              + t.bytes()
              + " of "
              + t
              + ", found "
              + length
              + " from "
              + offset);
    }
    return view(t.begin() + offset, length);
  }

  /** The same of all bytes from one tensor's first to another's last, up to 1 GiB. */
  ByteBuffer slice(TensorInfo first, TensorInfo last) {
    for (TensorInfo t : List.of(first, last)) {
      if (!t.equals(tensors().get(t.name()))) {
        throw new IllegalArgumentException("not a tensor of " + where + ": " + t);
      }
    }
    long length = last.end() - first.begin();
    if (last.begin() < first.begin() || length > LONGEST_SLICE) {
      throw new IllegalArgumentException(
          "expected up to " + LONGEST_SLICE + " bytes from " + first + " to " + last);
    }
    return view(first.begin(), (int) length);
  }

  private synchronized ByteBuffer view(long position, int length) {
    checkUsable();
    // an empty tensor may lie at the very end of the file, which may be the end of the segments
    int segment = (int) Math.min(position / LONGEST_SLICE, segments.size() - 1);
    int start = Math.toIntExact(position - (long) segment * LONGEST_SLICE);
    return segments
        .get(segment)
        .slice(start, length)
        .asReadOnlyBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Has the system read the file into memory that it can give back. */
  synchronized void readAhead() {
    checkUsable();
    segments.forEach(MappedByteBuffer::load);
  }

  /**
   * Throws LoadException when the file has been truncated since it was opened: where it does not,
   * what was read until now was in the file.
   */
  public synchronized void verifyWhole() {
    checkUsable();
  }

  /** Unmaps the file now, not when the garbage collector gets to it. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    close(open);
    if (CleanerUtil.UNMAP_SUPPORTED) { // where it is not, the garbage collector does it
      for (ByteBuffer segment : segments) {
        try {
          CleanerUtil.getCleaner().freeBuffer(segment);
        } catch (IOException e) {
          throw new IllegalStateException("could not unmap " + where, e);
        }
      }
    }
  }

  /** To touch a page behind the end of the file is a SIGBUS, so ask before it is touched. */
  private void checkUsable() {
    if (closed) {
      throw new IllegalStateException(where + " is closed");
    }
    long now;
    try {
      now = open.length();
    } catch (IOException e) {
      throw new LoadException(where, "could not be read: " + e, e);
    }
    if (now < length) {
      throw new LoadException(
          where,
          "expected "
              + length
              + " bytes as when it was opened, found "
              + now
              + "; replace model files by renaming, do not overwrite them");
    }
  }

  private static void close(RandomAccessFile file) {
    try {
      if (file != null) {
        file.close();
      }
    } catch (IOException e) {
      // opened for reading only: nothing can be lost
    }
  }
}
