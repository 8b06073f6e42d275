package dev.medley.job;

import dev.medley.io.LoadException;
import java.io.IOException;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Rows in a folder beside the output, written once and whole: however many outputs are made of
 * them, each row is computed once and looks the same to all. Spark's cache would not do, for what
 * an executor loses is computed anew, and may differ. The folder's name begins with {@code _}, so
 * that Spark passes over it; it is deleted when this is closed.
 */
final class Staging implements AutoCloseable {
  private final Path folder;
  private final Configuration conf;
  private final Dataset<Row> rows;

  private Staging(Dataset<Row> computed, Path folder) {
    this.folder = folder;
    this.conf = computed.sparkSession().sparkContext().hadoopConfiguration();
    try {
      computed.write().parquet(folder.toString());
      rows = computed.sparkSession().read().schema(computed.schema()).parquet(folder.toString());
    } catch (RuntimeException | Error e) {
      try {
        close();
      } catch (RuntimeException unclosed) {
        e.addSuppressed(unclosed);
      }
      throw e;
    }
  }

  /** Computes the rows, and writes them beside a folder. */
  static Staging of(Dataset<Row> rows, String output) {
    Path path = new Path(output);
    String name = "_" + path.getName() + "-" + UUID.randomUUID();
    return new Staging(rows, new Path(path.getParent(), name));
  }

  Dataset<Row> rows() {
    return rows;
  }

  @Override
  public void close() {
    try {
      folder.getFileSystem(conf).delete(folder, true);
    } catch (IOException e) {
      throw new LoadException(folder.toString(), "could not be deleted: " + e, e);
    }
  }
}
