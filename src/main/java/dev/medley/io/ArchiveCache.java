package dev.medley.io;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Archives, unpacked in the cache folder, known by what is in them: the same archive in two places
 * is unpacked once.
 *
 * <pre>
 *   FOLDER/archives/sha256 of the archive/lock
 *   FOLDER/archives/sha256 of the archive/content          whole, since it is renamed there
 *   FOLDER/archives/sha256 of the archive/content.sha256   of its files, written before it
 *   FOLDER/archives/sha256 of the archive/RANDOM.part      what a crash left of one
 * </pre>
 */
final class ArchiveCache {
  private static final Logger LOG = LoggerFactory.getLogger(ArchiveCache.class);

  private final CacheFolder folder;
  private final Archive.Bounds bounds;
  private final Map<Seen, String> hashes = new ConcurrentHashMap<>();

  /** Lengths of files by name, of homes that were verified. */
  private final Map<Path, Map<String, Long>> verified = new ConcurrentHashMap<>();

  /** A file as it was when its hash was taken. */
  private record Seen(Path file, long length, FileTime modified) {}

  ArchiveCache(CacheFolder folder, Archive.Bounds bounds) {
    this.folder = folder;
    this.bounds = bounds;
  }

  /** The SHA-256 of an archive on this machine, taken once as long as it does not change. */
  String sha256(Location archive, Path file) {
    try {
      BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class);
      Seen seen = new Seen(file, now.size(), now.lastModifiedTime());
      String known = hashes.get(seen);
      if (known == null) {
        known = Sha256.read(file);
        hashes.put(seen, known);
      }
      return known;
    } catch (IOException e) {
      throw Storage.unreadable(archive, e);
    }
  }

  /**
   * The folder that an archive holds: the one folder in it where there is nothing beside that, else
   * all of it.
   *
   * @param archive what messages name
   * @param file the archive itself, on this machine
   */
  Path unpacked(Location archive, Path file) {
    Path home = folder.home("archives").resolve(sha256(archive, file));
    try {
      Path content = home.resolve("content");
      Map<String, Long> files = verified.get(home);
      if (files == null || !haveLengths(content, files)) {
        files =
            CacheFolder.holding(
                home,
                () -> {
                  if (!isSound(archive, content)) {
                    unpack(archive, file, content);
                  }
                  return lengths(content);
                });
        verified.put(home, files);
      }
      return onlyFolder(content, files);
    } catch (CacheFolder.Unwritten e) {
      throw folder.unusable(archive, "the bytes that it unpacks to", e.getCause());
    } catch (IOException e) {
      throw folder.unusable(archive, "the bytes that it unpacks to", e);
    }
  }

  private void unpack(Location archive, Path file, Path content) throws IOException {
    CacheFolder.removeParts(content.getParent());
    CacheFolder.remove(content);
    Path part = CacheFolder.part(content);
    long start = System.nanoTime();
    try {
      Files.createDirectory(part);
      Map<String, String> sums = new TreeMap<>();
      String hash = content.getParent().getFileName().toString();
      for (String name : Archive.unpack(archive.toString(), file, bounds, part)) {
        sums.put(name, Sha256.read(part.resolve(name)));
      }
      if (!Sha256.of(file).equals(hash)) {
        throw new LoadException(
            archive.toString(), "changed while it was read; try again when it is written");
      }
      Files.writeString(
          checksums(content),
          sums.entrySet().stream()
              .map(sum -> sum.getValue() + "  " + sum.getKey() + "\n")
              .collect(Collectors.joining()));
      Files.move(part, content, StandardCopyOption.ATOMIC_MOVE);
      LOG.info(
          "unpacked {}: {} files in {} ms",
          archive,
          sums.size(),
          (System.nanoTime() - start) / 1_000_000);
    } finally {
      CacheFolder.remove(part);
    }
  }

  private static boolean isSound(Location archive, Path content) throws IOException {
    if (!Files.isDirectory(content)) {
      return false;
    }
    try (Stream<Path> all = Files.walk(content)) {
      List<String> sums = recorded(content);
      boolean sound = all.filter(Files::isRegularFile).count() == sums.size() && !sums.isEmpty();
      for (String sum : sums) {
        sound = sound && Sha256.read(content.resolve(name(sum))).equals(sum.substring(0, 64));
      }
      if (sound) {
        return true;
      }
    } catch (NoSuchFileException | CharacterCodingException | IndexOutOfBoundsException e) {
      // what is missing, or not what was written, is damaged as well
    }
    LOG.warn("{}: what was unpacked in {} is damaged, unpacking it again", archive, content);
    return false;
  }

  /** As {@code sha256sum} prints it: hash, two blanks, name. */
  private static String name(String sum) {
    return sum.substring(66);
  }

  private static List<String> recorded(Path content) throws IOException {
    return Files.readAllLines(checksums(content));
  }

  private static Map<String, Long> lengths(Path content) throws IOException {
    Map<String, Long> lengths = new HashMap<>();
    for (String sum : recorded(content)) {
      lengths.put(name(sum), Files.size(content.resolve(name(sum))));
    }
    return lengths;
  }

  private static boolean haveLengths(Path content, Map<String, Long> files) throws IOException {
    try {
      for (var file : files.entrySet()) {
        if (Files.size(content.resolve(file.getKey())) != file.getValue()) {
          return false;
        }
      }
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static Path onlyFolder(Path content, Map<String, Long> files) {
    List<String> tops =
        files.keySet().stream()
            .map(name -> name.substring(0, name.indexOf('/') + 1))
            .distinct()
            .toList();
    return tops.size() == 1 ? content.resolve(tops.get(0)) : content;
  }

  private static Path checksums(Path content) {
    return content.resolveSibling("content.sha256");
  }
}
