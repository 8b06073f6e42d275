package dev.medley.io;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.ArchiveEntry;
import org.apache.commons.compress.archivers.ArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveOutputStream;

/** Archives for tests, sound or not: the format is that of the name. */
@SuppressWarnings({"rawtypes", "unchecked"}) // streams have a type parameter since 1.25
public final class ArchiveFile {
  private ArchiveFile() {}

  /** Files whose text is their name; a slash at the end makes a folder. */
  static Path of(Path file, String... names) throws IOException {
    try (ArchiveOutputStream out = open(file)) {
      for (String name : names) {
        add(out, name, name.getBytes(StandardCharsets.UTF_8));
      }
    }
    return file;
  }

  /** One file. */
  static Path of(Path file, String name, byte[] bytes) throws IOException {
    try (ArchiveOutputStream out = open(file)) {
      add(out, name, bytes);
    }
    return file;
  }

  /** What is in a folder, below {@code top}, which may be empty. */
  public static Path ofFolder(Path file, Path folder, String top) throws IOException {
    try (ArchiveOutputStream out = open(file);
        Stream<Path> all = Files.walk(folder)) {
      List<Path> files = all.filter(Files::isRegularFile).sorted().toList();
      for (Path each : files) {
        add(out, top + folder.relativize(each), Files.readAllBytes(each));
      }
    }
    return file;
  }

  static void add(ArchiveOutputStream out, String name, byte[] bytes) throws IOException {
    boolean isFolder = name.endsWith("/");
    ArchiveEntry entry;
    if (out instanceof ZipArchiveOutputStream) {
      entry = new ZipArchiveEntry(name);
    } else {
      TarArchiveEntry tar = new TarArchiveEntry(name, true); // leading slashes kept
      tar.setSize(isFolder ? 0 : bytes.length);
      entry = tar;
    }
    out.putArchiveEntry(entry);
    if (!isFolder) {
      out.write(bytes);
    }
    out.closeArchiveEntry();
  }

  private static ArchiveOutputStream open(Path file) throws IOException {
    return file.toString().toLowerCase(java.util.Locale.ROOT).endsWith(".zip")
        ? zip(file)
        : tar(file);
  }

  static ZipArchiveOutputStream zip(Path file) throws IOException {
    return new ZipArchiveOutputStream(file.toFile());
  }

  static TarArchiveOutputStream tar(Path file) throws IOException {
    return tarWithTail(file, new byte[0]);
  }

  /** With bytes behind it, inside the gzip. */
  static TarArchiveOutputStream tarWithTail(Path file, byte[] tail) throws IOException {
    OutputStream gzip =
        new FilterOutputStream(new GZIPOutputStream(Files.newOutputStream(file))) {
          @Override
          public void write(byte[] bytes, int offset, int length) throws IOException {
            out.write(bytes, offset, length);
          }

          @Override
          public void close() throws IOException {
            out.write(tail);
            super.close();
          }
        };
    TarArchiveOutputStream tar = new TarArchiveOutputStream(gzip);
    tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_GNU);
    return tar;
  }
}
