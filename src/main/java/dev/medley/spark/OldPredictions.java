package dev.medley.spark;

import dev.medley.io.LoadException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What older states of a chunk predicted, by row key. A state that cannot be read has none, so that
 * its rows are scored again. For one thread.
 */
final class OldPredictions {
  private static final Logger LOG = LoggerFactory.getLogger(OldPredictions.class);

  static final OldPredictions NONE = new OldPredictions(null);

  private final RowBytes.Reader reader;
  private final Map<ByteBuffer, byte[]> rows = new HashMap<>();

  private OldPredictions(RowBytes.Reader reader) {
    this.reader = reader;
  }

  /**
   * Reads them.
   *
   * @param states null for none
   */
  static OldPredictions of(
      ChunkFolder folder,
      ChunkFormat format,
      List<ChunkPlan.Stale> states,
      RowBytes bytes,
      StructType added) {
    if (states == null || format.reader() == null) {
      return NONE;
    }
    OldPredictions old = new OldPredictions(bytes.reader());
    for (ChunkPlan.Stale state : states) {
      Path data = folder.hidden(ChunkFolder.STALE, state.data());
      try {
        old.rows.putAll(read(folder, format, state, data, added));
      } catch (Exception e) { // Spark throws checked exceptions that it does not declare
        LOG.warn("{} cannot be read, its rows are scored again: {}", data, e.toString());
      }
    }
    return old;
  }

  private static Map<ByteBuffer, byte[]> read(
      ChunkFolder folder, ChunkFormat format, ChunkPlan.Stale state, Path data, StructType added) {
    byte[] keys =
        folder
            .read(folder.hidden(ChunkFolder.CHUNKS, state.commit() + ".keys"))
            .orElseThrow(() -> new LoadException(state.commit(), "expected its keys, found none"));
    FileStatus file = ChunkFolder.attempt(data, () -> folder.fileSystem().getFileStatus(data));
    UnsafeProjection copy = UnsafeProjection.create(added);
    Map<ByteBuffer, byte[]> rows = new HashMap<>();
    int row = 0;
    scala.collection.Iterator<InternalRow> found = format.read(file);
    while (found.hasNext()) {
      byte[] prediction = copy.apply(found.next()).getBytes().clone();
      byte[] key = Arrays.copyOfRange(keys, row * RowKeys.LENGTH, ++row * RowKeys.LENGTH);
      if (!RowKeys.isUnsure(key)) {
        rows.put(ByteBuffer.wrap(key), prediction);
      }
    }
    if (row * RowKeys.LENGTH != keys.length) {
      throw new LoadException(
          data.toString(), "expected " + keys.length / RowKeys.LENGTH + " rows, found " + row);
    }
    return rows;
  }

  /** The columns that scoring adds; null where nobody knows them. */
  Object[] get(byte[] key) {
    byte[] row = rows.get(ByteBuffer.wrap(key));
    if (row == null) {
      return null;
    }
    Row columns = reader.read(row);
    Object[] values = new Object[columns.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = columns.get(i);
    }
    return values;
  }
}
