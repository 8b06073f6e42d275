package dev.medley.job;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The local disk that stops for ever once so many files have got a last name that fits, before the
 * next does: whoever waits for the mark can kill its process at that very point. Or the process
 * dies there, the first that comes.
 */
public final class HaltingFileSystem extends LocalFileSystem {
  /**
   * System property: a number, a pattern of paths, the mark, which is a file that is made then, and
   * {@code stop} or {@code die}; by blanks.
   */
  static final String MARK = "medley.test.halt";

  private static final AtomicInteger RENAMES = new AtomicInteger();

  @Override
  public boolean rename(Path from, Path to) throws IOException {
    String[] halt = System.getProperty(MARK, "0 none none stop").split(" ");
    if (to.toString().matches(halt[1]) && RENAMES.incrementAndGet() > Integer.parseInt(halt[0])) {
      boolean first = mark(java.nio.file.Path.of(halt[2]));
      if (halt[3].equals("stop")) {
        stop();
      } else if (first) {
        Runtime.getRuntime().halt(9);
      }
    }
    return super.rename(from, to);
  }

  /** Whether nobody was there before. */
  private static boolean mark(java.nio.file.Path file) throws IOException {
    try {
      Files.createFile(file);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  private static void stop() {
    while (true) {
      try {
        Thread.sleep(60_000);
      } catch (InterruptedException e) {
        // Spark would like to go on
      }
    }
  }
}
