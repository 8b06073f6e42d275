package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StorageTest {
  @TempDir Path folder;
  private Path cache;
  private Path original;
  private Location remote;
  private Storage storage;

  @BeforeEach
  void putARemoteFile() throws IOException {
    RemoteFileSystem.reset();
    cache = folder.resolve("cache");
    original = Files.createDirectory(folder.resolve("far")).resolve("m.safetensors");
    Files.write(original, Safetensors.data(10_000));
    remote = RemoteFileSystem.location(original);
    storage = newStorage();
  }

  private Storage newStorage() {
    return new Storage(RemoteFileSystem.conf(), cache);
  }

  private List<String> cached(String suffix) throws IOException {
    try (Stream<Path> files = Files.walk(cache)) {
      return files
          .map(p -> p.getFileName().toString())
          .filter(name -> name.endsWith(suffix))
          .toList();
    }
  }

  @Test
  void localFileIsUsedWhereItIs() throws Exception {
    Location local = Location.of(original.toString());
    assertThat(storage.fetch(local)).isEqualTo(original);
    assertThat(storage.fetchIfExists(local)).contains(original);
    assertThat(storage.exists(local)).isTrue();
    assertThat(storage.exists(Location.of(folder.toString()))).isTrue();
    assertThat(storage.fetchIfExists(local.resolve("x"))).isEmpty();
    assertThat(storage.exists(local.resolve("x"))).isFalse();
    assertThat(cache).doesNotExist();
  }

  @Test
  void remoteFileLandsOnce() throws Exception {
    Path copy = storage.fetch(remote);
    assertThat(copy)
        .startsWith(cache)
        .hasFileName("m.safetensors")
        .hasSameBinaryContentAs(original);
    assertThat(storage.fetch(remote)).isEqualTo(copy);
    assertThat(newStorage().fetchIfExists(remote)).contains(copy);
    assertThat(RemoteFileSystem.OPENED).hasValue(1);
    assertThat(cached(".part")).isEmpty();
  }

  @Test
  void missingFileIsNamed() {
    for (Location none :
        List.of(
            Location.of(folder.resolve("none").toString()),
            RemoteFileSystem.location(folder.resolve("none")))) {
      assertThat(storage.exists(none)).isFalse();
      assertThat(storage.fetchIfExists(none)).isEmpty();
      assertThatThrownBy(() -> storage.fetch(none))
          .isInstanceOf(LoadException.class)
          .hasMessage(none + ": expected a file, found none");
      assertThatThrownBy(() -> storage.list(none))
          .isInstanceOf(LoadException.class)
          .hasMessage(none + ": expected a folder, found none");
    }
  }

  @Test
  void folderIsNoFile() {
    for (Location none :
        List.of(Location.of(folder.toString()), RemoteFileSystem.location(folder))) {
      assertThat(storage.exists(none)).isTrue();
      assertThatThrownBy(() -> storage.fetch(none))
          .isInstanceOf(LoadException.class)
          .hasMessage(none + ": expected a file, found a folder");
    }
  }

  @Test
  void childrenAreListedByName() throws Exception {
    Files.createDirectories(folder.resolve("far/b/deeper"));
    Files.writeString(folder.resolve("far/a"), "");
    assertThat(storage.list(Location.of(folder + "/far")))
        .containsExactly("a", "b", "m.safetensors");
    assertThat(storage.list(RemoteFileSystem.location(folder.resolve("far"))))
        .containsExactly("a", "b", "m.safetensors");
  }

  @Test
  void schemeWithoutAFileSystemIsNamedAndCredentialsAreNot() {
    assertThatThrownBy(() -> storage.fetch(Location.of("nosuch://key:secret@host/m")))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "nosuch://host/m: could not be read:"
                + " org.apache.hadoop.fs.UnsupportedFileSystemException: No FileSystem for scheme"
                + " \"nosuch\"");
  }

  @Test
  void downloadThatBreaksOffLeavesNothingAndTheNextOneSucceeds() throws Exception {
    RemoteFileSystem.breaksAt = 5000;
    assertThatThrownBy(() -> storage.fetch(remote))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            remote
                + ": could not be read in 5 attempts, the last one: java.io.IOException: connection"
                + " reset");
    assertThat(cached(".part")).isEmpty();
    assertThat(cached("m.safetensors")).isEmpty();
    RemoteFileSystem.breaksAt = RemoteFileSystem.NEVER;
    assertThat(storage.fetch(remote)).hasSameBinaryContentAs(original);
  }

  @Test
  void whatAKilledProcessLeftIsHarmlessAndCleaned() throws Exception {
    Process killed = ChildJvm.start(Fetch.class, cache.toString(), remote.uri(), "dies", "-");
    ChildJvm.finish(killed, 9);
    assertThat(cached(".part")).hasSize(1);
    assertThat(cached("m.safetensors")).isEmpty();
    assertThat(storage.fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(cached(".part")).isEmpty();
  }

  @Test
  void streamThatEndsEarlyIsRefused() throws Exception {
    RemoteFileSystem.endsAt = 9999;
    assertThatThrownBy(() -> storage.fetch(remote))
        .isInstanceOf(LoadException.class)
        .hasMessage(remote + ": expected 10000 bytes as its status says, found 9999 to download");
    assertThat(cached("m.safetensors")).isEmpty();
  }

  @Test
  void changedRemoteFileIsFetchedAnew() throws Exception {
    Path first = storage.fetch(remote);
    FileTime before = Files.getLastModifiedTime(original);
    byte[] changed = Safetensors.data(10_000);
    changed[0] = 77;
    Files.write(original, changed); // of the same length
    Files.setLastModifiedTime(original, FileTime.fromMillis(before.toMillis() + 2000));
    Path second = storage.fetch(remote);
    assertThat(second).isNotEqualTo(first).hasBinaryContent(changed);
    assertThat(first).hasBinaryContent(Safetensors.data(10_000)); // may be mapped: stays
    Files.write(original, Safetensors.data(3));
    Files.setLastModifiedTime(original, FileTime.fromMillis(before.toMillis() + 2000));
    assertThat(storage.fetch(remote)).hasBinaryContent(Safetensors.data(3)); // of the same time
  }

  @Test
  void shortenedCopyIsFetchedAgainThoughItWasVerified() throws Exception {
    Path copy = storage.fetch(remote);
    Files.write(copy, Safetensors.data(9999));
    assertThat(storage.fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(RemoteFileSystem.OPENED).hasValue(2);
  }

  @Test
  void corruptCopyIsFetchedAgainByTheNextProcess() throws Exception {
    Path copy = storage.fetch(remote);
    byte[] corrupt = Files.readAllBytes(copy);
    corrupt[5000] ^= 1;
    Files.write(copy, corrupt);
    assertThat(newStorage().fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(RemoteFileSystem.OPENED).hasValue(2);
  }

  @Test
  void copyWithoutASoundChecksumIsFetchedAgain() throws Exception {
    Path copy = storage.fetch(remote);
    Path checksum = copy.resolveSibling("m.safetensors.sha256");
    Files.delete(checksum);
    newStorage().fetch(remote);
    assertThat(RemoteFileSystem.OPENED).hasValue(2);
    Files.write(checksum, new byte[] {(byte) 0xff, 0});
    newStorage().fetch(remote);
    assertThat(RemoteFileSystem.OPENED).hasValue(3);
    assertThat(newStorage().fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(RemoteFileSystem.OPENED).hasValue(3);
  }

  @Test
  void eightThreadsDownloadOnce() throws Exception {
    RemoteFileSystem.millisPerRead = 20;
    CyclicBarrier start = new CyclicBarrier(8);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Path>> copies = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        Storage own = i % 2 == 0 ? storage : newStorage();
        copies.add(
            threads.submit(
                () -> {
                  start.await();
                  return own.fetch(remote);
                }));
      }
      for (Future<Path> copy : copies) {
        assertThat(copy.get()).hasSameBinaryContentAs(original);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(RemoteFileSystem.OPENED).hasValue(1);
  }

  @Test
  void twoProcessesDownloadOnce() throws Exception {
    Path go = folder.resolve("go");
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      processes.add(
          ChildJvm.start(
              Fetch.class, cache.toString(), remote.uri(), go.toString(), folder + "/ready" + i));
    }
    while (!Files.exists(folder.resolve("ready0")) || !Files.exists(folder.resolve("ready1"))) {
      assertThat(processes).allMatch(Process::isAlive);
      Thread.sleep(10);
    }
    Files.createFile(go);
    List<String> opened = new ArrayList<>();
    for (Process process : processes) {
      String output = ChildJvm.finish(process, 0);
      opened.add(
          output.lines().filter(line -> line.startsWith("opened ")).findAny().orElse(output));
    }
    assertThat(opened).containsExactlyInAnyOrder("opened 0", "opened 1");
    assertThat(storage.fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(RemoteFileSystem.OPENED).hasValue(0);
  }

  /** CACHE URI, then a file to wait for, or "dies" in the middle; says on READY that it waits. */
  static final class Fetch {
    public static void main(String[] args) throws Exception {
      RemoteFileSystem.reset();
      Storage storage = new Storage(RemoteFileSystem.conf(), Path.of(args[0]));
      if (args[2].equals("dies")) {
        RemoteFileSystem.breaksAt = 5000;
        RemoteFileSystem.deadly = true;
      } else {
        storage.exists(Location.of(args[1])); // Hadoop's classes are loaded by now
        RemoteFileSystem.millisPerRead = 100;
        Files.createFile(Path.of(args[3]));
        while (!Files.exists(Path.of(args[2]))) {
          Thread.sleep(5);
        }
      }
      storage.fetch(Location.of(args[1]));
      System.out.println("opened " + RemoteFileSystem.OPENED.get());
    }
  }

  @Test
  void filesOfOneNameInTwoFoldersDoNotMeet() throws Exception {
    Path other = Files.createDirectory(folder.resolve("other")).resolve("m.safetensors");
    byte[] content = new byte[10_000];
    Arrays.fill(content, (byte) 9);
    Files.write(other, content);
    Files.setLastModifiedTime(other, Files.getLastModifiedTime(original));
    assertThat(storage.fetch(remote)).hasSameBinaryContentAs(original);
    assertThat(storage.fetch(RemoteFileSystem.location(other))).hasBinaryContent(content);
  }

  @Test
  void credentialsAreNoPartOfTheCache() throws Exception {
    Location withUser = Location.of("remote://key:secret@host" + original);
    Location without = Location.of("remote://host" + original);
    assertThat(storage.fetch(withUser)).isEqualTo(storage.fetch(without));
  }

  @Test
  void standardCacheIsForThisUserAlone() throws Exception {
    Path own = Storage.ownFolder(folder);
    assertThat(own).isEqualTo(folder.resolve("medley-cache-" + System.getProperty("user.name")));
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(own)))
        .isEqualTo("rwx------");
    assertThat(Storage.ownFolder(folder)).isEqualTo(own);
    assertThat(own).isEmptyDirectory();
  }

  @Test
  void standardCacheThatIsALinkIsRefused() throws Exception {
    Path own = folder.resolve("medley-cache-" + System.getProperty("user.name"));
    Files.createSymbolicLink(own, Files.createDirectory(folder.resolve("elsewhere")));
    assertThatThrownBy(() -> Storage.ownFolder(folder))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            own
                + ": the cache folder belongs to somebody else; set -Dmedley.cache or MEDLEY_CACHE"
                + " to a folder of yours");
  }
}
