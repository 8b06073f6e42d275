package dev.medley.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One model in the cache folder that huggingface_hub, transformers and all who build on them share:
 *
 * <pre>
 *   models--ORG--NAME/refs/REVISION                a commit
 *   models--ORG--NAME/snapshots/COMMIT/PATH        a relative link to a blob
 *   models--ORG--NAME/blobs/ETAG                   the bytes: whole, since they are renamed there
 *   models--ORG--NAME/.no_exist/COMMIT/PATH        an empty file: the commit has no such path
 *   models--ORG--NAME/trees/COMMIT.json            all paths of the commit
 *   .locks/models--ORG--NAME/ETAG.lock
 * </pre>
 *
 * What is written here only spares a request later (all but blobs and snapshots) does not have to
 * succeed: the folder may be one that others own.
 */
final class HubCache {
  private static final Logger log = LoggerFactory.getLogger(HubCache.class);

  /** A FileLock is the whole JVM's, so threads take turns by one of these first. */
  private static final Object[] TURNS = Stream.generate(Object::new).limit(256).toArray();

  /** As huggingface_hub writes it, for those who make backups. */
  private static final String TAG =
      """
      Signature: 8a477f597d28d172789f06886806bc55
      # This file is a cache directory tag created by huggingface_hub.
      # For information about cache directory tags, see:
      #\thttps://bford.info/cachedir/
      """;

  private final Path folder;
  private final Path home;
  private final boolean mayLink;

  HubCache(Path folder, String repo, boolean mayLink) {
    this.folder = folder;
    this.home = folder.resolve(name(repo));
    this.mayLink = mayLink;
  }

  private static String name(String repo) {
    return "models--" + repo.replace("/", "--");
  }

  Path folder() {
    return folder;
  }

  /** The commit that a revision was at when somebody last asked. */
  Optional<String> ref(String revision) {
    Path file = home.resolve("refs").resolve(revision);
    try {
      return Optional.of(Files.readString(file).strip()).filter(HubPath::isCommit);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  void keepRef(String revision, String commit) {
    if (!revision.equals(commit) && !ref(revision).equals(Optional.of(commit))) {
      keep(home.resolve("refs").resolve(revision), commit.getBytes());
    }
  }

  /** The file in the snapshot, where it is there. */
  Optional<Path> file(String commit, String path) {
    return Optional.of(snapshot(commit).resolve(path)).filter(Files::exists);
  }

  /** Its folder, be it there or not. */
  Path snapshot(String commit) {
    return home.resolve("snapshots").resolve(commit);
  }

  boolean isKnownMissing(String commit, String path) {
    return Files.isRegularFile(home.resolve(".no_exist").resolve(commit).resolve(path));
  }

  void keepMissing(String commit, String path) {
    if (!isKnownMissing(commit, path)) {
      keep(home.resolve(".no_exist").resolve(commit).resolve(path), new byte[0]);
    }
  }

  Optional<HubTree> tree(String commit) {
    Path file = home.resolve("trees").resolve(commit + ".json");
    try {
      return Optional.of(HubTree.parse(Files.readAllBytes(file), file.toString()));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      log.warn("{}: is asked for again, since it could not be read: {}", file, e.toString());
      return Optional.empty();
    }
  }

  void keepTree(String commit, HubTree tree) {
    try {
      keep(home.resolve("trees").resolve(commit + ".json"), tree.toJson());
    } catch (IOException e) {
      log.debug("the files of {} are not remembered", commit, e);
    }
  }

  /** What lies in the snapshot, which may be less than the commit has; empty without a snapshot. */
  Optional<HubTree> cachedFiles(String commit) throws IOException {
    Path snapshot = snapshot(commit);
    if (!Files.isDirectory(snapshot)) {
      return Optional.empty();
    }
    NavigableMap<String, HubTree.Entry> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(snapshot)) {
      for (Path file : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
        String path = snapshot.relativize(file).toString().replace('\\', '/');
        files.put(path, new HubTree.Entry(Files.size(file), null, null, null));
      }
    }
    return Optional.of(new HubTree(files));
  }

  /** How the bytes of a blob come: into a file beside it, whole and right or not at all. */
  interface Source {
    void into(Path part) throws IOException;
  }

  /**
   * The file in the snapshot, made from its blob, which comes from the source unless it is there.
   * One thread of one process at a time fetches a blob.
   */
  Path put(HubFile file, String path, Source source) throws IOException {
    Path pointer = snapshot(file.commit()).resolve(path);
    Path blob = home.resolve("blobs").resolve(file.etag());
    Path lockFile =
        folder.resolve(".locks").resolve(home.getFileName()).resolve(file.etag() + ".lock");
    for (Path made : new Path[] {blob, pointer, lockFile}) {
      Files.createDirectories(made.getParent());
    }
    if (!Files.exists(folder.resolve("CACHEDIR.TAG"))) {
      keep(folder.resolve("CACHEDIR.TAG"), TAG.getBytes());
    }
    openToGroup(lockFile);
    synchronized (TURNS[Math.floorMod(blob.hashCode(), TURNS.length)]) {
      try (FileChannel channel =
              FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        log.debug("{} holds {}", blob, lock);
        if (!Files.exists(pointer)) {
          boolean isNew = !isWhole(blob, file.size());
          if (isNew) {
            Path part = part(blob, file);
            source.into(part);
            Files.move(part, blob, StandardCopyOption.ATOMIC_MOVE);
          }
          point(pointer, blob, isNew);
        }
      }
    }
    return pointer;
  }

  /** As huggingface_hub makes it, so that all who share the folder can wait for each other. */
  private static void openToGroup(Path lockFile) {
    if (!Files.exists(lockFile)) {
      try {
        Files.createFile(lockFile);
        Files.setPosixFilePermissions(lockFile, PosixFilePermissions.fromString("rw-rw-r--"));
      } catch (IOException | UnsupportedOperationException e) {
        log.debug("{} is left as it is", lockFile, e); // another was faster, or no such rights
      }
    }
  }

  /**
   * Where a hash tells at the end whether the bytes are right, a part is continued by whoever comes
   * next. huggingface_hub would not see our lock, so neither knows the other's parts by name.
   */
  private static Path part(Path blob, HubFile file) throws IOException {
    String name = file.isHash() ? "medley" : UUID.randomUUID().toString().substring(0, 8);
    return blob.resolveSibling(blob.getFileName() + "." + name + ".incomplete");
  }

  private static boolean isWhole(Path blob, long size) throws IOException {
    return Files.exists(blob) && (size < 0 || Files.size(blob) == size);
  }

  private void point(Path pointer, Path blob, boolean isNew) throws IOException {
    Files.deleteIfExists(pointer); // a link to a blob that is gone
    if (mayLink) {
      try {
        Files.createSymbolicLink(pointer, pointer.getParent().relativize(blob));
        return;
      } catch (FileAlreadyExistsException e) {
        return; // huggingface_hub was faster
      } catch (UnsupportedOperationException | FileSystemException e) {
        log.debug("{} cannot be a link", pointer, e);
      }
    }
    if (isNew) {
      Files.move(blob, pointer, StandardCopyOption.ATOMIC_MOVE);
    } else {
      Path copy = pointer.resolveSibling(UUID.randomUUID() + ".tmp");
      Files.copy(blob, copy);
      Files.move(copy, pointer, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  /** A small file, whole or not at all, and not at all where nobody lets us. */
  private static void keep(Path file, byte[] content) {
    Path written = file.resolveSibling(file.getFileName() + "." + UUID.randomUUID() + ".tmp");
    try {
      Files.createDirectories(file.getParent());
      try {
        Files.write(written, content);
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(written);
      }
    } catch (IOException e) {
      log.debug("{} is not written", file, e);
    }
  }
}
