package dev.medley.engine;

import dev.medley.io.Location;

/**
 * A file of a saved set's member, whose hash the set has.
 *
 * @param file of weights in shards their index
 * @param key that the hash has in {@code mixed_set.json}
 * @param expected hash from when the set was saved; null for no such file
 * @param found hash of now; null for no such file
 */
public record PinnedFile(Location file, String key, String expected, String found) {

  /** Whether it is no longer what the set was put together of. */
  public boolean hasChanged() {
    return expected == null ? found != null : !expected.equals(found);
  }

  /** How it has changed, and what to do. */
  public String problem() {
    return file
        + ": "
        + key
        + ": expected "
        + (expected == null ? "no such file" : expected)
        + ", found "
        + (found == null ? "no such file" : found)
        + "; the file has changed since the set was saved";
  }
}
