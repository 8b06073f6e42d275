package dev.medley.tensor;

import ai.djl.util.Utils;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How DJL's native libraries are started. DJL tries once per JVM, after unpacking them into a
 * folder that all JVMs of a user share: so not in a thread that may be interrupted, as a task's is
 * when it is killed, and not while another JVM unpacks the same.
 */
public final class NativeStart {
  private static final Logger LOG = LoggerFactory.getLogger(NativeStart.class);

  private NativeStart() {}

  /**
   * What {@code start} gives or throws, run in a thread of its own, for which the caller waits
   * whether it is interrupted or not.
   *
   * @param engine DJL's name of the folder, such as {@code pytorch}
   */
  public static <T> T of(String engine, Supplier<T> start) {
    CompletableFuture<T> started = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                started.complete(alone(engine, start));
              } catch (RuntimeException | Error e) {
                started.completeExceptionally(e);
              }
            },
            "medley-start-" + engine);
    thread.setDaemon(true);
    thread.start();
    try {
      return started.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) e.getCause();
    }
  }

  /** While no other JVM does; a folder that cannot be locked is no reason not to try. */
  private static <T> T alone(String engine, Supplier<T> start) {
    Path folder = Utils.getEngineCacheDir(engine);
    try (FileChannel channel = lockFile(folder);
        FileLock lock = channel.lock()) {
      LOG.debug("{} holds {}", engine, lock);
      return start.get();
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
