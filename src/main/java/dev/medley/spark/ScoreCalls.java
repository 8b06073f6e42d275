package dev.medley.spark;

import dev.medley.engine.Request;
import dev.medley.engine.Result;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.stream.Stream;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * What a {@link ScoreExec}'s task does with its partition: the calls of a row follow each other, so
 * that all of them fill the same batches.
 *
 * @param output types of all columns that come out
 */
record ScoreCalls(
    Broadcast<byte[]> shared, CallInput[] calls, DataType[] output, ScoreMetrics metrics)
    implements FlatMapFunction<Iterator<InternalRow>, InternalRow> {

  /** One call of a row. */
  private record Asked(InternalRow row, Request request) {}

  private record Answered(InternalRow row, Result result) {}

  @Override
  public Iterator<InternalRow> call(Iterator<InternalRow> rows) {
    return new Scored(
        ScoredRows.of(
            shared,
            new AllAsked(rows),
            Asked::request,
            (asked, result) -> new Answered(asked.row, result),
            asked -> null,
            (task, device) -> metrics));
  }

  private final class AllAsked implements Iterator<Asked> {
    private final Iterator<InternalRow> rows;
    private final CallInput.Reader[] readers =
        Stream.of(calls).map(CallInput::reader).toArray(CallInput.Reader[]::new);
    private InternalRow row;
    private int next = calls.length;

    AllAsked(Iterator<InternalRow> rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      return next < readers.length || rows.hasNext();
    }

    @Override
    public Asked next() {
      if (next == readers.length) {
        row = rows.next().copy(); // Spark writes the next one into the same
        next = 0;
      }
      return new Asked(row, readers[next++].request(row));
    }
  }

  private final class Scored implements Iterator<InternalRow> {
    private final Iterator<Answered> answers;
    private final UnsafeProjection projection = UnsafeProjection.create(output);
    private final JoinedRow joined = new JoinedRow();

    Scored(Iterator<Answered> answers) {
      this.answers = answers;
    }

    @Override
    public boolean hasNext() {
      return answers.hasNext();
    }

    @Override
    public InternalRow next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      InternalRow row = null;
      Object[] results = new Object[calls.length];
      for (int i = 0; i < results.length; i++) {
        Answered answer = answers.next();
        row = answer.row;
        results[i] =
            new GenericInternalRow(
                new Object[] {
                  internal(PredictionColumns.value(answer.result.prediction())),
                  internal(PredictionColumns.value(answer.result.error()))
                });
      }
      return projection.apply(joined.apply(row, new GenericInternalRow(results)));
    }
  }

  /** What rows of a Dataset hold, as Spark holds it inside. */
  private static Object internal(Object value) {
    if (value instanceof Row row) {
      Object[] fields = new Object[row.size()];
      for (int i = 0; i < fields.length; i++) {
        fields[i] = internal(row.get(i));
      }
      return new GenericInternalRow(fields);
    }
    if (value instanceof Object[] elements) {
      return new GenericArrayData(Stream.of(elements).map(ScoreCalls::internal).toArray());
    }
    if (value instanceof float[] numbers) {
      return UnsafeArrayData.fromPrimitiveArray(numbers);
    }
    if (value instanceof int[] numbers) {
      return UnsafeArrayData.fromPrimitiveArray(numbers);
    }
    return value instanceof String text ? UTF8String.fromString(text) : value;
  }
}
