package dev.medley.spark;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a run's tasks have to know of what is there already.
 *
 * @param run the run's own id
 * @param model fingerprint of the base, the task and its options
 * @param schema fingerprint of the columns
 * @param chunkRows most rows of a chunk where there is no key
 * @param done ids of chunks that stay as they are
 * @param commits names of all commits from before the run
 * @param stale files with predictions that may serve again, by the id of the chunk
 * @param fingerprints of adapters, as {@link SetFingerprints} has them
 */
record ChunkPlan(
    String run,
    String model,
    String schema,
    int chunkRows,
    SetKeys keys,
    Set<String> done,
    Set<String> commits,
    Map<String, List<Stale>> stale,
    Map<String, String> fingerprints)
    implements Serializable {

  /**
   * An older state of a chunk.
   *
   * @param commit its name
   * @param data the file's name in {@link ChunkFolder#STALE}
   */
  record Stale(String commit, String data) implements Serializable {}
}
