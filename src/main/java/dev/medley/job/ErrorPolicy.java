package dev.medley.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.not;

import dev.medley.engine.RowError.Code;
import dev.medley.io.LoadException;
import dev.medley.job.JobConf.Output;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What a job does about rows in error, where they do not fail it one by one. Warnings are none.
 *
 * @param output where they go, in place of the others' output; null for the same
 * @param maxRate the job fails, and writes nothing, where more than this share of its rows is in
 *     error; 0 to 1
 */
record ErrorPolicy(Output output, double maxRate) {
  /** They stay where they are, however many. */
  static final ErrorPolicy NONE = new ErrorPolicy(null, 1);

  private static final Object[] WARNINGS =
      Arrays.stream(Code.values()).filter(Code::isWarning).map(Code::name).toArray();

  /**
   * Writes scored rows, each of which is scored once.
   *
   * @param all where rows go that are not in error, and the others where they have no output
   * @return whether anything was; not where something is there already, and is to stay
   * @throws LoadException where an output is taken, before a row is scored
   * @throws TooManyErrorsException for too large a share; then no output is begun
   */
  boolean write(Dataset<Row> scored, Output all) {
    if (all.mode().equals("ignore") && Rows.exist(all.path())) {
      return false;
    }
    if (equals(NONE)) {
      Rows.write(scored, all);
      return true;
    }
    checkFree(all);
    if (output != null) {
      checkFree(output);
    }
    try (Staging staging = Staging.of(scored, all.path())) {
      Dataset<Row> rows = staging.rows();
      checkRate(rows, all);
      if (output == null) {
        Rows.write(rows, all);
      } else {
        Column isError = isError(all);
        Rows.write(rows.filter(isError).drop(all.column()), output);
        Rows.write(rows.filter(not(isError)), all); // last: then the job is complete
      }
    }
    return true;
  }

  private static void checkFree(Output output) {
    if (output.mode().equals("error") && Rows.exist(output.path())) {
      throw new LoadException(
          output.path(), "expected nothing there, since mode = error, found files");
    }
  }

  private void checkRate(Dataset<Row> rows, Output all) {
    if (maxRate >= 1) {
      return;
    }
    Map<String, Long> codes = new TreeMap<>();
    long count = 0;
    for (Row code : rows.groupBy(code(all).as("code")).count().collectAsList()) {
      count += code.getLong(1);
      if (!code.isNullAt(0) && !Code.valueOf(code.getString(0)).isWarning()) {
        codes.put(code.getString(0), code.getLong(1));
      }
    }
    long errors = codes.values().stream().mapToLong(Long::longValue).sum();
    if (errors > maxRate * count) {
      throw new TooManyErrorsException(
          String.format(
              Locale.ROOT,
              "%d of %d rows are in error, a share of %.4f, and max-error-rate = %s: %s; nothing was"
                  + " written to %s",
              errors,
              count,
              (double) errors / count,
              maxRate,
              codes.entrySet().stream()
                  .map(code -> code.getKey() + " " + code.getValue())
                  .collect(Collectors.joining(", ")),
              all.path()));
    }
  }

  private static Column isError(Output all) {
    return coalesce(not(code(all).isin(WARNINGS)), lit(false));
  }

  private static Column code(Output all) {
    return col("`" + (all.column() + "_error").replace("`", "``") + "`").getField("code");
  }
}
