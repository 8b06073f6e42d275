package dev.medley.spark;

import dev.medley.io.LoadException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/**
 * An output that is committed by chunks, on any Hadoop FileSystem.
 *
 * <pre>
 *   OUT/part-CHUNK-HASH.FORMAT                   rows of a committed chunk, and nothing else that readers see
 *   OUT/_SUCCESS                                 once all are there
 *   OUT/_medley/output.json                      what every run has to agree on
 *   OUT/_medley/chunks/CHUNK-HASH.keys           16 bytes a row: what its prediction follows from
 *   OUT/_medley/chunks/CHUNK-HASH.json           written last: the chunk is committed
 *   OUT/_medley/stale/part-CHUNK-HASH.FORMAT     rows to be replaced, whose predictions may serve again
 *   OUT/_medley/staging/                         what is being written
 *   OUT/_medley/claims/                          who is writing
 *   OUT/_medley/fingerprints.json                of the base and the adapters, by their files' versions
 *   OUT/_medley/finished.json                    the input of the last run that came to its end
 * </pre>
 *
 * A file comes into sight under its last name whole, by a rename: where that is a copy, as on
 * object stores, of a single object, which is whole or not there.
 */
final class ChunkFolder implements Serializable {
  private static final long serialVersionUID = 1L;

  static final String CHUNKS = "chunks";
  static final String STALE = "stale";
  static final String STAGING = "staging";
  static final String CLAIMS = "claims";
  static final String DATA = "part-";

  private static final Pattern OWN =
      Pattern.compile(DATA + "(empty|(key[0-9]{5,}|[0-9a-f]{20})-[0-9a-f]{16})\\..+");

  private final String root;
  private final SerializableConfiguration conf;

  ChunkFolder(String root, Configuration conf) {
    this.conf = new SerializableConfiguration(conf);
    Path path = new Path(root);
    this.root = attempt(path, () -> path.getFileSystem(conf).makeQualified(path)).toString();
  }

  /** Something that may fail as files do. */
  interface Action<T> {
    T run() throws IOException;
  }

  Configuration conf() {
    return conf.value();
  }

  /** Whether a file with rows is one that chunks are written to. */
  static boolean isOwn(String name) {
    return OWN.matcher(name).matches();
  }

  Path root() {
    return new Path(root);
  }

  /** Where readers look. */
  Path visible(String name) {
    return new Path(root, name);
  }

  /** Where readers do not look. */
  Path hidden(String... names) {
    Path path = new Path(root, "_medley");
    for (String name : names) {
      path = new Path(path, name);
    }
    return path;
  }

  FileSystem fileSystem() throws IOException {
    return new Path(root).getFileSystem(conf.value());
  }

  /** Files directly in a folder by their names; none where there is no folder. */
  Map<String, FileStatus> list(Path folder) {
    return attempt(
        folder,
        () -> {
          Map<String, FileStatus> files = new HashMap<>();
          try {
            for (FileStatus status : fileSystem().listStatus(folder)) {
              files.put(status.getPath().getName(), status);
            }
          } catch (FileNotFoundException e) {
            return files;
          }
          return files;
        });
  }

  /** A small file; empty where there is none. */
  Optional<byte[]> read(Path file) {
    return attempt(
        file,
        () -> {
          try (FSDataInputStream in = fileSystem().open(file)) {
            return Optional.of(in.readAllBytes());
          } catch (FileNotFoundException e) {
            return Optional.empty();
          }
        });
  }

  Optional<String> readText(Path file) {
    return read(file).map(bytes -> new String(bytes, StandardCharsets.UTF_8));
  }

  /** Writes a small file so that it is there whole or not at all, in place of an older one. */
  void write(Path file, byte[] bytes) {
    attempt(
        file,
        () -> {
          Path half = staging();
          try (FSDataOutputStream out = fileSystem().create(half, true)) {
            out.write(bytes);
          }
          fileSystem().delete(file, false); // where a rename does not replace
          return move(half, file);
        });
  }

  void write(Path file, String text) {
    write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /** A new name. */
  Path staging() {
    return hidden(STAGING, java.util.UUID.randomUUID().toString());
  }

  /**
   * Gives a file its last name, if no file has it yet: else the same was done by another attempt of
   * the same task, whose file stays.
   */
  FileStatus commit(Path staged, Path file) {
    return attempt(
        file,
        () -> {
          FileSystem files = fileSystem();
          if (files.exists(file)) {
            files.delete(staged, false);
          } else if (!files.rename(staged, file) && !files.exists(file)) {
            throw new IOException("could not be renamed from " + staged);
          }
          return files.getFileStatus(file);
        });
  }

  boolean move(Path from, Path to) {
    return attempt(
        to,
        () -> {
          fileSystem().mkdirs(to.getParent());
          if (!fileSystem().rename(from, to)) {
            throw new IOException("could not be renamed from " + from);
          }
          return true;
        });
  }

  /** A file, or a folder with all in it; none is fine. */
  void delete(Path path) {
    attempt(path, () -> fileSystem().delete(path, true));
  }

  /** Throws LoadException with the path in place of IOException. */
  static <T> T attempt(Path path, Action<T> action) {
    try {
      return action.run();
    } catch (IOException | UncheckedIOException e) {
      throw new LoadException(path.toString(), "could not be read or written: " + e, e);
    }
  }
}
