package dev.medley.notebook;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.jshell.execution.DirectExecutionControl;

/**
 * Runs compiled snippets in this JVM, one after the other in one thread of its own, so that what
 * Spark keeps by thread is kept from cell to cell. Remembers the last value as an object.
 */
final class CellExecution extends DirectExecutionControl {
  private final ExecutorService cells =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread thread = new Thread(task, "cell");
            thread.setDaemon(true);
            return thread;
          });

  private final Runnable before;
  private final Object lock = new Object();
  private Thread running; // under lock
  private boolean isStopped; // under lock
  private volatile Object value;
  private volatile Throwable thrown;

  /**
   * Without a snippet yet.
   *
   * @param before done in the cells' thread ahead of whatever runs there
   */
  CellExecution(Runnable before) {
    this.before = before;
  }

  /** Of the snippet that ran last; null for none. */
  Object value() {
    return value;
  }

  /** What the snippet that ran last threw; null for nothing. */
  Throwable thrown() {
    return thrown;
  }

  @Override
  protected String invoke(Method snippet) throws Exception {
    value = null;
    thrown = null;
    try {
      value = call(() -> run(snippet));
    } catch (InvocationTargetException e) {
      thrown = e.getCause(); // JShell makes another of it, which has lost the lines
      throw e;
    }
    return "";
  }

  private static Object run(Method snippet) throws Exception {
    // Spark reads tasks with the loader of the thread that made its context.
    Thread.currentThread().setContextClassLoader(snippet.getDeclaringClass().getClassLoader());
    return snippet.invoke(null);
  }

  /**
   * Does something in the cells' thread.
   *
   * @throws StoppedException where it was stopped
   */
  <T> T call(Callable<T> work) throws Exception {
    Future<T> result = cells.submit(() -> run(work));
    try {
      return result.get();
    } catch (ExecutionException e) {
      synchronized (lock) {
        if (isStopped) {
          throw new StoppedException();
        }
      }
      throw e.getCause() instanceof Exception exception ? exception : e;
    }
  }

  private <T> T run(Callable<T> work) throws Exception {
    synchronized (lock) {
      running = Thread.currentThread();
      isStopped = false;
    }
    try {
      before.run();
      return work.call();
    } finally {
      synchronized (lock) {
        running = null;
        Thread.interrupted();
      }
    }
  }

  /** Interrupts what runs, if anything; it may take no notice. */
  @Override
  public void stop() {
    synchronized (lock) {
      if (running != null) {
        isStopped = true;
        running.interrupt();
      }
    }
  }

  /** Ends what runs wherever it is: a loop without end does not ask. */
  @SuppressWarnings({"deprecation", "removal"}) // as JShell's own local execution does
  void kill() {
    synchronized (lock) {
      if (running != null) {
        isStopped = true;
        running.stop();
      }
    }
  }

  @Override
  public void close() {
    cells.shutdownNow();
  }
}
