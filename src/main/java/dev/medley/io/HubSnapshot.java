package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A repository at one commit: what the cache has of it, and the Hub's for the rest. Paths are
 * relative to the repository.
 */
final class HubSnapshot {
  private static final Logger log = LoggerFactory.getLogger(HubSnapshot.class);

  private final HubPath root;
  private final HubCache cache;
  private final HubClient client;
  private final String offline;
  private String unreachable;
  private long unreachableSince;
  private HubTree tree;
  private HubTree cachedFiles; // in its place, offline

  /**
   * Nothing is asked yet.
   *
   * @param root with a commit as its revision
   * @param offline why the Hub is not to be asked; null where it is
   */
  HubSnapshot(HubPath root, HubCache cache, HubClient client, String offline) {
    this.root = root;
    this.cache = cache;
    this.client = client;
    this.offline = offline;
  }

  /** The same of a Hub that has just not answered. */
  HubSnapshot(HubPath root, HubCache cache, HubClient client, HubUnreachable e) {
    this(root, cache, client, (String) null);
    this.unreachable = e.getMessage();
    this.unreachableSince = System.nanoTime();
  }

  String commit() {
    return root.revision();
  }

  boolean exists(String path) {
    return cache.file(commit(), path).isPresent() || tree().hasFile(path) || isFolder(path);
  }

  /** Whether there is a file, by the list of them. */
  boolean hasFile(String path) {
    return cache.file(commit(), path).filter(Files::isRegularFile).isPresent()
        || tree().hasFile(path);
  }

  boolean isFolder(String path) {
    return tree().hasFolder(path);
  }

  List<String> names(String folder) {
    return tree().names(folder);
  }

  /** The local file, downloaded unless it is there; empty where the commit has none. */
  Optional<Path> fetch(String path) {
    Optional<Path> cached = cached(path);
    if (cached.isPresent() || isKnownMissing(path)) {
      return cached;
    }
    try {
      HubPath from = file(path);
      askable(path);
      Optional<HubFile> file = client.file(from);
      if (file.isEmpty()) {
        cache.keepMissing(commit(), path);
        return Optional.empty();
      }
      return Optional.of(download(from, file.get()));
    } catch (HubUnreachable e) {
      throw unreachable(path, e);
    }
  }

  /** Reads something out of the cached file, else out of the Hub's, of which only that is sent. */
  <T> Optional<T> readInPlace(String path, Storage.InPlace<T> reading) throws IOException {
    Optional<Path> cached = cached(path);
    if (cached.isPresent()) {
      try (InputStream in = Files.newInputStream(cached.get())) {
        return Optional.of(reading.read(in, Files.size(cached.get())));
      }
    }
    if (isKnownMissing(path)) {
      return Optional.empty();
    }
    HubTree.Entry entry = tree().files().get(path);
    if (entry == null) {
      return Optional.empty();
    }
    askable(path);
    try (InputStream in = new HubRanges(client, file(path), entry.size())) {
      return Optional.of(reading.read(in, entry.size()));
    } catch (HubUnreachable e) {
      throw unreachable(path, e);
    }
  }

  /** Why a file that is wanted is not here. */
  LoadException missing(String path) {
    String reason = reasonNotToAsk();
    return new LoadException(
        file(path).toString(),
        reason == null
            ? "expected a file, found none"
            : "expected a file in the cache folder " + cache.folder() + ", found none; " + reason);
  }

  private Optional<Path> cached(String path) {
    Optional<Path> cached = cache.file(commit(), path);
    if (cached.filter(Files::isDirectory).isPresent()) {
      throw new LoadException(file(path).toString(), "expected a file, found a folder");
    }
    return cached;
  }

  /** Without a request for that alone: by the list of files where there is one. */
  private boolean isKnownMissing(String path) {
    if (cache.isKnownMissing(commit(), path)) {
      return true;
    }
    Optional<HubTree> known = knownTree();
    if (known.isEmpty() || known.get().hasFile(path)) {
      return false;
    }
    if (known.get().hasFolder(path)) {
      throw new LoadException(file(path).toString(), "expected a file, found a folder");
    }
    if (isWhole(known.get())) {
      cache.keepMissing(commit(), path);
    }
    return true;
  }

  private Path download(HubPath from, HubFile file) throws HubUnreachable {
    long start = System.nanoTime();
    boolean[] fetched = {false};
    try {
      Path copy =
          cache.put(
              file,
              from.path(),
              part -> {
                fetched[0] = true;
                new HubDownload(client, from, file).into(part);
                Downloads.OF_THIS_JVM.add(Files.size(part));
              });
      if (fetched[0]) {
        log.info(
            "fetched {}: {} bytes in {} ms",
            from,
            Files.size(copy),
            (System.nanoTime() - start) / 1_000_000);
      }
      return copy;
    } catch (HubUnreachable e) {
      throw e;
    } catch (IOException e) {
      throw new LoadException(
          from.toString(),
          "could not be put into the cache folder "
              + cache.folder()
              + ": "
              + e
              + "; make room, or set HF_HUB_CACHE to a folder that can be written to",
          e);
    }
  }

  /** All files of the commit. */
  private synchronized HubTree tree() {
    Optional<HubTree> known = knownTree();
    if (known.isPresent()) {
      return known.get();
    }
    if (reasonNotToAsk() == null) {
      try {
        tree = client.tree(root);
        cache.keepTree(commit(), tree);
        return tree;
      } catch (HubUnreachable e) {
        note(e);
      }
    }
    throw new LoadException(
        root.toString(),
        "expected a list of its files in the cache folder "
            + cache.folder()
            + ", found none; "
            + reasonNotToAsk()
            + "; HF_HUB_OFFLINE=1 would take the files that are there for all");
  }

  /** Empty where it has to be asked for. Offline, where nobody kept it, what the cache has. */
  private synchronized Optional<HubTree> knownTree() {
    if (tree == null) {
      tree = cache.tree(commit()).orElse(null);
    }
    if (tree == null && offline != null && cachedFiles == null) {
      cachedFiles = cachedFiles();
    }
    return Optional.ofNullable(tree == null ? cachedFiles : tree);
  }

  /** What the cache has may be less. */
  private synchronized boolean isWhole(HubTree known) {
    return known == tree;
  }

  private HubTree cachedFiles() {
    Optional<HubTree> files;
    try {
      files = cache.cachedFiles(commit());
    } catch (IOException e) {
      throw new LoadException(cache.snapshot(commit()).toString(), "could not be read: " + e, e);
    }
    if (files.isEmpty()) {
      throw new LoadException(
          root.toString(),
          "expected its files in the cache folder " + cache.folder() + ", found none; " + offline);
    }
    log.warn("{}: {}; the files in the cache are taken for all that it has", root, offline);
    return files.get();
  }

  /** Null where the Hub may be asked, as it may again some time after it gave no answer. */
  private synchronized String reasonNotToAsk() {
    if (unreachable != null && System.nanoTime() - unreachableSince > Hub.FAILURE_NANOS) {
      unreachable = null;
    }
    return offline == null ? unreachable : offline;
  }

  private synchronized void note(HubUnreachable e) {
    unreachable = e.getMessage();
    unreachableSince = System.nanoTime();
  }

  private void askable(String path) {
    if (reasonNotToAsk() != null) {
      throw missing(path);
    }
  }

  private LoadException unreachable(String path, HubUnreachable e) {
    if (e.isOfEveryFile()) {
      note(e);
    }
    return new LoadException(file(path).toString(), e.getMessage(), e);
  }

  private HubPath file(String path) {
    return new HubPath(root.repo(), root.revision(), path);
  }
}
