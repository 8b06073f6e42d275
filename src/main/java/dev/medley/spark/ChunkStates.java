package dev.medley.spark;

import dev.medley.engine.InParallel;
import dev.medley.io.LoadException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.hadoop.fs.FileStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What earlier runs have left in an output.
 *
 * @param done commits of chunks that stay as they are, by the chunk's id
 * @param stale commits of all others, whose predictions may serve again
 * @param names of all commits, readable or not
 */
record ChunkStates(Map<String, ChunkCommit> done, List<ChunkCommit> stale, Set<String> names) {
  private static final Logger LOG = LoggerFactory.getLogger(ChunkStates.class);
  private static final String JSON = ".json";

  /** All commits whose data and keys are there whole; what is not is as if it had never been. */
  static List<ChunkCommit> whole(ChunkFolder folder) {
    Map<String, FileStatus> visible = folder.list(folder.root());
    Map<String, FileStatus> stale = folder.list(folder.hidden(ChunkFolder.STALE));
    Map<String, FileStatus> chunks = folder.list(folder.hidden(ChunkFolder.CHUNKS));
    List<ChunkCommit> whole = new ArrayList<>();
    for (ChunkCommit commit : read(folder, names(chunks.keySet()))) {
      if (length(chunks.get(commit.name() + ".keys")) == commit.rows() * RowKeys.LENGTH
          && (length(visible.get(commit.data())) == commit.bytes()
              || length(stale.get(commit.data())) == commit.bytes())) {
        whole.add(commit);
      } else {
        LOG.warn(
            "{} is not as it was committed; its rows are scored again",
            folder.visible(commit.data()));
      }
    }
    return whole;
  }

  /**
   * Tells which chunks stay.
   *
   * @param fits whether a chunk is as it would be if it were made now
   */
  static ChunkStates of(ChunkFolder folder, List<ChunkCommit> whole, Predicate<ChunkCommit> fits) {
    Set<String> visible = folder.list(folder.root()).keySet();
    Set<String> chunks = folder.list(folder.hidden(ChunkFolder.CHUNKS)).keySet();
    Map<String, ChunkCommit> done = new HashMap<>();
    List<ChunkCommit> stale = new ArrayList<>();
    for (ChunkCommit commit : whole) {
      boolean stays = visible.contains(commit.data()) && fits.test(commit);
      if (!stays || done.putIfAbsent(commit.chunk().id(), commit) != null) {
        stale.add(commit);
      }
    }
    return new ChunkStates(done, stale, new HashSet<>(names(chunks)));
  }

  /** Those that can be read, of their names. */
  static List<ChunkCommit> read(ChunkFolder folder, List<String> names) {
    return InParallel.map(names, name -> read(folder, name)).stream()
        .filter(Objects::nonNull)
        .toList();
  }

  private static ChunkCommit read(ChunkFolder folder, String name) {
    var file = folder.hidden(ChunkFolder.CHUNKS, name + JSON);
    try {
      return folder
          .readText(file)
          .map(text -> ChunkCommit.parse(name, text, file.toString()))
          .orElse(null);
    } catch (LoadException e) {
      LOG.warn("{}; the rows of that chunk are scored again", e.getMessage());
      return null;
    }
  }

  /** Names of commits among those of files. */
  static List<String> names(Set<String> files) {
    return files.stream()
        .filter(name -> name.endsWith(JSON) && !name.startsWith("."))
        .map(name -> name.substring(0, name.length() - JSON.length()))
        .sorted()
        .toList();
  }

  private static long length(FileStatus file) {
    return file == null ? -1 : file.getLen();
  }
}
