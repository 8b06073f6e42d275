package dev.medley.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;

/**
 * How locations become local files: a local one is used where it is, a remote one lands once in the
 * cache folder of this machine, which threads and processes may share, and one on the Hugging Face
 * Hub in the cache folder that all its libraries share. Reads that fail are tried again. Keep one
 * Storage per JVM: it remembers which cached files it has verified, and the commits that it has
 * found branches at.
 *
 * <p>A {@code .zip}, {@code .tar.gz} or {@code .tgz} is a folder here: what is in it has a location
 * below the archive's, and is unpacked into the cache folder when it is first asked for. Where all
 * of it is in one folder, that folder is what the archive stands for.
 */
public final class Storage {
  /** Schemes of file systems that take no password from a URI. */
  private static final Set<String> NO_PASSWORDS =
      Set.of("hdfs", "webhdfs", "viewfs", "s3a", "s3", "abfs", "abfss", "wasb", "wasbs", "gs");

  private final Configuration conf;
  private final Retries retries;
  private final DownloadCache cache;
  private final ArchiveCache archives;
  private final Hub hub;

  public Storage(Configuration conf, Path cacheFolder) {
    this(conf, cacheFolder, Retries.STANDARD, Archive.Bounds.STANDARD, Hub.ofThisProcess());
  }

  Storage(Configuration conf, Path cacheFolder, Retries retries, Archive.Bounds bounds, Hub hub) {
    this(
        conf,
        retries,
        new DownloadCache(new CacheFolder(cacheFolder), retries),
        new ArchiveCache(new CacheFolder(cacheFolder), bounds),
        hub);
  }

  private Storage(
      Configuration conf, Retries retries, DownloadCache cache, ArchiveCache archives, Hub hub) {
    this.conf = conf;
    this.retries = retries;
    this.cache = cache;
    this.archives = archives;
    this.hub = hub;
  }

  /**
   * Hadoop's default configuration and, as the cache folder, system property {@code medley.cache},
   * else environment variable {@code MEDLEY_CACHE}, else {@code medley-cache-USER} in the temporary
   * folder, for this user alone.
   */
  public static Storage standard() {
    return standard(new Configuration());
  }

  /** The same with a Hadoop configuration of the caller's. */
  public static Storage standard(Configuration conf) {
    String chosen = System.getProperty("medley.cache", System.getenv("MEDLEY_CACHE"));
    return new Storage(
        conf,
        chosen == null || chosen.isBlank()
            ? ownFolder(Path.of(System.getProperty("java.io.tmpdir")))
            : Path.of(chosen));
  }

  /** The same, which looks up each branch on the Hub once more. */
  public Storage anew() {
    return new Storage(conf, retries, cache, archives, hub.anew());
  }

  /**
   * The same place for everybody and at all times as far as that can be said: of a branch on the
   * Hub its commit, the one that this reads; any other location as it is.
   */
  public Location pinned(Location location) {
    return location.isOnHub() ? Location.of(hub.pinned(location.hub()).uri()) : location;
  }

  /** The local file; LoadException when there is none. */
  public Path fetch(Location given) {
    Location file = unpacked(given);
    if (file.isOnHub()) {
      return hub.fetch(file.hub());
    }
    return fetchIfExists(given, file)
        .orElseThrow(() -> new LoadException(given.toString(), "expected a file, found none"));
  }

  /**
   * The local file, empty when there is none; LoadException when it cannot be had. Of an archive
   * this is the archive itself.
   */
  public Optional<Path> fetchIfExists(Location given) {
    return fetchIfExists(given, unpacked(given));
  }

  /** What errors name is the first, where it is the second. */
  private Optional<Path> fetchIfExists(Location given, Location file) {
    if (file.isLocal()) {
      if (Files.isDirectory(file.path())) {
        throw new LoadException(given.toString(), "expected a file, found a folder");
      }
      return Optional.of(file.path()).filter(Files::exists);
    }
    if (file.isOnHub()) {
      return hub.fetchIfExists(file.hub());
    }
    return status(file).map(status -> cache.fetch(file, status, from -> open(file, status, from)));
  }

  public boolean exists(Location given) {
    Location fileOrFolder = unpacked(given);
    if (fileOrFolder.isOnHub()) {
      return hub.exists(fileOrFolder.hub());
    }
    return fileOrFolder.isLocal()
        ? Files.exists(fileOrFolder.path())
        : anyStatus(fileOrFolder).isPresent();
  }

  /**
   * The text of a file in UTF-8; LoadException when there is none, or it is longer than {@code
   * largest} bytes.
   */
  public String text(Location file, int largest) {
    return TextFile.read(fetch(file), file.toString(), largest);
  }

  /** Whether it is a file that is used as a folder. */
  public boolean isArchive(Location location) {
    return Archive.stem(location.name()) != null && isFile(location);
  }

  /** The SHA-256 of a file, of an archive too; LoadException when there is none. */
  public String sha256(Location file) {
    Path fetched = fetch(file);
    return isArchive(file) ? archives.sha256(file, fetched) : Sha256.of(fetched);
  }

  /**
   * Names of the files and folders directly in a folder, sorted; LoadException when none is there.
   */
  public List<String> list(Location given) {
    Location folder = isArchive(given) ? Location.of(content(given).toString()) : unpacked(given);
    try {
      if (folder.isOnHub()) {
        return hub.list(folder.hub());
      }
      return folder.isLocal()
          ? localNames(folder.path())
          : retries.run(folder, () -> remoteNames(folder));
    } catch (NoSuchFileException | FileNotFoundException e) {
      throw new LoadException(given.toString(), "expected a folder, found none", e);
    } catch (IOException | UncheckedIOException e) {
      throw unreadable(given, e);
    }
  }

  /**
   * A short text that is another one when the file is: its length and when it was last changed, on
   * the Hub the commit; empty when there is none. What is in an archive has the archive's.
   */
  public String version(Location given) {
    Optional<Location> archive = archiveAround(given);
    if (archive.isPresent() && !exists(given)) {
      return "";
    }
    Location file = archive.orElse(given);
    if (file.isOnHub()) {
      return hub.version(file.hub());
    }
    try {
      if (file.isLocal()) {
        if (!Files.exists(file.path())) {
          return "";
        }
        var found = Files.readAttributes(file.path(), BasicFileAttributes.class);
        return found.size() + "-" + found.lastModifiedTime().to(TimeUnit.NANOSECONDS);
      }
      return status(file)
          .map(found -> found.getLen() + "-" + found.getModificationTime())
          .orElse("");
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  /**
   * Reads something out of a file where it is, without fetching it; empty when there is none. The
   * reading is done again from the start where it fails on the way.
   */
  <T> Optional<T> readInPlace(Location given, InPlace<T> reading) {
    Location file = unpacked(given);
    try {
      if (file.isOnHub()) {
        return hub.readInPlace(file.hub(), reading);
      }
      if (file.isLocal()) {
        if (!Files.exists(file.path())) {
          return Optional.empty();
        }
        try (InputStream in = Files.newInputStream(file.path())) {
          return Optional.of(reading.read(in, Files.size(file.path())));
        }
      }
      Optional<FileStatus> status = status(file);
      if (status.isEmpty()) {
        return Optional.empty();
      }
      return Optional.of(
          retries.run(
              file,
              () -> {
                try (InputStream in = open(file, status.get(), 0)) {
                  return reading.read(in, status.get().getLen());
                }
              }));
    } catch (IOException e) {
      throw unreadable(given, e);
    }
  }

  interface InPlace<T> {
    T read(InputStream in, long length) throws IOException;
  }

  /** Of a file; a folder is a LoadException. */
  private Optional<FileStatus> status(Location file) {
    Optional<FileStatus> status = anyStatus(file);
    if (status.filter(FileStatus::isDirectory).isPresent()) {
      throw new LoadException(file.toString(), "expected a file, found a folder");
    }
    return status;
  }

  private Optional<FileStatus> anyStatus(Location location) {
    try {
      return Optional.of(
          retries.run(location, () -> fileSystem(location).getFileStatus(path(location))));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw unreadable(location, e);
    }
  }

  /** Later parts of a file that has changed since would not fit what came before. */
  private InputStream open(Location file, FileStatus status, long from) throws IOException {
    FileSystem fileSystem = fileSystem(file);
    if (from > 0) {
      FileStatus now = fileSystem.getFileStatus(path(file));
      if (now.getLen() != status.getLen()
          || now.getModificationTime() != status.getModificationTime()) {
        throw new LoadException(
            file.toString(), "has changed while it was read; start the job again");
      }
    }
    FSDataInputStream in = fileSystem.open(path(file));
    try {
      if (from > 0) {
        in.seek(from);
      }
      return in;
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  /** The archive that a location is in; empty where it is in none, or is one itself. */
  private Optional<Location> archiveAround(Location location) {
    return Archive.around(location).stream()
        .filter(archive -> !archive.uri().equals(location.uri()) && isFile(archive))
        .findFirst();
  }

  /** What is in an archive where it was unpacked; any other location as it is. */
  private Location unpacked(Location location) {
    return archiveAround(location)
        .map(
            archive ->
                Location.of(content(archive).toString())
                    .resolve(location.uri().substring(archive.uri().length() + 1)))
        .orElse(location);
  }

  private Path content(Location archive) {
    return archives.unpacked(archive, fetch(archive));
  }

  private boolean isFile(Location location) {
    if (location.isOnHub()) {
      return !hub.version(location.hub()).isEmpty();
    }
    return location.isLocal()
        ? Files.isRegularFile(location.path())
        : anyStatus(location).filter(FileStatus::isFile).isPresent();
  }

  private FileSystem fileSystem(Location location) throws IOException {
    checkPassword(location);
    try {
      return path(location).getFileSystem(conf);
    } catch (RuntimeException e) { // a malformed authority, an unknown host, a missing connector
      throw unreadable(location, e);
    }
  }

  /** Hadoop would not use it, and would write it to its log where it fails. */
  private static void checkPassword(Location location) {
    String scheme = location.uri().substring(0, location.uri().indexOf(':'));
    if (NO_PASSWORDS.contains(scheme.toLowerCase(Locale.ROOT)) && location.hasPassword()) {
      throw new LoadException(
          location.toString(),
          "expected a URI without a password, found one, which "
              + scheme
              + " takes from Hadoop's settings alone; put it there, such as fs.s3a.secret.key");
    }
  }

  private static org.apache.hadoop.fs.Path path(Location location) {
    // without a path, a FileSystem would look in its working folder
    boolean onlyAuthority = location.uri().matches("[^/]+://[^/]+");
    return new org.apache.hadoop.fs.Path(onlyAuthority ? location.uri() + "/" : location.uri());
  }

  private static List<String> localNames(Path folder) throws IOException {
    try (Stream<Path> children = Files.list(folder)) {
      return children.map(p -> p.getFileName().toString()).sorted().toList();
    }
  }

  private List<String> remoteNames(Location folder) throws IOException {
    List<String> names = new ArrayList<>();
    for (FileStatus status : fileSystem(folder).listStatus(path(folder))) {
      names.add(status.getPath().getName());
    }
    Collections.sort(names);
    return names;
  }

  static LoadException unreadable(Location location, Exception e) {
    return unreadable(location, "", e);
  }

  /**
   * An exception's text and cause are dropped where they could show the location's credentials.
   *
   * @param how follows "could not be read"
   */
  static LoadException unreadable(Location location, String how, Exception e) {
    String problem = "could not be read" + how + ": " + location.withoutUser(e.toString());
    return isFreeOf(location, e)
        ? new LoadException(location.toString(), problem, e)
        : new LoadException(location.toString(), problem);
  }

  private static boolean isFreeOf(Location location, Throwable thrown) {
    for (Throwable each = thrown; each != null; each = each.getCause()) {
      if (!location.withoutUser(each.toString()).equals(each.toString())) {
        return false;
      }
    }
    return true;
  }

  /** In a temporary folder that others write to as well, theirs could hold anything. */
  static Path ownFolder(Path temporary) {
    Path folder = temporary.resolve("medley-cache-" + System.getProperty("user.name"));
    try {
      if (!Files.exists(folder)) {
        var onlyMe =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        Files.createDirectory(folder, onlyMe);
      }
    } catch (IOException e) {
      if (!Files.isDirectory(folder)) { // else another process was faster
        throw notOwn(folder, "could not be made: " + e);
      }
    }
    try {
      Path mine = Files.createTempFile(folder, "owner", null);
      boolean same = Files.getOwner(mine).equals(Files.getOwner(folder));
      Files.delete(mine);
      if (!same || Files.isSymbolicLink(folder)) {
        throw notOwn(folder, "belongs to somebody else");
      }
    } catch (IOException e) {
      throw notOwn(folder, "cannot be written to: " + e);
    }
    return folder;
  }

  private static LoadException notOwn(Path folder, String problem) {
    return new LoadException(
        folder.toString(),
        "the cache folder "
            + problem
            + "; set -Dmedley.cache or MEDLEY_CACHE to a folder of yours");
  }
}
