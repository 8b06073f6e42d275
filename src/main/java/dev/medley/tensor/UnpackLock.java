package dev.medley.tensor;

import ai.djl.util.Utils;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.FileLockInterruptionException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One JVM at a time starts a native library. DJL unpacks it into a folder that all JVMs of a user
 * share: those that start together would each unpack all of it, and one that comes late clears the
 * folder that another may be loading from.
 */
final class UnpackLock {
  private static final Logger LOG = LoggerFactory.getLogger(UnpackLock.class);

  private UnpackLock() {}

  /**
   * What {@code start} gives or throws. A folder that cannot be locked, as where nobody may write,
   * is no reason not to try.
   *
   * @param engine DJL's name of the folder, such as {@code pytorch}
   * @throws IllegalStateException where this thread is interrupted while it waits, as of a killed
   *     task; it still is
   */
  static <T> T during(String engine, Supplier<T> start) {
    Path folder = Utils.getEngineCacheDir(engine);
    try (FileChannel channel = lockFile(folder);
        FileLock lock = channel.lock()) {
      LOG.debug("{} holds {}", engine, lock);
      return start.get();
    } catch (ClosedByInterruptException | FileLockInterruptionException e) {
      throw new IllegalStateException("interrupted while another JVM unpacked " + engine, e);
    } catch (IOException | OverlappingFileLockException e) {
      LOG.debug("{} cannot be locked", folder, e);
      return start.get();
    }
  }

  private static FileChannel lockFile(Path folder) throws IOException {
    Files.createDirectories(folder);
    return FileChannel.open(
        folder.resolve("medley.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
  }
}
