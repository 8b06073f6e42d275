package dev.medley.io;

/**
 * What this JVM has downloaded, whoever wanted it, for somebody to take the counts out while it
 * goes on: each download is taken once.
 */
public final class Downloads {
  /** The one of this JVM. */
  public static final Downloads OF_THIS_JVM = new Downloads();

  private long files;
  private long bytes;

  /** Whole files, and the bytes that came for them. */
  public record Taken(long files, long bytes) {}

  Downloads() {}

  synchronized void add(long ofBytes) {
    files++;
    bytes += ofBytes;
  }

  /** All since the last time. */
  public synchronized Taken take() {
    Taken taken = new Taken(files, bytes);
    files = 0;
    bytes = 0;
    return taken;
  }
}
