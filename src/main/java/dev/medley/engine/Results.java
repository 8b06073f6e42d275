package dev.medley.engine;

import java.util.Iterator;

/**
 * Results in the order of their requests. Closing gives back what is held for rows that are being
 * worked on, and ends the stream; the end of the stream and an exception do the same.
 */
public interface Results extends Iterator<Result>, AutoCloseable {
  @Override
  void close();

  /**
   * Nanoseconds that forward passes have waited for their turn on the device so far; any thread may
   * ask.
   */
  long waitedNanos();
}
