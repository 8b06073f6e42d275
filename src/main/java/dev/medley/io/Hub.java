package dev.medley.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Hugging Face Hub as {@link Storage} sees it. A branch is looked up once, so that everything
 * read of it through this is of one commit; {@link #anew} looks it up again.
 */
final class Hub {
  private static final Logger log = LoggerFactory.getLogger(Hub.class);

  /** Whoever asks within this time for what has just failed is not kept waiting for it again. */
  static final long FAILURE_NANOS = 15_000_000_000L;

  private final Supplier<Map<String, String>> env;
  private final HubRetries retries;
  private final Map<HubPath, Resolved> resolved = new ConcurrentHashMap<>(); // by root

  /** By which a thread waits for another that asks the same; one of the two is then set. */
  private static final class Resolved {
    HubSnapshot snapshot;
    LoadException failure;
    long failedAt;
  }

  /**
   * Nothing is looked up yet.
   *
   * @param env as {@link HubSettings} reads it, asked for when something is
   */
  Hub(Supplier<Map<String, String>> env, HubRetries retries) {
    this.env = env;
    this.retries = retries;
  }

  /** As the environment says; see {@link HubSettings}. */
  static Hub ofThisProcess() {
    return new Hub(HubSettings::ofThisProcess, HubRetries.STANDARD);
  }

  /** The same with every branch to be looked up once more. */
  Hub anew() {
    return new Hub(env, retries);
  }

  Optional<Path> fetchIfExists(HubPath file) {
    return snapshot(file).fetch(file.path());
  }

  Path fetch(HubPath file) {
    HubSnapshot snapshot = snapshot(file);
    return snapshot.fetch(file.path()).orElseThrow(() -> snapshot.missing(file.path()));
  }

  boolean exists(HubPath path) {
    return snapshot(path).exists(path.path());
  }

  List<String> list(HubPath folder) throws FileNotFoundException {
    HubSnapshot snapshot = snapshot(folder);
    if (!snapshot.isFolder(folder.path())) {
      throw new FileNotFoundException(folder.toString());
    }
    return snapshot.names(folder.path());
  }

  /** The commit, for a file that is there; else empty. */
  String version(HubPath file) {
    HubSnapshot snapshot = snapshot(file);
    return snapshot.hasFile(file.path()) ? snapshot.commit() : "";
  }

  <T> Optional<T> readInPlace(HubPath file, Storage.InPlace<T> reading) throws IOException {
    return snapshot(file).readInPlace(file.path(), reading);
  }

  /** The same with the commit in place of its revision. */
  HubPath pinned(HubPath path) {
    return HubPath.isCommit(path.revision()) ? path : path.at(snapshot(path).commit());
  }

  private HubSnapshot snapshot(HubPath path) {
    HubPath root = path.root().at(path.revisionOrMain());
    Resolved known = resolved.computeIfAbsent(root, made -> new Resolved());
    synchronized (known) {
      if (known.failure != null && System.nanoTime() - known.failedAt < FAILURE_NANOS) {
        throw new LoadException(known.failure);
      }
      if (known.snapshot == null) {
        try {
          known.snapshot = resolve(root);
        } catch (LoadException e) {
          known.failure = e;
          known.failedAt = System.nanoTime();
          throw e;
        }
      }
      return known.snapshot;
    }
  }

  private HubSnapshot resolve(HubPath root) {
    HubSettings settings = new HubSettings(env.get());
    HubCache cache = new HubCache(settings.cacheFolder(), root.repo(), settings.mayLink());
    HubClient client = new HubClient(settings, retries);
    String offline = settings.offline().map(said -> said + " forbids to ask the Hub").orElse(null);
    if (HubPath.isCommit(root.revision())) {
      return new HubSnapshot(root, cache, client, offline);
    }
    Optional<String> last = cache.ref(root.revision());
    if (offline != null) {
      String commit = last.orElseThrow(() -> notCached(root, cache, offline));
      return new HubSnapshot(root.at(commit), cache, client, offline);
    }
    try {
      String commit = client.commit(root, last.isPresent() ? HubRetries.NONE : retries);
      cache.keepRef(root.revision(), commit);
      return new HubSnapshot(root.at(commit), cache, client, offline);
    } catch (HubUnreachable e) {
      String commit = last.orElseThrow(() -> notCached(root, cache, e.getMessage()));
      log.warn("{}: {}; the cache has it at {}", root, e.getMessage(), commit);
      return new HubSnapshot(root.at(commit), cache, client, e);
    }
  }

  private static LoadException notCached(HubPath root, HubCache cache, String reason) {
    return new LoadException(
        root.toString(),
        "expected the revision in the cache folder " + cache.folder() + ", found none; " + reason);
  }
}
