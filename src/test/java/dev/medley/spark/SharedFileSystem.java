package dev.medley.spark;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.SparkEnv;

/**
 * The local disk under the scheme {@code shared}, as a storage that driver and executors reach. Who
 * has read a file to its end says so in a log of all of them.
 *
 * <p>Executors find {@code shared://fails-twice/…} broken off twice per file, and {@code
 * shared://never/…} each time; the driver finds all of it well.
 */
public final class SharedFileSystem extends RawLocalFileSystem {
  private static final String LOG = "fs.shared.log";

  private static final Map<String, Integer> FAILURES =
      Map.of("fails-twice", 2, "never", Integer.MAX_VALUE);

  /** How often the files have broken off in this JVM. */
  private static final Map<java.nio.file.Path, Integer> FAILED = new ConcurrentHashMap<>();

  private java.nio.file.Path log;
  private int failures;

  /** A file that was read to its end by the executor of that id, or by the driver. */
  record Fetched(String executor, java.nio.file.Path file) {}

  /** What a session needs for it. */
  static Map<String, String> settings(java.nio.file.Path log) {
    return Map.of(
        "spark.hadoop.fs.shared.impl",
        SharedFileSystem.class.getName(),
        "spark.hadoop.fs.shared.impl.disable.cache", // by scheme: another test has another log
        "true",
        "spark.hadoop." + LOG,
        log.toString());
  }

  /** All files that were read so far, each as often as it was. */
  static List<Fetched> fetched(java.nio.file.Path log) throws IOException {
    return said(log, "read");
  }

  /** All files that broke off so far, each as often as it did. */
  static List<Fetched> brokenOff(java.nio.file.Path log) throws IOException {
    return said(log, "broken off");
  }

  private static List<Fetched> said(java.nio.file.Path log, String what) throws IOException {
    return Files.readAllLines(log).stream()
        .map(line -> line.split("\t"))
        .filter(line -> line[0].equals(what))
        .map(line -> new Fetched(line[1], java.nio.file.Path.of(line[2])))
        .toList();
  }

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    super.initialize(name, conf);
    log = java.nio.file.Path.of(conf.get(LOG));
    boolean isDriver = SparkEnv.get().executorId().equals("driver");
    failures = isDriver ? 0 : FAILURES.getOrDefault(String.valueOf(name.getAuthority()), 0);
  }

  @Override
  public URI getUri() {
    return URI.create("shared:///");
  }

  @Override
  public String getScheme() {
    return "shared";
  }

  @Override
  protected void checkPath(Path path) {
    // any authority will do
  }

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    java.nio.file.Path file = pathToFile(path).toPath();
    return new FSDataInputStream(new Read(file, Files.readAllBytes(file)));
  }

  private void say(String what, java.nio.file.Path file) throws IOException {
    String line = what + "\t" + SparkEnv.get().executorId() + "\t" + file + "\n";
    Files.write( // one write of few bytes: lines of several processes do not mix
        log,
        line.getBytes(StandardCharsets.UTF_8),
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }

  private final class Read extends FSInputStream {
    private final java.nio.file.Path file;
    private final byte[] bytes;
    private int position;

    Read(java.nio.file.Path file, byte[] bytes) {
      this.file = file;
      this.bytes = bytes;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      if (position == bytes.length) {
        say("read", file);
        return -1;
      }
      if (position > 0 && FAILED.getOrDefault(file, 0) < failures) {
        FAILED.merge(file, 1, Integer::sum);
        say("broken off", file);
        throw new IOException("connection reset");
      }
      int n = Math.min(Math.min(length, 1000), bytes.length - position);
      System.arraycopy(bytes, position, into, offset, n);
      position += n;
      return n;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public void seek(long to) {
      position = (int) to;
    }

    @Override
    public long getPos() {
      return position;
    }

    @Override
    public boolean seekToNewSource(long target) {
      return false;
    }
  }
}
