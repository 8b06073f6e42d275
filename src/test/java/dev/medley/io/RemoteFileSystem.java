package dev.medley.io;

import java.io.EOFException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/**
 * The local disk under the scheme {@code remote}, as if it were far away: counts what is opened and
 * read, is slow, and breaks off when told to.
 */
public final class RemoteFileSystem extends RawLocalFileSystem {
  public static final AtomicInteger OPENED = new AtomicInteger();
  public static final AtomicInteger BYTES_READ = new AtomicInteger();

  /** How far into a file any stream came, by the file's name. */
  public static final Map<String, Integer> FURTHEST = new ConcurrentHashMap<>();

  static final int NEVER = Integer.MAX_VALUE;

  /** The position at which reading fails; the JVM dies there when {@link #deadly}. */
  static volatile int breaksAt;

  static volatile boolean deadly;

  /** The position at which the stream ends, without a failure. */
  static volatile int endsAt;

  static volatile int millisPerRead;

  /** So many calls of status, list and open fail from now on. */
  static volatile int failuresToCome;

  /** Positions at which reading fails the first time that it comes there. */
  private static final Set<Integer> BREAKS_ONCE_AT = ConcurrentHashMap.newKeySet();

  /** Called when one of them is reached. */
  static volatile Broken whenItBreaks;

  interface Broken {
    void run() throws IOException;
  }

  public static void reset() {
    OPENED.set(0);
    BYTES_READ.set(0);
    FURTHEST.clear();
    breaksAt = NEVER;
    endsAt = NEVER;
    deadly = false;
    millisPerRead = 0;
    failuresToCome = 0;
    BREAKS_ONCE_AT.clear();
    whenItBreaks = () -> {};
  }

  /** Reading fails at that position, as often as it is tried. */
  public static void breakAt(int position) {
    breaksAt = position;
  }

  static void breaksOnceAt(Integer... positions) {
    BREAKS_ONCE_AT.addAll(List.of(positions));
  }

  private static synchronized void failIfDue() throws IOException {
    if (failuresToCome > 0) {
      failuresToCome--;
      throw new IOException("service unavailable");
    }
  }

  public static Configuration conf() {
    Configuration conf = new Configuration();
    conf.set("fs.remote.impl", RemoteFileSystem.class.getName());
    return conf;
  }

  public static Location location(java.nio.file.Path path) {
    return Location.of("remote://" + path);
  }

  @Override
  public URI getUri() {
    return URI.create("remote:///");
  }

  @Override
  public String getScheme() {
    return "remote";
  }

  @Override
  protected void checkPath(Path path) {
    // any authority will do
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    failIfDue();
    return super.getFileStatus(path);
  }

  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    failIfDue();
    return super.listStatus(path);
  }

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    failIfDue();
    OPENED.incrementAndGet();
    byte[] bytes = Files.readAllBytes(pathToFile(path).toPath());
    return new FSDataInputStream(new Remote(path.getName(), bytes));
  }

  private static final class Remote extends FSInputStream {
    private final String name;
    private final byte[] bytes;
    private int position;

    Remote(String name, byte[] bytes) {
      this.name = name;
      this.bytes = bytes;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      pause();
      if (position >= breaksAt) {
        if (deadly) {
          Runtime.getRuntime().halt(9);
        }
        throw new IOException("connection reset");
      }
      if (BREAKS_ONCE_AT.remove(position)) {
        whenItBreaks.run();
        throw new IOException("connection reset");
      }
      int end = Math.min(Math.min(bytes.length, endsAt), breaksAt);
      for (int next : BREAKS_ONCE_AT) {
        end = next > position ? Math.min(end, next) : end;
      }
      if (position >= end) {
        return -1;
      }
      int n = Math.min(Math.min(length, 1000), end - position);
      System.arraycopy(bytes, position, into, offset, n);
      position += n;
      BYTES_READ.addAndGet(n);
      FURTHEST.merge(name, position, Math::max);
      return n;
    }

    private static void pause() throws IOException {
      try {
        Thread.sleep(millisPerRead);
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public void seek(long to) throws IOException {
      if (to > bytes.length) {
        throw new EOFException();
      }
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
