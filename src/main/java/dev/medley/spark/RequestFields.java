package dev.medley.spark;

import dev.medley.engine.Message;
import dev.medley.engine.Request;
import dev.medley.engine.RowError;
import dev.medley.engine.RowError.Code;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.StructType;

/**
 * Where a row holds what it asks for: indices of columns, -1 for none.
 *
 * @param role index in a message
 * @param content index in a message
 * @param adapterIsArray whether the adapter column holds arrays
 * @param key what tells it from others
 */
record RequestFields(
    int text,
    int messages,
    int role,
    int content,
    int completion,
    int seed,
    int adapter,
    boolean adapterIsArray,
    int key)
    implements Serializable {

  /** Of columns that fit the schema. */
  static RequestFields of(StructType in, ScoringColumns columns) {
    int messages = index(in, columns.messages());
    int adapter = index(in, columns.adapter());
    StructType message =
        messages < 0
            ? null
            : (StructType) ((ArrayType) in.apply(messages).dataType()).elementType();
    return new RequestFields(
        index(in, columns.text()),
        messages,
        message == null ? -1 : message.fieldIndex("role"),
        message == null ? -1 : message.fieldIndex("content"),
        index(in, columns.completion()),
        index(in, columns.seed()),
        adapter,
        adapter >= 0 && in.apply(adapter).dataType() instanceof ArrayType,
        index(in, columns.key()));
  }

  private static int index(StructType in, String column) {
    return column == null ? -1 : in.fieldIndex(column);
  }

  /** What a row asks for; a null that leaves nothing to ask for is the row's error. */
  Request request(Row row) {
    List<Message> chat = null;
    if (messages >= 0) {
      if (row.isNullAt(messages)) {
        return failed(Code.TEXT_NULL, "messages: expected an array, found null");
      }
      List<Row> rows = row.getList(messages);
      chat = new ArrayList<>();
      for (Row message : rows) {
        String missing = missing(message);
        if (missing != null) {
          return failed(Code.MESSAGES_UNFIT, "messages[" + chat.size() + "]" + missing);
        }
        chat.add(new Message(message.getString(role), message.getString(content)));
      }
    }
    if (completion >= 0 && row.isNullAt(completion)) {
      return failed(Code.TEXT_NULL, "completion: expected a string, found null");
    }
    return new Request(
        text < 0 ? null : row.getString(text),
        chat,
        completion < 0 ? null : row.getString(completion),
        seed < 0 || row.isNullAt(seed) ? null : row.<Number>getAs(seed).longValue(),
        adapters(row),
        null);
  }

  /** What a message lacks; null for nothing. */
  private String missing(Row message) {
    if (message == null) {
      return ": expected a message, found null";
    }
    if (message.isNullAt(role)) {
      return ".role: expected a string, found null";
    }
    return message.isNullAt(content) ? ".content: expected a string, found null" : null;
  }

  /** What its adapter column holds. */
  List<String> adapters(Row row) {
    if (adapter < 0 || row.isNullAt(adapter)) {
      return List.of();
    }
    return adapterIsArray
        ? new ArrayList<>(row.<String>getList(adapter))
        : List.of(row.getString(adapter));
  }

  /** What tells it from others; null where nothing does. */
  Object key(Row row) {
    return key < 0 ? null : row.get(key);
  }

  /** Of what a row asks for; the same in every JVM. */
  int hash(Row row) {
    int hash = 0;
    for (int field : new int[] {text, messages, completion, seed, adapter}) {
      hash = 31 * hash + (field < 0 || row.isNullAt(field) ? 0 : row.get(field).hashCode());
    }
    return hash;
  }

  private static Request failed(Code code, String message) {
    return Request.failed(new RowError(code, message));
  }
}
