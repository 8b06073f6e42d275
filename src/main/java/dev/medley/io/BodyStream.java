package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The body of a response as a stream whose reads time out, which the JDK's own does not: a
 * request's timeout ends with its headers. Closing it gives up the rest and the connection.
 */
final class BodyStream extends InputStream implements BodySubscriber<InputStream> {
  private final long timeoutMillis;
  private final BlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
  private final Deque<ByteBuffer> unread = new ArrayDeque<>();
  private volatile Flow.Subscription subscription;
  private volatile boolean closed;
  private boolean ended;

  /** Bytes, or the end where there are none; of that the reason, null for a good one. */
  private record Arrival(List<ByteBuffer> bytes, Throwable failure) {}

  BodyStream(Duration timeout) {
    this.timeoutMillis = timeout.toMillis();
  }

  @Override
  public CompletionStage<InputStream> getBody() {
    return CompletableFuture.completedFuture(this); // it is read while it comes
  }

  @Override
  public void onSubscribe(Flow.Subscription given) {
    subscription = given;
    if (closed) {
      given.cancel();
    } else {
      given.request(1);
    }
  }

  @Override
  public void onNext(List<ByteBuffer> bytes) {
    arrivals.add(new Arrival(bytes, null));
  }

  @Override
  public void onError(Throwable failure) {
    arrivals.add(new Arrival(null, failure));
  }

  @Override
  public void onComplete() {
    arrivals.add(new Arrival(null, null));
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] into, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    while (unread.isEmpty() || !unread.peek().hasRemaining()) {
      if (unread.poll() == null && !next()) {
        return -1;
      }
    }
    int n = Math.min(length, unread.peek().remaining());
    unread.peek().get(into, offset, n);
    return n;
  }

  /** Waits for more; false at the end. */
  private boolean next() throws IOException {
    if (ended || closed) {
      return false;
    }
    Arrival arrival;
    try {
      arrival = arrivals.poll(timeoutMillis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      close();
      throw new InterruptedIOException("interrupted while reading");
    }
    if (arrival == null) {
      close();
      throw new HttpTimeoutException("nothing came for " + timeoutMillis + " ms");
    }
    if (arrival.bytes == null) {
      ended = true;
      if (arrival.failure != null) {
        throw new IOException(arrival.failure.toString(), arrival.failure);
      }
      return false;
    }
    unread.addAll(arrival.bytes);
    subscription.request(1);
    return true;
  }

  @Override
  public void close() {
    closed = true;
    Flow.Subscription known = subscription;
    if (known != null) {
      known.cancel();
    }
  }
}
