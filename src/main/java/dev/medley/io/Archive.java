package dev.medley.io;

import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.apache.commons.compress.archivers.ArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;

/**
 * A {@code .zip}, {@code .tar.gz} or {@code .tgz} that a stranger made: plain files and folders are
 * unpacked, within bounds; whatever could lead out of the folder, or be something else than a file,
 * is refused, and the archive with it.
 */
final class Archive {
  /**
   * What an archive may hold.
   *
   * @param entries files and folders
   * @param bytes of all files together
   * @param ratio bytes of all files for each byte of the archive
   * @param anyRatio up to so many bytes no ratio counts: an adapter of zeros packs well
   */
  record Bounds(int entries, long bytes, int ratio, long anyRatio) {
    static final Bounds STANDARD = new Bounds(1000, 1L << 36, 100, 1L << 26);

    long bytesOf(long archive) {
      return Math.min(bytes, Math.max(anyRatio, archive * ratio));
    }
  }

  /** Bytes that a tar may take for what stands before an entry, such as a long name. */
  private static final long HEADERS = 1 << 20;

  private static final int LONGEST_NAME = 255;
  private static final int FILE_KIND = 0170000; // of Unix's st_mode
  private static final List<Integer> PLAIN_KINDS = List.of(0, 0100000, 0040000);
  private static final List<Byte> PLAIN_FLAGS =
      List.of(TarConstants.LF_NORMAL, TarConstants.LF_OLDNORM);
  private static final Pattern END = Pattern.compile("(?i)\\.(?:zip|tgz|tar\\.gz)(?=/|$)");

  private final String where;
  private final Path file;
  private final Bounds bounds;
  private final Path into;
  private final long most;
  private final List<String> files = new ArrayList<>();
  private int entries;
  private long bytes;

  private Archive(String where, Path file, Bounds bounds, Path into) throws IOException {
    this.where = where;
    this.file = file;
    this.bounds = bounds;
    this.into = into;
    this.most = bounds.bytesOf(Files.size(file));
  }

  /**
   * What a location is, or is in, that is an archive by its name, the outermost first. A folder may
   * have such a name, too.
   */
  static List<Location> around(Location location) {
    List<Location> archives = new ArrayList<>();
    Matcher end = END.matcher(location.uri());
    while (end.find()) {
      String uri = location.uri().substring(0, end.end());
      if (!uri.matches("[^/]+://[^/]*")) { // a bucket
        archives.add(new Location(uri));
      }
    }
    return archives;
  }

  /** The name of an archive without what makes it one; null where it is none. */
  static String stem(String name) {
    Matcher end = END.matcher(name);
    return end.find() && end.end() == name.length() && end.start() > 0
        ? name.substring(0, end.start())
        : null;
  }

  /**
   * Unpacks a local file into an empty folder; the names of the files, with slashes.
   *
   * @param where stands for the file in messages
   * @throws LoadException where it is broken, or holds what is refused
   * @throws CacheFolder.Unwritten where the folder cannot take it
   * @throws ClosedByInterruptException where this thread was interrupted
   */
  static List<String> unpack(String where, Path file, Bounds bounds, Path into)
      throws ClosedByInterruptException {
    try {
      Archive archive = new Archive(where, file, bounds, into);
      if (where.toLowerCase(Locale.ROOT).endsWith(".zip")) {
        archive.zip();
      } else {
        archive.tar();
      }
      if (archive.files.isEmpty()) {
        throw new LoadException(where, "expected an archive of files, found none in it");
      }
      return archive.files;
    } catch (LoadException | CacheFolder.Unwritten | ClosedByInterruptException e) {
      throw e;
    } catch (EOFException e) {
      throw new LoadException(where, "is a truncated archive: " + e.getMessage(), e);
    } catch (IOException | RuntimeException e) { // commons-compress throws both for broken ones
      throw new LoadException(where, "is no archive, or a broken one: " + e.getMessage(), e);
    }
  }

  @SuppressWarnings("deprecation") // the builder came with 1.26, and Spark 3.5 has 1.23
  private void zip() throws IOException {
    countZip();
    try (ZipFile zip = new ZipFile(file.toFile())) {
      Enumeration<ZipArchiveEntry> all = zip.getEntriesInPhysicalOrder();
      while (all.hasMoreElements()) {
        ZipArchiveEntry entry = all.nextElement();
        String name = entry.getName();
        if (entry.isUnixSymlink() || !PLAIN_KINDS.contains(entry.getUnixMode() & FILE_KIND)) {
          throw refused(name, entry.isUnixSymlink() ? "a link" : "a device or the like");
        }
        if (!zip.canReadEntryData(entry)) {
          throw refused(name, "one packed by method " + entry.getMethod());
        }
        if (entry.isDirectory()) {
          folder(name);
        } else {
          CheckedInputStream in = new CheckedInputStream(zip.getInputStream(entry), new CRC32());
          if (file(name, in) && in.getChecksum().getValue() != entry.getCrc()) {
            throw new LoadException(where, entry(name) + "its checksum does not fit its bytes");
          }
        }
      }
    }
  }

  /** The JDK counts them without making an object of each. */
  private void countZip() throws IOException {
    try (java.util.zip.ZipFile zip = new java.util.zip.ZipFile(file.toFile())) {
      if (zip.size() > bounds.entries) {
        throw tooMany();
      }
    } catch (ZipException e) {
      if (String.valueOf(e.getMessage()).contains("encrypted")) {
        throw new LoadException(
            where, "expected an archive without a password, found an encrypted entry", e);
      }
      throw e;
    }
  }

  private void tar() throws IOException {
    try (Bounded bounded = new Bounded(new GZIPInputStream(Files.newInputStream(file)));
        TarArchiveInputStream tar = new TarArchiveInputStream(bounded)) {
      while (true) {
        bounded.left = HEADERS;
        ArchiveEntry next = tar.getNextEntry();
        if (next == null) {
          bounded.left = HEADERS;
          bounded.transferTo(OutputStream.nullOutputStream()); // gzip's checksum is at its very end
          return;
        }
        TarArchiveEntry entry = (TarArchiveEntry) next;
        String name = entry.getName();
        if (entry.isSymbolicLink() || entry.isLink()) {
          throw refused(name, "a link");
        }
        bounded.left = most + HEADERS; // the bytes of files are counted one by one
        if (entry.isDirectory()) {
          folder(name);
        } else if (PLAIN_FLAGS.contains(entry.getLinkFlag()) && !entry.isSparse()) {
          file(name, tar);
        } else {
          throw refused(name, "a device or the like");
        }
      }
    }
  }

  private void folder(String name) {
    Path folder = target(name);
    if (folder != null) {
      make(folder, name);
    }
  }

  /** Whether it was unpacked, and not passed over. */
  private boolean file(String name, InputStream in) throws IOException {
    Path target = target(name);
    if (target == null) {
      return false;
    }
    if (target.equals(into)) {
      throw refused(name, "a file without a name");
    }
    make(target.getParent(), name);
    try (OutputStream out = CacheFolder.telling(created(target, name))) {
      byte[] buffer = new byte[1 << 16];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        bytes += n;
        if (bytes > most) {
          throw new LoadException(
              where,
              "expected at most "
                  + most
                  + " bytes in an archive of "
                  + Files.size(file)
                  + ", found more; unpack it yourself and give the folder, if you trust it");
        }
        out.write(buffer, 0, n);
      }
    }
    files.add(into.relativize(target).toString().replace('\\', '/'));
    return true;
  }

  /** Where an entry belongs; null for what a Mac adds of its own. */
  private Path target(String name) {
    if (++entries > bounds.entries) {
      throw tooMany();
    }
    String path = name;
    while (path.startsWith("./")) {
      path = path.substring(2);
    }
    path = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    if (path.isEmpty() || path.equals(".")) {
      return into;
    }
    if (path.getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME) {
      throw refused(name, "a name of more than " + LONGEST_NAME + " bytes");
    }
    for (String part : path.split("/", -1)) {
      if (!Location.isPlainName(part)) {
        throw refused(
            name,
            part.isEmpty()
                ? "an absolute path"
                : part.equals("..") ? "a path out of it" : "a name with a strange character");
      }
    }
    boolean ofAMac = path.startsWith("__MACOSX/") || path.equals("__MACOSX");
    return ofAMac || path.endsWith(".DS_Store") ? null : into.resolve(path);
  }

  private void make(Path folder, String name) {
    try {
      Files.createDirectories(folder);
    } catch (FileAlreadyExistsException e) {
      throw refused(name, "a file and a folder of one name");
    } catch (IOException e) {
      throw new CacheFolder.Unwritten(e);
    }
  }

  private OutputStream created(Path target, String name) {
    try {
      return Files.newOutputStream(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    } catch (FileAlreadyExistsException e) {
      throw refused(name, "a second one of that name");
    } catch (IOException e) {
      throw new CacheFolder.Unwritten(e);
    }
  }

  private LoadException tooMany() {
    return new LoadException(
        where, "expected at most " + bounds.entries + " files and folders, found more");
  }

  private LoadException refused(String name, String found) {
    return new LoadException(
        where, entry(name) + "expected a plain file or folder in the archive, found " + found);
  }

  private static String entry(String name) {
    return "entry " + Shown.quoted(name) + ": ";
  }

  /** Ends with an error where more is read than is left. */
  private static final class Bounded extends FilterInputStream {
    long left;

    Bounded(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      int n = in.read(into, offset, length);
      left -= Math.max(n, 0);
      if (left < 0) {
        throw new IOException("expected less between two files");
      }
      return n;
    }

    @Override
    public long skip(long n) throws IOException {
      return n <= 0 ? 0 : Math.max(0, read(new byte[(int) Math.min(n, 1 << 16)]));
    }
  }
}
