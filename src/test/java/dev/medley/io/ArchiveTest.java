package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.io.Archive.Bounds;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArchiveTest {
  @TempDir Path folder;
  private Path cache;
  private Storage storage;

  @BeforeEach
  void makeAStorage() {
    RemoteFileSystem.reset();
    cache = folder.resolve("cache");
    storage = newStorage(Bounds.STANDARD);
  }

  private Storage newStorage(Bounds bounds) {
    return new Storage(
        RemoteFileSystem.conf(), cache, Retries.STANDARD, bounds, Hub.ofThisProcess());
  }

  private Location archive(String name, String... files) throws IOException {
    return Location.of(ArchiveFile.of(folder.resolve(name), files).toString());
  }

  private void assertRefused(Location archive, String problem) throws IOException {
    assertThatThrownBy(() -> storage.list(archive))
        .isInstanceOf(LoadException.class)
        .hasMessage(archive + ": " + problem);
    assertThatThrownBy(() -> storage.fetch(archive.resolve("a")))
        .isInstanceOf(LoadException.class)
        .hasMessage(archive + ": " + problem);
    try (Stream<Path> files = Files.walk(cache, FileVisitOption.FOLLOW_LINKS)) {
      assertThat(files.filter(Files::isRegularFile).map(Path::getFileName).map(Path::toString))
          .containsOnly("lock");
    }
    try (Stream<Path> beside = Files.list(folder)) {
      assertThat(beside.map(Path::getFileName).map(Path::toString))
          .containsExactlyInAnyOrder("cache", archive.name());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz", "x.tgz", "X.ZIP"})
  void archiveIsAFolder(String name) throws Exception {
    Location archive = archive(name, "a", "sub/b", "sub/c");
    assertThat(storage.list(archive)).containsExactly("a", "sub");
    assertThat(storage.list(archive.resolve("sub"))).containsExactly("b", "c");
    assertThat(storage.exists(archive)).isTrue();
    assertThat(storage.exists(archive.resolve("sub"))).isTrue();
    assertThat(storage.exists(archive.resolve("b"))).isFalse();
    assertThat(storage.fetch(archive.resolve("sub/b"))).hasContent("sub/b");
    assertThat(storage.fetchIfExists(archive.resolve("none"))).isEmpty();
    assertThat(storage.readInPlace(archive.resolve("a"), (in, length) -> length)).contains(1L);
    assertThat(storage.fetch(archive)).isEqualTo(archive.path());
    assertThat(storage.isArchive(archive)).isTrue();
    assertThat(storage.isArchive(archive.resolve("a"))).isFalse();
    assertThatThrownBy(() -> storage.fetch(archive.resolve("sub")))
        .hasMessage(archive + "/sub: expected a file, found a folder");
    assertThatThrownBy(() -> storage.list(archive.resolve("none")))
        .hasMessage(archive + "/none: expected a folder, found none");
    assertThatThrownBy(() -> storage.fetch(Location.of(archive + "/../../lock")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("without empty, . or .. parts, found \"../../lock\"");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void oneFolderWithAllInItIsTheArchive(String name) throws Exception {
    Location archive =
        archive(name, "./my-adapter/", "./my-adapter/a", "my-adapter/b/c", "__MACOSX/._a");
    assertThat(storage.list(archive)).containsExactly("a", "b");
    assertThat(storage.fetch(archive.resolve("b/c"))).hasContent("my-adapter/b/c");
  }

  @Test
  void folderThatIsNamedLikeAnArchiveIsAFolder() throws Exception {
    Path named = Files.createDirectories(folder.resolve("v1.zip"));
    Files.writeString(named.resolve("a"), "beside");
    Location inner = Location.of(ArchiveFile.of(named.resolve("x.zip"), "a").toString());
    assertThat(storage.fetch(Location.of(named + "/a"))).isEqualTo(named.resolve("a"));
    assertThat(storage.isArchive(Location.of(named.toString()))).isFalse();
    assertThat(storage.fetch(inner.resolve("a"))).startsWith(cache).hasContent("a");
    assertThat(storage.exists(Location.of(folder + "/none.zip/a"))).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void remoteArchiveIsFetchedAndUnpackedOnce(String name) throws Exception {
    Path file = archive(name, "a", "b").path();
    Location remote = RemoteFileSystem.location(file);
    Path unpacked = storage.fetch(remote.resolve("a"));
    assertThat(unpacked).startsWith(cache).hasContent("a");
    Files.setLastModifiedTime(unpacked, java.nio.file.attribute.FileTime.fromMillis(1000));
    assertThat(storage.fetch(remote.resolve("b"))).hasContent("b");
    assertThat(newStorage(Bounds.STANDARD).fetch(remote.resolve("a"))).isEqualTo(unpacked);
    assertThat(Files.getLastModifiedTime(unpacked).toMillis()).isEqualTo(1000);
    assertThat(RemoteFileSystem.OPENED).hasValue(1);

    Path twin = Files.copy(file, folder.resolve("twin-" + name));
    assertThat(storage.fetch(Location.of(twin + "/a"))).isEqualTo(unpacked);
    assertThat(storage.sha256(remote)).isEqualTo(Sha256.of(file)).isEqualTo(Sha256.of(twin));
  }

  @Test
  void whatIsInAnArchiveHasTheArchivesVersion() throws Exception {
    Location archive = archive("x.zip", "a");
    String version = storage.version(archive.resolve("a"));
    assertThat(version)
        .isEqualTo(storage.version(archive))
        .startsWith(Files.size(archive.path()) + "-");
    assertThat(storage.version(archive.resolve("none"))).isEmpty();
    ArchiveFile.of(archive.path(), "a", "b");
    assertThat(storage.version(archive.resolve("a"))).isNotEqualTo(version);
    assertThat(storage.list(archive)).containsExactly("a", "b");
  }

  @Test
  void damagedContentIsUnpackedAgain() throws Exception {
    Location archive = archive("x.zip", "a", "b");
    Path a = storage.fetch(archive.resolve("a"));
    Files.writeString(a, "longer");
    assertThat(storage.fetch(archive.resolve("a"))).hasContent("a"); // seen by its length
    Files.delete(a);
    assertThat(storage.fetch(archive.resolve("a"))).hasContent("a");
    Files.writeString(a, "x");
    assertThat(newStorage(Bounds.STANDARD).fetch(archive.resolve("a"))).hasContent("a");
    Path sums = a.getParent().resolveSibling("content.sha256");
    Files.writeString(sums, Files.readAllLines(sums).get(0) + "\n");
    assertThat(newStorage(Bounds.STANDARD).list(archive)).containsExactly("a", "b");
    assertThat(Files.readAllLines(sums)).hasSize(2);
    Files.write(sums, new byte[0]);
    assertThat(newStorage(Bounds.STANDARD).list(archive)).containsExactly("a", "b");
    assertThat(Files.readAllLines(sums)).hasSize(2);
    Files.write(sums, new byte[] {(byte) 0xff});
    assertThat(newStorage(Bounds.STANDARD).fetch(archive.resolve("b"))).hasContent("b");
  }

  @Test
  void eightThreadsUnpackOnce() throws Exception {
    Location archive = archive("x.tgz", "a", "b");
    CyclicBarrier start = new CyclicBarrier(8);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Path>> copies = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        Storage own = i % 2 == 0 ? storage : newStorage(Bounds.STANDARD);
        copies.add(
            threads.submit(
                () -> {
                  start.await();
                  return own.fetch(archive.resolve("a"));
                }));
      }
      for (Future<Path> copy : copies) {
        assertThat(copy.get()).hasContent("a").isEqualTo(copies.get(0).get());
      }
    } finally {
      threads.shutdownNow();
    }
    try (Stream<Path> homes = Files.list(cache.resolve("archives"))) {
      Path home = homes.findFirst().orElseThrow();
      try (Stream<Path> files = Files.list(home)) {
        assertThat(files.map(Path::getFileName).map(Path::toString))
            .containsExactlyInAnyOrder("lock", "content", "content.sha256");
      }
    }
  }

  @Test
  void twoProcessesUnpackWholeOrNothing() throws Exception {
    Location archive = archive("x.zip", "a", "b");
    Process first = ChildJvm.start(Unpack.class, cache.toString(), archive.uri());
    Process second = ChildJvm.start(Unpack.class, cache.toString(), archive.uri());
    assertThat(ChildJvm.finish(first, 0)).contains("a, b");
    assertThat(ChildJvm.finish(second, 0)).contains("a, b");
  }

  static final class Unpack {
    public static void main(String[] args) {
      Storage storage = new Storage(RemoteFileSystem.conf(), Path.of(args[0]));
      System.out.println(String.join(", ", storage.list(Location.of(args[1]))));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "../a          | a path out of it",
        "sub/../../a   | a path out of it",
        "/tmp/a        | an absolute path",
        "sub//a        | an absolute path",
        "sub/\u0007x    | a name with a strange character",
        "sub/./a       | a name with a strange character",
      })
  void pathThatLeadsOutIsRefused(String path, String found) throws Exception {
    for (String name : List.of("x.zip", "x.tar.gz")) {
      Location archive = archive(name, "fine", path);
      assertRefused(
          archive,
          "entry "
              + Shown.quoted(path)
              + ": expected a plain file or folder in the archive, found "
              + found);
      Files.delete(archive.path());
    }
  }

  @Test
  void linksAndDevicesAreRefused() throws Exception {
    for (byte kind :
        new byte[] {
          TarConstants.LF_SYMLINK,
          TarConstants.LF_LINK,
          TarConstants.LF_CHR,
          TarConstants.LF_BLK,
          TarConstants.LF_FIFO
        }) {
      TarArchiveEntry entry = new TarArchiveEntry("evil", kind);
      entry.setLinkName("/etc/passwd");
      Path file = folder.resolve("x.tar.gz");
      try (var out = ArchiveFile.tar(file)) {
        out.putArchiveEntry(entry);
        out.closeArchiveEntry();
      }
      boolean link = kind == TarConstants.LF_SYMLINK || kind == TarConstants.LF_LINK;
      assertRefused(
          Location.of(file.toString()),
          "entry \"evil\": expected a plain file or folder in the archive, found "
              + (link ? "a link" : "a device or the like"));
      Files.delete(file);
    }
    for (int mode : new int[] {0120777, 0020666, 0010666}) {
      ZipArchiveEntry entry = new ZipArchiveEntry("evil");
      entry.setUnixMode(mode);
      Path file = folder.resolve("x.zip");
      try (var out = ArchiveFile.zip(file)) {
        out.putArchiveEntry(entry);
        out.write("/etc/passwd".getBytes(StandardCharsets.UTF_8));
        out.closeArchiveEntry();
      }
      assertRefused(
          Location.of(file.toString()),
          "entry \"evil\": expected a plain file or folder in the archive, found "
              + (mode == 0120777 ? "a link" : "a device or the like"));
      Files.delete(file);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void nameThatComesTwiceIsRefused(String name) throws Exception {
    Location twice = archive(name, "a", "b", "./a");
    assertRefused(
        twice,
        "entry \"./a\": expected a plain file or folder in the archive, found a second one of that"
            + " name");
    Files.delete(twice.path());
    Location both = archive(name, "a", "a/b");
    assertRefused(
        both,
        "entry \"a/b\": expected a plain file or folder in the archive, found a file and a folder"
            + " of one name");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void moreFilesThanAllowedAreRefused(String name) throws Exception {
    String[] most = new String[Bounds.STANDARD.entries()];
    Arrays.setAll(most, i -> "f" + i);
    assertThat(storage.list(archive(name, most))).hasSize(1000);
    String[] more = Arrays.copyOf(most, most.length + 1);
    more[most.length] = "one-more";
    assertThatThrownBy(() -> storage.list(archive(name, more)))
        .isInstanceOf(LoadException.class)
        .hasMessage(folder.resolve(name) + ": expected at most 1000 files and folders, found more");
  }

  /** 64 MiB from an archive of a hundred kilobytes are one byte too many. */
  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void bombIsDefused(String name) throws Exception {
    Path file = folder.resolve(name);
    long most = Bounds.STANDARD.anyRatio();
    ArchiveFile.of(file, "zeros", new byte[(int) most + 1]);
    assertThat(Files.size(file)).isLessThan(most / 500);
    assertRefused(
        Location.of(file.toString()),
        "expected at most "
            + most
            + " bytes in an archive of "
            + Files.size(file)
            + ", found more; unpack it yourself and give the folder, if you trust it");
    ArchiveFile.of(file, "zeros", new byte[(int) most]);
    assertThat(storage.list(Location.of(file.toString()))).containsExactly("zeros");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void bytesOfAllFilesAreCountedTogether(String name) throws Exception {
    Location archive = archive(name, "12345", "67890");
    storage = newStorage(new Bounds(9, 9, 100, 1 << 20));
    assertRefused(
        archive,
        "expected at most 9 bytes in an archive of "
            + Files.size(archive.path())
            + ", found more; unpack it yourself and give the folder, if you trust it");
    assertThat(newStorage(new Bounds(9, 10, 100, 0)).list(archive)).hasSize(2);
  }

  /** A tar may say before an entry how long its name is, and go on for gigabytes. */
  @Test
  void headersOfATarAreBounded() throws Exception {
    Path file = folder.resolve("x.tgz");
    byte[] name = new byte[2 << 20];
    Arrays.fill(name, (byte) 'a');
    TarArchiveEntry longName =
        new TarArchiveEntry("././@LongLink", TarConstants.LF_GNUTYPE_LONGNAME);
    longName.setSize(name.length);
    try (var out = ArchiveFile.tar(file)) {
      out.putArchiveEntry(longName);
      out.write(name);
      out.closeArchiveEntry();
      ArchiveFile.add(out, "a", new byte[1]);
    }
    assertRefused(
        Location.of(file.toString()),
        "is no archive, or a broken one: expected less between two files");
  }

  @Test
  void bytesBehindATarAreBounded() throws Exception {
    Path file = folder.resolve("x.tgz");
    try (var out = ArchiveFile.tarWithTail(file, new byte[2 << 20])) {
      ArchiveFile.add(out, "a", new byte[1]);
    }
    assertRefused(
        Location.of(file.toString()),
        "is no archive, or a broken one: expected less between two files");
  }

  @Test
  void passwordIsNotAskedFor() throws Exception {
    Location archive = archive("x.zip", "a");
    byte[] bytes = Files.readAllBytes(archive.path());
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    bytes[text.indexOf("PK\003\004") + 6] |= 1;
    bytes[text.indexOf("PK\001\002") + 8] |= 1;
    Files.write(archive.path(), bytes);
    assertRefused(archive, "expected an archive without a password, found an encrypted entry");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.zip", "x.tar.gz"})
  void truncatedOrDamagedArchiveIsRefused(String name) throws Exception {
    Location whole = archive(name, "a", "b", "c");
    byte[] bytes = Files.readAllBytes(whole.path());
    for (int length = 0; length < bytes.length; length += 1 + length / 20) {
      Files.write(whole.path(), Arrays.copyOf(bytes, length));
      assertThatThrownBy(() -> storage.list(whole))
          .as("%s bytes of %s", length, bytes.length)
          .isInstanceOf(LoadException.class)
          .hasMessageStartingWith(whole + ": is ")
          .hasMessageContaining("archive");
    }
  }

  @Test
  void byteThatWasChangedInAZipIsFound() throws Exception {
    Path file = folder.resolve("x.zip");
    try (var out = ArchiveFile.zip(file)) {
      out.setMethod(java.util.zip.ZipEntry.DEFLATED);
      out.setLevel(0);
      ArchiveFile.add(out, "a", "the weights".getBytes(StandardCharsets.UTF_8));
    }
    byte[] bytes = Files.readAllBytes(file);
    bytes[new String(bytes, StandardCharsets.ISO_8859_1).indexOf("weights")] = 'W';
    Files.write(file, bytes);
    assertRefused(Location.of(file.toString()), "entry \"a\": its checksum does not fit its bytes");
  }

  @Test
  void emptyArchiveIsRefused() throws Exception {
    assertRefused(archive("x.tar.gz"), "expected an archive of files, found none in it");
  }

  @Test
  void nameThatNoFileSystemTakesIsRefused() throws Exception {
    String name = "n".repeat(256);
    assertRefused(
        archive("x.zip", name),
        "entry "
            + Shown.quoted(name)
            + ": expected a plain file or folder in the archive, found a name of more than 255"
            + " bytes");
  }
}
