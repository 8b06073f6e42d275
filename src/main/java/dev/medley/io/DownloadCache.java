package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.FileStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies of remote files in the cache folder.
 *
 * <pre>
 *   FOLDER/sha256 of the URI/lock
 *   FOLDER/sha256 of the URI/LENGTH-MODIFIED/NAME           the copy: whole, since it is renamed there
 *   FOLDER/sha256 of the URI/LENGTH-MODIFIED/NAME.sha256    written before it
 *   FOLDER/sha256 of the URI/LENGTH-MODIFIED/RANDOM.part    a download, or what a crash left of one
 * </pre>
 *
 * A remote file that has changed has another LENGTH-MODIFIED. Older copies stay, for they may be in
 * use; the folder may be deleted whenever nothing runs.
 */
final class DownloadCache {
  private static final Logger log = LoggerFactory.getLogger(DownloadCache.class);

  private final CacheFolder folder;
  private final Retries retries;
  private final Set<Path> verified = ConcurrentHashMap.newKeySet();

  DownloadCache(CacheFolder folder, Retries retries) {
    this.folder = folder;
    this.retries = retries;
  }

  interface Source {
    /** The bytes of the file from a position on. */
    InputStream open(long from) throws IOException;
  }

  /** The local copy of the file with this status; downloads it unless a sound copy is there. */
  Path fetch(Location file, FileStatus status, Source source) {
    long length = status.getLen();
    Path home = folder.home(Sha256.of(file.toString()).substring(0, 40));
    Path copy = home.resolve(length + "-" + status.getModificationTime()).resolve(file.name());
    try {
      if (verified.contains(copy) && hasLength(copy, length)) {
        return copy;
      }
      CacheFolder.holding(
          home,
          () -> {
            Files.createDirectories(copy.getParent());
            if (!isSound(file, copy, length)) {
              removeParts(home);
              download(file, copy, length, source);
            }
            return copy;
          });
    } catch (IOException e) {
      throw folder.unusable(file, length + " bytes", e);
    }
    verified.add(copy);
    return copy;
  }

  /** Length always, checksum once per JVM: the caller does not ask again about a verified copy. */
  private static boolean isSound(Location file, Path copy, long length) throws IOException {
    if (!Files.exists(copy)) {
      return false;
    }
    if (hasLength(copy, length) && Sha256.read(copy).equals(recorded(copy))) {
      return true;
    }
    log.warn("{}: the cached copy {} is damaged, fetching it again", file, copy);
    return false;
  }

  /** Throws IOException for what goes wrong in the cache, LoadException for the rest. */
  private void download(Location file, Path copy, long length, Source source) throws IOException {
    Path part = CacheFolder.part(copy);
    long start = System.nanoTime();
    try {
      MessageDigest digest = Sha256.digest();
      long bytes;
      try (OutputStream out = CacheFolder.telling(Files.newOutputStream(part))) {
        bytes = copy(file, length, source, new DigestOutputStream(out, digest));
      }
      if (bytes != length) {
        throw new LoadException(
            file.toString(),
            "expected " + length + " bytes as its status says, found " + bytes + " to download");
      }
      Files.writeString(checksumFile(copy), Sha256.hex(digest));
      Files.move(part, copy, StandardCopyOption.ATOMIC_MOVE);
      Downloads.OF_THIS_JVM.add(length);
    } finally {
      Files.deleteIfExists(part);
    }
    log.info(
        "fetched {}: {} bytes in {} ms", file, length, (System.nanoTime() - start) / 1_000_000);
  }

  /** How many bytes came; an attempt goes on where the one before broke off. */
  private long copy(Location file, long length, Source source, OutputStream out)
      throws IOException {
    byte[] buffer = new byte[1 << 18];
    long[] bytes = {0};
    try {
      return retries.run(
          file,
          () -> {
            try (InputStream in = source.open(bytes[0])) {
              // no more than one buffer beyond the length: a file that grows would never end
              for (int n = in.read(buffer); n >= 0 && bytes[0] <= length; n = in.read(buffer)) {
                out.write(buffer, 0, n);
                bytes[0] += n;
              }
            }
            return bytes[0];
          });
    } catch (CacheFolder.Unwritten e) {
      throw e.getCause();
    } catch (IOException e) {
      throw Storage.unreadable(file, e);
    }
  }

  private static void removeParts(Path home) throws IOException {
    try (DirectoryStream<Path> versions = Files.newDirectoryStream(home, Files::isDirectory)) {
      for (Path version : versions) {
        CacheFolder.removeParts(version);
      }
    }
  }

  private static boolean hasLength(Path copy, long length) throws IOException {
    try {
      return Files.size(copy) == length;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static String recorded(Path copy) throws IOException {
    Path file = checksumFile(copy);
    // ISO_8859_1 reads anything: a damaged record is a checksum that differs
    return Files.exists(file) ? Files.readString(file, StandardCharsets.ISO_8859_1) : "";
  }

  private static Path checksumFile(Path copy) {
    return copy.resolveSibling(copy.getFileName() + ".sha256");
  }
}
