package dev.medley.spark;

import dev.medley.io.LoadException;
import dev.medley.io.Sha256;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.execution.datasources.OutputWriter;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Writes rows chunk by chunk and commits each: keys, then data, then the commit. Another attempt of
 * the same task gives its files the same names, so that each is there once whoever comes first.
 *
 * @param run that this is of
 * @param model fingerprint of the base, the task and its options
 * @param schema fingerprint of the columns
 */
record ChunkWriter(ChunkFolder folder, ChunkFormat format, String run, String model, String schema)
    implements FlatMapFunction<Iterator<InternalRow>, String> {
  private static final int HASH = 16;

  /** The names of the commits, each with its file of the input and the data's name behind it. */
  @Override
  public Iterator<String> call(Iterator<InternalRow> rows) throws Exception {
    List<String> commits = new ArrayList<>();
    int columns = format.columns().size();
    UTF8String chunk = null;
    Open open = null;
    try {
      while (rows.hasNext()) {
        InternalRow row = rows.next();
        UTF8String next = row.getUTF8String(columns);
        if (!next.equals(chunk)) {
          if (open != null) {
            commits.add(open.commit());
          }
          chunk = next.clone();
          open = new Open(Chunk.parse(chunk.toString()));
        }
        open.write(row);
      }
      if (open != null) {
        commits.add(open.commit());
      }
      return commits.iterator();
    } finally {
      if (open != null) {
        open.close();
      }
    }
  }

  /** A chunk that is being written. */
  private final class Open implements AutoCloseable {
    private final Chunk chunk;
    private final Path staged = folder.staging();
    private final OutputWriter writer;
    private final UnsafeProjection data;
    private final ByteArrayOutputStream keys = new ByteArrayOutputStream();
    private final Set<UTF8String> sets = new HashSet<>();
    private long rows;
    private long unsure;
    private boolean closed;
    private boolean committed;

    Open(Chunk chunk) {
      this.chunk = chunk;
      data =
          UnsafeProjection.create(
              Arrays.stream(format.columns().fields())
                  .map(StructField::dataType)
                  .toArray(DataType[]::new));
      writer = format.write(staged);
    }

    void write(InternalRow row) {
      int columns = format.columns().size();
      writer.write(data.apply(row));
      byte[] key = row.getBinary(columns + 1);
      keys.writeBytes(key);
      UTF8String set = row.getUTF8String(columns + 2);
      if (!sets.contains(set)) {
        sets.add(set.clone());
      }
      rows++;
      unsure += RowKeys.isUnsure(key) ? 1 : 0;
    }

    String commit() {
      closed = true;
      writer.close();
      TaskContext.get().killTaskIfInterrupted();
      String state = String.join("\n", model, schema, chunk.version());
      String hash = HexFormat.of().formatHex(keys.toByteArray());
      String name = chunk.id() + "-" + Sha256.of(state + hash).substring(0, HASH);
      String file = ChunkFolder.DATA + name + format.extension();
      String done = name + "\n" + file + "\n" + chunk.file();
      Path note = folder.hidden(ChunkFolder.CHUNKS, name + ".json");
      if (isOfThisRun(name, note)) {
        return done; // by another attempt, whose files nobody may take away for a moment
      }
      folder.write(folder.hidden(ChunkFolder.CHUNKS, name + ".keys"), keys.toByteArray());
      FileStatus status = folder.commit(staged, folder.visible(file));
      committed = true;
      ChunkCommit commit =
          new ChunkCommit(
              name, chunk, run, file, status.getLen(), rows, model, schema, unsure, sets());
      folder.write(note, commit.toJson());
      return done;
    }

    private boolean isOfThisRun(String name, Path note) {
      try {
        return folder
            .readText(note)
            .filter(text -> ChunkCommit.parse(name, text, note.toString()).run().equals(run))
            .isPresent();
      } catch (LoadException e) {
        return false; // a damaged one of another run
      }
    }

    /** Fingerprints by what the adapter column holds. */
    private Map<String, String> sets() {
      Map<String, String> fingerprints = new TreeMap<>();
      for (UTF8String set : sets) {
        String text = set.toString();
        int blank = text.indexOf(' ');
        fingerprints.put(text.substring(blank + 1), text.substring(0, blank));
      }
      return fingerprints;
    }

    /** Leaves nothing behind that is not committed. */
    @Override
    public void close() {
      try {
        if (!closed) {
          closed = true;
          writer.close();
        }
      } finally {
        if (!committed) {
          folder.delete(staged);
        }
      }
    }
  }
}
