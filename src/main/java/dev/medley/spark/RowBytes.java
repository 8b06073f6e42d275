package dev.medley.spark;

import java.io.Serializable;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.encoders.ExpressionEncoder;
import org.apache.spark.sql.catalyst.encoders.RowEncoder;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.Platform;

/**
 * Rows as bytes and back, in Spark's own form. Java's serialisation would write a schema beside
 * each.
 */
final class RowBytes implements Serializable {
  private static final long serialVersionUID = 1L;

  private final ExpressionEncoder<Row> encoder;
  private final int fields;

  /** Dates and times are of the classes that the active session asks for. */
  RowBytes(StructType schema) {
    ExpressionEncoder<Row> unbound = ExpressionEncoder.apply(RowEncoder.encoderFor(schema));
    encoder =
        unbound.resolveAndBind(
            unbound.resolveAndBind$default$1(), unbound.resolveAndBind$default$2());
    fields = schema.size();
  }

  /** For one task. */
  Writer writer() {
    return new Writer();
  }

  /** For one task. */
  Reader reader() {
    return new Reader();
  }

  final class Writer {
    private final ExpressionEncoder.Serializer<Row> serializer = encoder.createSerializer();

    byte[] write(Row row) {
      UnsafeRow written = (UnsafeRow) serializer.apply(row); // the same one each time
      byte[] bytes = new byte[written.getSizeInBytes()];
      written.writeToMemory(bytes, Platform.BYTE_ARRAY_OFFSET);
      return bytes;
    }
  }

  final class Reader {
    private final ExpressionEncoder.Deserializer<Row> deserializer = encoder.createDeserializer();

    Row read(byte[] bytes) {
      UnsafeRow row = new UnsafeRow(fields);
      row.pointTo(bytes, bytes.length);
      return deserializer.apply(row);
    }
  }
}
