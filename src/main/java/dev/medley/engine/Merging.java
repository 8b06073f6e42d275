package dev.medley.engine;

import java.io.Serializable;

/**
 * Whether what a set changes is added to the base's products or merged into weights of the set's
 * own. The results are the same; what it costs is not.
 *
 * @param memory most bytes that a task takes for merged weights
 */
public record Merging(Mode mode, long memory) implements Serializable {
  /** Whatever costs least, in at most 512 MiB. */
  public static final Merging AUTO = new Merging(Mode.AUTO, 512L << 20);

  /** How sets are applied. */
  public enum Mode {
    /** For each run of equal sets what costs least. */
    AUTO,
    /** Never merged: each slice's share is added to the base's product. */
    NEVER,
    /** Merged once for all batches of a run; by layer where memory does not suffice. */
    RUN,
    /** Merged anew for each product, in memory for one layer. */
    LAYER
  }

  /** Throws IllegalArgumentException for less than no memory. */
  public Merging {
    if (memory < 0) {
      throw new IllegalArgumentException("merge-memory: expected at least 0, got " + memory);
    }
  }

  /** The same in another mode. */
  public Merging with(Mode other) {
    return new Merging(other, memory);
  }

  /** The same with another limit of memory. */
  public Merging withMemory(long bytes) {
    return new Merging(mode, bytes);
  }
}
