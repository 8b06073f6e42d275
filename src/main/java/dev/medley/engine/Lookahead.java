package dev.medley.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What is done beside the forward passes of one thread: the next texts become tokens, and the files
 * of the next adapters are brought near. Two threads, started when first needed, which {@link
 * #close} ends and waits for. Nothing that libtorch does belongs here: it would start another team
 * of threads for each of these two, beside those that compute.
 */
final class Lookahead implements AutoCloseable {
  /** One for texts, one for adapters. */
  private static final int THREADS = 2;

  private static final AtomicInteger STARTED = new AtomicInteger();

  private final List<Future<?>> begun = new ArrayList<>();
  private final List<Thread> started = new ArrayList<>();
  private ExecutorService threads; // null until needed

  /** Begins something; its result is had by {@link #get}. */
  <T> Future<T> begin(Callable<T> work) {
    if (threads == null) {
      threads =
          Executors.newFixedThreadPool(
              THREADS,
              task -> {
                Thread thread = new Thread(task, "medley-ahead-" + STARTED.incrementAndGet());
                thread.setDaemon(true);
                started.add(thread); // by the thread that begins something
                return thread;
              });
    }
    begun.removeIf(Future::isDone);
    Future<T> future = threads.submit(work);
    begun.add(future);
    return future;
  }

  /**
   * Waits for a result, or throws what kept it from being one.
   *
   * @throws IllegalStateException where this thread was interrupted, which it still is
   */
  <T> T get(Future<T> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      stop();
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for what the next batch needs", e);
    } catch (CancellationException e) {
      throw new IllegalStateException("stopped", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException problem) {
        throw problem;
      }
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  /** Waits until nothing is being done, interrupted or not. */
  void rest() {
    boolean interrupted = false;
    for (Future<?> future : begun) {
      while (!future.isDone()) {
        try {
          future.get();
        } catch (InterruptedException e) {
          interrupted = true;
          stop();
        } catch (ExecutionException | CancellationException e) {
          // whoever asks for the result is told
        }
      }
    }
    begun.clear();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends the threads, what they do interrupted, and waits until they have ended. */
  private void stop() {
    if (threads == null) {
      return;
    }
    threads.shutdownNow().forEach(left -> ((Future<?>) left).cancel(false));
    boolean interrupted = false;
    while (!started.isEmpty()) {
      try {
        started.get(0).join();
        started.remove(0);
      } catch (InterruptedException e) {
        interrupted = true; // they have been interrupted, too
      }
    }
    threads = null;
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    stop();
  }
}
