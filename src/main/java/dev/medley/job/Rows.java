package dev.medley.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.to_json;

import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.job.JobConf.Format;
import dev.medley.job.JobConf.Input;
import dev.medley.job.JobConf.Output;
import java.io.IOException;
import java.util.Arrays;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Rows from files and to files. */
final class Rows {
  private Rows() {}

  static Dataset<Row> read(SparkSession spark, Input input) {
    return spark
        .read()
        .format(input.format().toString())
        .options(input.options())
        .load(input.path());
  }

  /** Whether anything is at a path or matches a pattern, where Spark would look for it. */
  static boolean exist(String pathOrPattern) {
    try {
      Path path = new Path(pathOrPattern);
      FileStatus[] found = path.getFileSystem(Session.hadoop()).globStatus(path);
      return found != null && found.length > 0;
    } catch (IOException e) {
      throw new LoadException(Location.shown(pathOrPattern), "could not be looked up: " + e, e);
    }
  }

  /** CSV cannot nest: there, structs, arrays and maps are JSON in a string. */
  static void write(Dataset<Row> rows, Output output) {
    flat(rows, output)
        .write()
        .format(output.format().toString())
        .mode(output.mode())
        .options(output.options())
        .save(output.path());
  }

  /** Columns as the output's format can hold them. */
  static Dataset<Row> flat(Dataset<Row> rows, Output output) {
    return output.format() == Format.CSV ? rows.select(flat(rows.schema())) : rows;
  }

  private static Column[] flat(StructType schema) {
    return Arrays.stream(schema.fields())
        .map(
            field -> {
              Column column = col("`" + field.name().replace("`", "``") + "`");
              return isNested(field) ? to_json(column).as(field.name()) : column;
            })
        .toArray(Column[]::new);
  }

  private static boolean isNested(StructField field) {
    DataType type = field.dataType();
    return type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
  }
}
