package dev.medley.engine;

import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * How many forward passes run on a device at the same time, in the order in which they asked: more
 * of them than keep a device busy only take its memory from each other. What RAPIDS' GpuSemaphore
 * is for queries.
 *
 * <p>A pass has all that it needs before it asks, and waits for nothing while it holds a permit. So
 * every permit comes back, and nobody waits for ever.
 */
public final class DevicePermits {
  /** Who waits asks so often whether it still should. */
  private static final long CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final int most;
  private final ArrayDeque<Object> queue = new ArrayDeque<>(); // who waits, the longest first
  private int taken;

  /** So many passes at a time, at least 1. */
  public DevicePermits(int most) {
    if (most < 1) {
      throw new IllegalArgumentException("device permits: expected at least 1, got " + most);
    }
    this.most = most;
  }

  /** As many passes as there are threads. */
  public static DevicePermits unlimited() {
    return new DevicePermits(Integer.MAX_VALUE);
  }

  /** How many passes are running. */
  public synchronized int taken() {
    return taken;
  }

  /** How many passes wait. */
  public synchronized int waiting() {
    return queue.size();
  }

  /**
   * Waits for a permit.
   *
   * @param check is called while this thread waits, and throws where it should not any more
   * @throws IllegalStateException where this thread was interrupted, which it still is
   */
  Permit take(Runnable check) {
    return take(1, check);
  }

  /** Waits until nobody else's pass runs, as {@link #take}. */
  Permit takeAll(Runnable check) {
    return take(most, check);
  }

  private Permit take(int count, Runnable check) {
    long start = System.nanoTime();
    Object me = new Object();
    boolean got = false;
    synchronized (this) {
      queue.add(me);
    }
    try {
      while (!(got = got(me, count))) {
        check.run();
      }
      return new Permit(count, System.nanoTime() - start);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      check.run(); // which may know why
      throw new IllegalStateException("interrupted while waiting for a turn on the device", e);
    } finally {
      if (!got) {
        leave(me);
      }
    }
  }

  /** Waits for a while; whether the permits are this thread's now. */
  private synchronized boolean got(Object me, int count) throws InterruptedException {
    long end = System.nanoTime() + CHECK_NANOS;
    while (queue.peek() != me || (long) taken + count > most) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
    queue.remove();
    taken += count;
    notifyAll(); // there may be one for the next, too
    return true;
  }

  private synchronized void leave(Object me) {
    queue.remove(me);
    notifyAll();
  }

  private synchronized void giveBack(int count) {
    taken -= count;
    notifyAll();
  }

  /** The right to compute until closed. */
  final class Permit implements AutoCloseable {
    private final int count;
    private final long waitedNanos;

    private Permit(int count, long waitedNanos) {
      this.count = count;
      this.waitedNanos = waitedNanos;
    }

    /** How long it took to get. */
    long waitedNanos() {
      return waitedNanos;
    }

    @Override
    public void close() {
      giveBack(count);
    }
  }
}
