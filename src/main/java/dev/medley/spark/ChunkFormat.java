package dev.medley.spark;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.JobID;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.TaskID;
import org.apache.hadoop.mapreduce.TaskType;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;
import org.apache.spark.TaskContext;
import org.apache.spark.paths.SparkPath;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.datasources.FileFormat;
import org.apache.spark.sql.execution.datasources.OutputWriter;
import org.apache.spark.sql.execution.datasources.OutputWriterFactory;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.csv.CSVFileFormat;
import org.apache.spark.sql.execution.datasources.json.JsonFileFormat;
import org.apache.spark.sql.execution.datasources.orc.OrcFileFormat;
import org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.immutable.Map$;

/**
 * How tasks write and read single files: Spark's own formats, one file at a time, which the
 * DataFrameWriter has no way to ask for.
 *
 * @param reader of the columns that scoring adds; null where the format does not give them back as
 *     they were
 */
record ChunkFormat(
    OutputWriterFactory writers,
    StructType columns,
    SerializableConfiguration conf,
    Function1<PartitionedFile, Iterator<InternalRow>> reader)
    implements Serializable {

  /**
   * Of a format by Spark's name.
   *
   * @param columns to be written
   * @param added those of them that scoring adds
   * @throws org.apache.spark.sql.AnalysisException where the format cannot hold them
   */
  static ChunkFormat of(
      SparkSession session,
      String name,
      Map<String, String> options,
      StructType columns,
      StructType added) {
    FileFormat format = format(name);
    Catalyst.verify(format, columns);
    try {
      Job job = Job.getInstance(new Configuration(Scoring.hadoop(session)));
      job.setOutputKeyClass(Void.class);
      job.setOutputValueClass(InternalRow.class);
      OutputWriterFactory writers = format.prepareWrite(session, job, scala(options), columns);
      return new ChunkFormat(
          writers,
          columns,
          new SerializableConfiguration(job.getConfiguration()),
          name.equals("csv") ? null : reader(session, format, options, columns, added));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static FileFormat format(String name) {
    return switch (name) {
      case "parquet" -> new ParquetFileFormat();
      case "orc" -> new OrcFileFormat();
      case "json" -> new JsonFileFormat();
      case "csv" -> new CSVFileFormat();
      default -> throw new IllegalArgumentException("no output format: " + name);
    };
  }

  private static Function1<PartitionedFile, Iterator<InternalRow>> reader(
      SparkSession session,
      FileFormat format,
      Map<String, String> options,
      StructType columns,
      StructType added) {
    SparkSession rowByRow = session.newSession();
    rowByRow.conf().set("spark.sql.parquet.enableVectorizedReader", "false");
    rowByRow.conf().set("spark.sql.orc.enableVectorizedReader", "false");
    Map<String, String> strict = new HashMap<>(options);
    strict.put("mode", "FAILFAST"); // a damaged line would be a row without prediction and error
    return format.buildReaderWithPartitionValues(
        rowByRow,
        columns,
        new StructType(),
        added,
        ScalaLists.of(List.of()),
        scala(strict),
        Scoring.hadoop(session));
  }

  /** Begins a file. */
  OutputWriter write(Path file) {
    return writers.newInstance(file.toString(), columns, context());
  }

  /** Such as {@code .snappy.parquet}. */
  String extension() {
    return writers.getFileExtension(context());
  }

  /** The added columns of a file's rows, in their order; each row is the same object. */
  Iterator<InternalRow> read(FileStatus file) {
    return reader.apply(
        new PartitionedFile(
            InternalRow.empty(),
            SparkPath.fromPath(file.getPath()),
            0,
            file.getLen(),
            new String[0],
            file.getModificationTime(),
            file.getLen(),
            scala(Map.of())));
  }

  private TaskAttemptContext context() {
    TaskContext task = TaskContext.get();
    TaskID id = new TaskID(new JobID("medley", 0), TaskType.MAP, task.partitionId());
    return new TaskAttemptContextImpl(conf.value(), new TaskAttemptID(id, task.attemptNumber()));
  }

  @SuppressWarnings("unchecked") // Scala 2.13's updated has lost its types
  private static <V> scala.collection.immutable.Map<String, V> scala(Map<String, ? extends V> map) {
    scala.collection.immutable.Map<String, V> copy = Map$.MODULE$.empty();
    for (Map.Entry<String, ? extends V> entry : map.entrySet()) {
      copy = copy.updated(entry.getKey(), entry.getValue());
    }
    return copy;
  }
}
