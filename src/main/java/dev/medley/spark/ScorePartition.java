package dev.medley.spark;

import dev.medley.engine.Result;
import java.util.Iterator;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * What a task does with its partition.
 *
 * @param fields of its rows
 * @param counters null for none
 */
record ScorePartition(Broadcast<byte[]> shared, RequestFields fields, ScoringCounters counters)
    implements MapPartitionsFunction<Row, Row> {

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    ScoringObserver.Start observer = counters == null ? ScoringObserver.NONE : counters::ofTask;
    return ScoredRows.of(
        shared, rows, fields::request, ScorePartition::scored, fields::key, observer);
  }

  private static Row scored(Row row, Result result) {
    boolean isTraced = result.lineage() != null;
    Object[] values = new Object[row.size() + (isTraced ? 3 : 2)];
    for (int i = 0; i < row.size(); i++) {
      values[i] = row.get(i);
    }
    values[row.size()] = PredictionColumns.value(result.prediction());
    values[row.size() + 1] = PredictionColumns.value(result.error());
    if (isTraced) {
      values[row.size() + 2] = PredictionColumns.value(result.lineage());
    }
    return RowFactory.create(values);
  }
}
