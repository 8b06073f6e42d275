package dev.medley.spark;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Sha256;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right of one run to write to an output: a file of its own in {@code claims}, rewritten while
 * the run lives by a daemon thread that ends with it.
 *
 * <p>Whoever comes writes its claim first and looks at the others' then, so that of two at the same
 * time at most one goes on, on stores without locks, too. A claim of a process of this machine that
 * has ended counts for nothing; any other is watched, and counts for nothing if nobody rewrites it.
 * No clocks are compared.
 */
final class FolderClaim implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(FolderClaim.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  /** How often a claim is rewritten. */
  static final Duration BEAT = Duration.ofSeconds(5);

  /** For how many beats a claim may stay as it is before it counts for nothing. */
  private static final int BEATS = 4;

  private final ChunkFolder folder;
  private final Path file;
  private final Runnable onBeat;
  private final Runnable onLoss;
  private final Thread thread;
  private long beats;
  private volatile boolean lost;
  private volatile boolean closed;

  /**
   * @param machine what tells this machine, with its table of processes, from others; empty where
   *     that is not known
   */
  private record Owner(String shown, String machine, long process, long started) {}

  private FolderClaim(ChunkFolder folder, Duration beat, Runnable onBeat, Runnable onLoss) {
    this.folder = folder;
    this.file = folder.hidden(ChunkFolder.CLAIMS, UUID.randomUUID() + ".json");
    this.onBeat = onBeat;
    this.onLoss = onLoss;
    write();
    thread = new Thread(() -> run(beat), "medley-claim");
    thread.setDaemon(true);
  }

  /**
   * Claims an output.
   *
   * @param onBeat runs now and then, in another thread
   * @param onLoss runs once somebody has taken the claim away, in that thread
   * @throws LoadException where another run has it
   */
  static FolderClaim take(ChunkFolder folder, Runnable onBeat, Runnable onLoss) {
    return take(folder, BEAT, onBeat, onLoss);
  }

  static FolderClaim take(ChunkFolder folder, Duration beat, Runnable onBeat, Runnable onLoss) {
    FolderClaim claim = new FolderClaim(folder, beat, onBeat, onLoss);
    claim.thread.start();
    try {
      claim.checkAlone(beat);
      return claim;
    } catch (RuntimeException | Error e) {
      claim.close();
      throw e;
    }
  }

  /** Throws LoadException where another run has taken the output meanwhile. */
  void checkHeld() {
    if (lost || folder.readText(file).isEmpty()) {
      throw new LoadException(
          folder.root().toString(),
          "another run has taken this output over, since this one seemed to have ended; look at"
              + " what that one says");
    }
  }

  private void checkAlone(Duration beat) {
    Map<Path, String> silent = others();
    for (Map.Entry<Path, String> other : Map.copyOf(silent).entrySet()) {
      Optional<Owner> owner = owner(other);
      if (owner.isPresent() && isHere(owner.get())) {
        silent.remove(other.getKey());
        if (isAlive(owner.get())) {
          throw taken(owner.get().shown);
        }
        remove(other.getKey());
      }
    }
    if (silent.isEmpty()) {
      return;
    }
    LOG.info("Waiting to see whether another run still writes to {}", folder.root());
    sleep(beat.multipliedBy(BEATS));
    Map<Path, String> now = others();
    for (Map.Entry<Path, String> other : silent.entrySet()) {
      String seen = now.get(other.getKey());
      if (other.getValue().equals(seen)) {
        remove(other.getKey());
      } else if (seen != null) {
        throw taken(owner(Map.entry(other.getKey(), seen)).map(Owner::shown).orElse("somebody"));
      }
    }
  }

  /** Other claims and what is in them. */
  private Map<Path, String> others() {
    Map<Path, String> others = new TreeMap<>();
    for (String name : folder.list(folder.hidden(ChunkFolder.CLAIMS)).keySet()) {
      Path other = folder.hidden(ChunkFolder.CLAIMS, name);
      if (!name.startsWith(".") && !other.getName().equals(file.getName())) {
        folder.readText(other).ifPresent(text -> others.put(other, text));
      }
    }
    return others;
  }

  private void remove(Path other) {
    LOG.warn("Another run on {} ended before it had finished; going on", folder.root());
    folder.delete(other);
  }

  private LoadException taken(String owner) {
    return new LoadException(
        folder.root().toString(),
        "expected no other run that writes here, found one of "
            + owner
            + "; wait until it has ended, or choose another output.path");
  }

  private void run(Duration beat) {
    try {
      while (!lost && !closed) {
        Thread.sleep(beat.toMillis());
        beat();
      }
    } catch (InterruptedException e) {
      // closed
    }
  }

  private void beat() {
    try {
      if (folder.readText(file).isEmpty()) {
        lost = true;
        LOG.error("Another run has taken {} over", folder.root());
        onLoss.run();
        return;
      }
      write();
      onBeat.run();
    } catch (LoadException e) {
      LOG.warn("The claim could not be rewritten: {}", e.getMessage());
    }
  }

  private synchronized void write() {
    ProcessHandle me = ProcessHandle.current();
    ObjectNode json = JSON.createObjectNode();
    json.put("owner", System.getProperty("user.name") + "@" + host() + ", process " + me.pid());
    json.put("machine", machine()).put("process", me.pid()).put("started", started(me));
    json.put("beats", beats++);
    ChunkFolder.attempt(
        file,
        () -> {
          try (FSDataOutputStream out = folder.fileSystem().create(file, true)) {
            out.write(json.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8));
          }
          return null;
        });
  }

  /** Empty where the text cannot be read, as of a claim that is being rewritten. */
  private static Optional<Owner> owner(Map.Entry<Path, String> claim) {
    try {
      JsonObject json = JsonObject.parse(claim.getValue(), claim.getKey().toString());
      Owner owner =
          new Owner(
              json.string("owner"),
              json.string("machine"),
              json.integer("process"),
              json.integer("started"));
      json.ignore("beats");
      json.done();
      return Optional.of(owner);
    } catch (LoadException e) {
      return Optional.empty();
    }
  }

  private static boolean isHere(Owner owner) {
    return !owner.machine.isEmpty() && owner.machine.equals(machine());
  }

  private static boolean isAlive(Owner owner) {
    return ProcessHandle.of(owner.process)
        .filter(process -> process.isAlive() && started(process) == owner.started)
        .isPresent();
  }

  private static long started(ProcessHandle process) {
    return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  /** Of Linux: this boot of this kernel, and which of its tables of processes. */
  private static String machine() {
    try {
      String boot = Files.readString(java.nio.file.Path.of("/proc/sys/kernel/random/boot_id"));
      String processes =
          Files.readSymbolicLink(java.nio.file.Path.of("/proc/self/ns/pid")).toString();
      return Sha256.of(boot + processes + host());
    } catch (IOException | UnsupportedOperationException e) {
      return "";
    }
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (IOException e) {
      return "localhost";
    }
  }

  private static void sleep(Duration time) {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for another run", e);
    }
  }

  /** Gives the claim back. */
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (!lost) {
      folder.delete(file);
    }
  }
}
