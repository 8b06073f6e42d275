package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A cache folder without room, as a process has it that may write no file of more than 64 KiB: what
 * fails, fails in the system call, on any machine and for any user.
 */
class FullDiskTest {
  private static final int LENGTH = 1_000_000;

  @TempDir Path folder;

  @Test
  void fullDiskIsNamedAndLeavesNothing() throws Exception {
    RemoteFileSystem.reset();
    Path cache = folder.resolve("cache");
    Path file = folder.resolve("model.safetensors");
    Files.write(file, Safetensors.data(LENGTH));
    Path zip = ArchiveFile.of(folder.resolve("x.zip"), "zeros", new byte[LENGTH]);
    List<String> locations = List.of(RemoteFileSystem.location(file).uri(), zip + "/zeros");

    String output =
        ChildJvm.finish(
            ChildJvm.limited(
                "ulimit -f 128", Fetch.class, cache.toString(), locations.get(0), locations.get(1)),
            0);

    assertThat(output.lines().filter(line -> line.startsWith("refused ")))
        .satisfiesExactly(
            line ->
                assertThat(line)
                    .matches(
                        "refused \\Q%s\\E: could not be kept in the cache folder \\Q%s\\E, where it needs %s bytes and finds [0-9]+ bytes free: java.io.IOException: File too large; make room there, or set -Dmedley.cache or MEDLEY_CACHE to a folder that has it"
                            .formatted(locations.get(0), cache, LENGTH)),
            line ->
                assertThat(line)
                    .startsWith(
                        "refused " + zip + ": could not be kept in the cache folder " + cache)
                    .contains(
                        "the bytes that it unpacks to", "java.io.IOException: File too large"));
    try (Stream<Path> left = Files.walk(cache)) {
      assertThat(left.filter(Files::isRegularFile).map(Path::getFileName).map(Path::toString))
          .containsOnly("lock");
    }
    Storage storage = new Storage(RemoteFileSystem.conf(), cache);
    for (String location : locations) {
      assertThat(storage.fetch(Location.of(location))).hasSize(LENGTH);
    }
  }

  /** CACHE, then files to fetch. */
  static final class Fetch {
    public static void main(String[] args) {
      RemoteFileSystem.reset();
      Storage storage = new Storage(RemoteFileSystem.conf(), Path.of(args[0]));
      for (String location : List.of(args).subList(1, args.length)) {
        try {
          storage.fetch(Location.of(location));
        } catch (LoadException e) {
          System.out.println("refused " + e.getMessage());
        }
      }
    }
  }
}
