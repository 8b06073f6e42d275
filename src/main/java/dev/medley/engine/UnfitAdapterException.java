package dev.medley.engine;

import dev.medley.io.LoadException;
import java.util.List;

/**
 * An adapter whose file and config do not fit each other or the base. PEFT loads such an adapter
 * all the same and returns the keys, which few look at.
 */
public final class UnfitAdapterException extends LoadException {
  private static final long serialVersionUID = 1L;

  private final transient LoadResult loadResult;

  UnfitAdapterException(String where, List<String> problems, LoadResult loadResult) {
    super(where, problems);
    this.loadResult = loadResult;
  }

  /** What PEFT would have returned. */
  public LoadResult loadResult() {
    return loadResult;
  }
}
