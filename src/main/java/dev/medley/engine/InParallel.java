package dev.medley.engine;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/** Work on the small files of many adapters, which is mostly waiting where they are far away. */
public final class InParallel {
  private static final int MOST_THREADS = 16;
  private static final int ITEMS_OF_A_THREAD = 8;

  private InParallel() {}

  /**
   * What a function makes of each item, in their order. Its threads end before this returns.
   *
   * @throws RuntimeException the first that the function threw
   */
  public static <T, R> List<R> map(List<T> items, Function<T, R> function) {
    int threads = Math.min(MOST_THREADS, items.size() / ITEMS_OF_A_THREAD);
    if (threads < 2) {
      List<R> results = new ArrayList<>();
      items.forEach(item -> results.add(function.apply(item)));
      return results;
    }
    if (Thread.currentThread().isInterrupted()) { // work that is done at once is not waited for
      throw interrupted(null);
    }
    List<R> results = new ArrayList<>(Collections.nCopies(items.size(), null));
    AtomicInteger next = new AtomicInteger();
    Callable<Void> worker =
        () -> {
          for (int i = next.getAndIncrement(); i < items.size(); i = next.getAndIncrement()) {
            results.set(i, function.apply(items.get(i))); // each place is written once
          }
          return null;
        };
    ExecutorService pool = Executors.newFixedThreadPool(threads, InParallel::daemon);
    try {
      for (Future<Void> done : pool.invokeAll(Collections.nCopies(threads, worker))) {
        done.get();
      }
      return results;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw interrupted(e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) e.getCause(); // a Function throws no other
    } finally {
      pool.shutdownNow();
    }
  }

  private static IllegalStateException interrupted(InterruptedException e) {
    return new IllegalStateException("interrupted while reading adapters' files", e);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "medley-files");
    thread.setDaemon(true);
    return thread;
  }
}
