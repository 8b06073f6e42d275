package dev.medley.io;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.FileLockInterruptionException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder of this machine where copies of files are kept, for all its threads and processes.
 *
 * <pre>
 *   FOLDER/HOME/lock             one of them at a time works on that home
 *   FOLDER/HOME/…/RANDOM.part    what is being written, or what a crash left of it
 * </pre>
 */
final class CacheFolder {
  private static final Logger LOG = LoggerFactory.getLogger(CacheFolder.class);

  /**
   * A FileLock is held by the whole JVM, and closing any channel of its file can release it, so
   * threads take turns by one of these first, chosen by home. Static: two may share a folder.
   */
  private static final ReentrantLock[] TURNS =
      Stream.generate(ReentrantLock::new).limit(1024).toArray(ReentrantLock[]::new);

  private final Path folder;

  CacheFolder(Path folder) {
    this.folder = folder.toAbsolutePath();
  }

  /** What is done to a home while nobody else works on it. */
  interface Work<T> {
    T run() throws IOException;
  }

  /** A folder that may not be there yet. */
  Path home(String name) {
    return folder.resolve(name);
  }

  /** Does it when it is this thread's turn; the home is there by then. */
  static <T> T holding(Path home, Work<T> work) throws IOException {
    ReentrantLock turn = TURNS[Math.floorMod(home.hashCode(), TURNS.length)];
    try {
      turn.lockInterruptibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while another thread works on " + home);
    }
    try {
      Files.createDirectories(home);
      try (FileChannel channel =
              FileChannel.open(
                  home.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        LOG.debug("{} is held by {}", home, lock);
        return work.run();
      }
    } finally {
      turn.unlock();
    }
  }

  /** A new name beside a file that is to be renamed to it when it is whole. */
  static Path part(Path copy) {
    return copy.resolveSibling(UUID.randomUUID() + ".part");
  }

  /** Of a folder whose home is held: every part is what a crash left. */
  static void removeParts(Path folder) throws IOException {
    try (DirectoryStream<Path> parts = Files.newDirectoryStream(folder, "*.part")) {
      for (Path part : parts) {
        remove(part);
      }
    }
  }

  /** A file or a folder with all that is in it; nothing where there is none. */
  static void remove(Path fileOrFolder) throws IOException {
    if (!Files.isDirectory(fileOrFolder)) {
      Files.deleteIfExists(fileOrFolder);
      return;
    }
    try (Stream<Path> all = Files.walk(fileOrFolder)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }

  /** The same stream, whose failures to write are told from failures to read. */
  static OutputStream telling(OutputStream out) {
    return new OutputStream() {
      @Override
      public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
      }

      @Override
      public void write(byte[] bytes, int offset, int length) {
        try {
          out.write(bytes, offset, length);
        } catch (IOException e) {
          throw new Unwritten(e);
        }
      }

      @Override
      public void close() throws IOException {
        out.close();
      }
    };
  }

  /** A failure to write. */
  static final class Unwritten extends UncheckedIOException {
    private static final long serialVersionUID = 1L;

    Unwritten(IOException e) {
      super(e);
    }
  }

  /**
   * What to tell of a failure in the cache folder, such as a full disk; of bytes {@code needed}.
   */
  LoadException unusable(Location file, String needed, IOException e) {
    if (e instanceof InterruptedIOException
        || e instanceof ClosedByInterruptException
        || e instanceof FileLockInterruptionException) {
      return Storage.unreadable(file, e);
    }
    return new LoadException(
        file.toString(),
        "could not be kept in the cache folder "
            + folder
            + ", where it needs "
            + needed
            + " and finds "
            + free()
            + " bytes free: "
            + e
            + "; make room there, or set -Dmedley.cache or MEDLEY_CACHE to a folder that has it",
        e);
  }

  private String free() {
    try {
      return Long.toString(Files.getFileStore(folder).getUsableSpace());
    } catch (IOException e) {
      return "an unknown number";
    }
  }
}
