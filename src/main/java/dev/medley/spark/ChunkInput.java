package dev.medley.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat_ws;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.monotonically_increasing_id;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.pmod;
import static org.apache.spark.sql.functions.unix_millis;
import static org.apache.spark.sql.functions.xxhash64;

import dev.medley.io.Location;
import dev.medley.io.Nearest;
import dev.medley.io.Sha256;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.execution.datasources.PartitioningAwareFileIndex;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructType;

/**
 * Files whose rows are told apart: by their file, the part of it that a task reads, and their place
 * in that; or by a key. Files are cut into the same parts whatever the number of cores.
 *
 * @param rows of the files alone
 * @param versions of the files: length and time of change by path, without a user in it
 * @param reading how files are read: the session's time zone, Spark's name of the format, options
 */
record ChunkInput(Dataset<Row> rows, Map<String, String> versions, String reading) {
  /** The smallest part that Spark would make of its own accord. */
  static final long PART_BYTES = 4 << 20;

  private static final String METADATA = "_metadata";
  private static final String TIME_ZONE = "spark.sql.session.timeZone";

  private static final Pattern USER = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/]*@");

  /** With more, a shuffle has too many blocks. */
  private static final int MOST_PARTITIONS = 10_000;

  /** A session like another that reads files part by part. */
  static SparkSession session(SparkSession like) {
    SparkSession session = like.newSession();
    scala.collection.Iterator<scala.Tuple2<String, String>> all = like.conf().getAll().iterator();
    while (all.hasNext()) {
      String key = all.next()._1();
      if (like.conf().isModifiable(key) || !key.startsWith("spark.")) {
        session.conf().set(key, like.conf().get(key));
      }
    }
    session.conf().set("spark.sql.files.maxPartitionBytes", PART_BYTES);
    session.conf().set("spark.sql.files.openCostInBytes", PART_BYTES); // else cores have a say
    return session;
  }

  /** Throws IllegalArgumentException where the rows are not those of files. */
  static ChunkInput of(Dataset<Row> rows) {
    Map<String, String> versions = new TreeMap<>();
    StringBuilder reading = new StringBuilder(rows.sparkSession().conf().get(TIME_ZONE));
    reading.append('\n'); // by which texts are times, and times are keys
    scala.collection.Iterator<LogicalPlan> leaves =
        rows.queryExecution().analyzed().collectLeaves().iterator();
    while (leaves.hasNext()) {
      if (leaves.next() instanceof LogicalRelation relation
          && relation.relation() instanceof HadoopFsRelation files
          && files.location() instanceof PartitioningAwareFileIndex index) {
        Map<String, String> options = new TreeMap<>();
        files.options().foreach(option -> options.put(option._1(), option._2()));
        options.remove("path");
        reading.append(files.fileFormat()).append(options).append('\n');
        scala.collection.Iterator<FileStatus> all = index.allFiles().iterator();
        while (all.hasNext()) {
          FileStatus file = all.next();
          versions.put(
              shown(file.getPath().toString()), file.getLen() + "-" + file.getModificationTime());
        }
      } else {
        throw new IllegalArgumentException("input: expected files, found another plan");
      }
    }
    return new ChunkInput(rows, versions, reading.toString());
  }

  /** All versions in one. */
  String version() {
    return Sha256.of(
        versions.entrySet().stream().map(Object::toString).collect(Collectors.joining("\n")));
  }

  /**
   * The rows with the columns that {@link Cursor} reads behind theirs, as the files hold them.
   *
   * @param left files that are not read, by their paths as in {@link #versions}
   */
  Dataset<Row> byPlace(Set<String> left) {
    Column metadata = rows.metadataColumn(METADATA);
    List<Column> columns = columns();
    Column path = metadata.getField("file_path");
    columns.add(path.as("medley_file"));
    columns.add(
        concat_ws(
                "-",
                metadata.getField("file_size").cast("string"),
                unix_millis(metadata.getField("file_modification_time")).cast("string"))
            .as("medley_version"));
    columns.add(metadata.getField("file_block_start").as("medley_start"));
    columns.add(lit(-1).as("medley_bucket"));
    List<String> encoded = left.stream().map(file -> new Path(file).toUri().toString()).toList();
    Dataset<Row> some = // Spark opens no others
        left.isEmpty() ? rows : rows.where(not(path.isInCollection(encoded)));
    return some.select(columns.toArray(Column[]::new));
  }

  /**
   * The same with all rows of a bucket together, sorted by key.
   *
   * @param buckets how many there are
   * @param wanted which of them are to be read
   */
  Dataset<Row> byKey(String key, int buckets, Collection<Integer> wanted) {
    Column column = key(key);
    Column bucket = pmod(xxhash64(column.cast("string")), lit((long) buckets)).cast("int");
    List<Column> columns = columns();
    columns.add(lit("").as("medley_file"));
    columns.add(lit(version()).as("medley_version"));
    columns.add(lit(0L).as("medley_start"));
    columns.add(bucket.as("medley_bucket"));
    Dataset<Row> some = wanted.size() == buckets ? rows : rows.where(bucket.isInCollection(wanted));
    columns.add(column.as("medley_key"));
    columns.add(monotonically_increasing_id().as("medley_order"));
    return some.select(columns.toArray(Column[]::new))
        .repartition(Math.max(1, Math.min(wanted.size(), MOST_PARTITIONS)), col("medley_bucket"))
        .sortWithinPartitions("medley_bucket", "medley_key", "medley_order")
        .drop("medley_key", "medley_order");
  }

  /** Throws IllegalArgumentException where there is no such column, or it holds no plain values. */
  void checkKey(String key) {
    StructType schema = rows.schema();
    List<String> names = List.of(schema.fieldNames());
    if (!names.contains(key)) {
      throw new IllegalArgumentException(
          "resume.key: expected a column of the input, found none named "
              + key
              + " among "
              + String.join(", ", names)
              + Nearest.name(key, names).map(near -> "; did you mean " + near + "?").orElse(""));
    }
    var type = schema.apply(key).dataType();
    if (type instanceof StructType || type instanceof ArrayType || type instanceof MapType) {
      throw new IllegalArgumentException(
          "resume.key: expected a column of plain values, found " + type.simpleString());
    }
  }

  private Column key(String key) {
    return rows.col("`" + key.replace("`", "``") + "`");
  }

  private List<Column> columns() {
    return Arrays.stream(rows.schema().fieldNames())
        .map(name -> rows.col("`" + name.replace("`", "``") + "`"))
        .collect(Collectors.toCollection(ArrayList::new));
  }

  /** Without the user of a URI, who may have a password. */
  static String shown(String path) {
    return USER.matcher(path).lookingAt() ? Location.of(path).toString() : path;
  }

  /** A path as Hadoop writes it; Spark's metadata has it as a URI, with blanks encoded. */
  private static String decoded(String path) {
    try {
      return new Path(new URI(path)).toString();
    } catch (URISyntaxException e) {
      return path;
    }
  }

  /** Which chunk rows belong to, as they come; for one task. */
  static final class Cursor {
    private final int first;
    private final int chunkRows;
    private String file;
    private long start;
    private long place;
    private int bucket = -1;
    private Chunk chunk;

    /**
     * At the start.
     *
     * @param first of the columns that tell
     */
    Cursor(int first, int chunkRows) {
      this.first = first;
      this.chunkRows = chunkRows;
    }

    /** The same object for rows of the same chunk. */
    Chunk chunk(Row row) {
      return row.getInt(first + 3) < 0 ? byPlace(row) : byKey(row);
    }

    private Chunk byPlace(Row row) {
      String path = row.getString(first);
      long from = row.getLong(first + 2);
      if (!path.equals(file) || from != start) {
        file = path;
        start = from;
        place = 0;
      }
      if (place++ % chunkRows == 0) {
        int piece = Math.toIntExact((place - 1) / chunkRows);
        chunk = Chunk.ofFile(shown(decoded(path)), row.getString(first + 1), start, piece);
      }
      return chunk;
    }

    private Chunk byKey(Row row) {
      if (row.getInt(first + 3) != bucket) {
        bucket = row.getInt(first + 3);
        chunk = Chunk.ofKeys(row.getString(first + 1), bucket);
      }
      return chunk;
    }
  }
}
