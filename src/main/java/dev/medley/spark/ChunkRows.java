package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import dev.medley.engine.RowError.Code;
import dev.medley.io.Storage;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.CollectionAccumulator;
import org.apache.spark.util.LongAccumulator;

/**
 * Rows of the chunks that are not done, in their order, with predictions: those that an older state
 * of their chunk has under the same key, and for all others what the model says.
 *
 * @param plan a {@link ChunkPlan} as bytes
 * @param old how older states are read; its reader is null where they cannot be
 * @param inputs how many columns the input has; {@link ChunkInput}'s come behind them
 * @param added the columns that scoring adds
 * @param error which of them says what is wrong with a row
 * @param fingerprints gets those of adapters that a task had to take, as {@code version=hash}
 */
record ChunkRows(
    Broadcast<byte[]> plan,
    ScorePartition score,
    ChunkFolder folder,
    ChunkFormat old,
    int inputs,
    StructType added,
    RowBytes addedBytes,
    int error,
    LongAccumulator reused,
    CollectionAccumulator<String> fingerprints)
    implements MapPartitionsFunction<Row, Row> {
  /** Behind the columns that are written. */
  static final StructType NOTES =
      new StructType()
          .add("medley_chunk", DataTypes.StringType)
          .add("medley_key", DataTypes.BinaryType)
          .add("medley_set", DataTypes.StringType);

  /** In messages about adapters that nobody has found fault with: storage or the Hub failed. */
  private static final Pattern PASSING =
      Pattern.compile(
          "could not be (read|kept in|put into|reached|looked up)|interrupted while"
              + "|forbids to ask the Hub|expected a list of its files"
              + "|expected a file, found none|start the job again");

  /** How many rows with known predictions may wait for one that is being scored. */
  private static final int MOST_WAITING = 10_000;

  /** Whether an error is one of storage or of a device, not of what is stored and asked. */
  static boolean mayPass(String code, String message) {
    return code.equals(Code.DEVICE_OUT_OF_MEMORY.name())
        || code.equals(Code.ADAPTER_UNFIT.name()) && PASSING.matcher(message).find();
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    if (!rows.hasNext()) {
      return Collections.emptyIterator();
    }
    return new Merged(rows, JavaBytes.read(plan.value(), ChunkPlan.class));
  }

  /**
   * A row on its way.
   *
   * @param index its place in the partition
   * @param known its prediction's columns; null where it is being scored
   */
  private record Waiting(
      Row row, long index, String chunk, byte[] key, SetFingerprints.Set set, Object[] known) {}

  private final class Merged implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final ChunkPlan plan;
    private final ChunkInput.Cursor cursor;
    private final SetFingerprints sets;
    private final RowKeys keys;

    /** Commits of chunks since the run began, where this is not a task's first attempt. */
    private final Map<String, String> ofOtherAttempts;

    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private Iterator<Row> scored = Collections.emptyIterator();
    private int known;
    private long read;

    /** Of the engine's run. */
    private long scoredRows;

    /** Of the chunk that the last row was of. */
    private Chunk chunk;

    private String chunkText;
    private boolean skipped;
    private OldPredictions predictions;

    Merged(Iterator<Row> rows, ChunkPlan plan) {
      this.rows = rows;
      this.plan = plan;
      cursor = new ChunkInput.Cursor(inputs, plan.chunkRows());
      keys = new RowKeys(plan.model());
      SharedSpec shared = SharedSpec.of(score.shared().value());
      EngineSpec spec = shared.spec();
      Storage storage = ExecutorEngines.OF_THIS_JVM.storage(shared.hadoop().value());
      sets = new SetFingerprints(spec, plan.keys(), storage, new Noted(plan.fingerprints()));
      ofOtherAttempts = TaskContext.get().attemptNumber() > 0 || isAgain() ? committed() : Map.of();
    }

    private boolean isAgain() {
      return TaskContext.get().stageAttemptNumber() > 0;
    }

    /** Names of new commits by their chunk's id. */
    private Map<String, String> committed() {
      Set<String> files = folder.list(folder.hidden(ChunkFolder.CHUNKS)).keySet();
      return ChunkStates.names(files).stream()
          .filter(commit -> !plan.commits().contains(commit))
          .collect(
              Collectors.toMap(
                  commit -> commit.substring(0, commit.lastIndexOf('-')),
                  commit -> commit,
                  (one, other) -> one));
    }

    /** Whether another attempt of this task has committed a chunk. */
    private boolean isCommitted(String id) {
      String name = ofOtherAttempts.get(id);
      return name != null
          && ChunkStates.read(folder, List.of(name)).stream()
              .anyMatch(commit -> commit.run().equals(plan.run()));
    }

    @Override
    public boolean hasNext() {
      while (waiting.isEmpty()) {
        if (!scored.hasNext() && waiting.isEmpty()) {
          if (!rows.hasNext()) {
            return false;
          }
          scored = score.call(new Unknown());
          scoredRows = 0;
        }
      }
      return true;
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Waiting head = waiting.peek();
      Object[] values = new Object[inputs + added.size() + NOTES.size()];
      for (int i = 0; i < inputs; i++) {
        values[i] = head.row.get(i);
      }
      byte[] key = head.key;
      if (head.known == null) {
        Row result = scored();
        for (int i = 0; i < added.size(); i++) {
          values[inputs + i] = result.get(head.row.size() + i);
        }
        boolean mayPass =
            values[inputs + error] instanceof Row wrong
                && mayPass(wrong.getString(0), wrong.getString(1));
        key = mayPass ? RowKeys.unsure() : key;
      } else {
        System.arraycopy(head.known, 0, values, inputs, added.size());
        known--;
        reused.add(1L);
      }
      waiting.remove();
      int notes = inputs + added.size();
      values[notes] = head.chunk;
      values[notes + 1] = key;
      values[notes + 2] = head.set.fingerprint() + " " + head.set.raw();
      return RowFactory.create(values);
    }

    /** The next result of the engine. */
    private Row scored() {
      try {
        Row result = scored.next();
        scoredRows++;
        return result;
      } catch (ScoringException e) {
        long index =
            waiting.stream()
                .filter(row -> row.known == null)
                .skip(e.row() - scoredRows)
                .findFirst()
                .map(Waiting::index)
                .orElse(-1L);
        throw e.at(TaskContext.getPartitionId(), index);
      }
    }

    private void enter(Chunk next) {
      if (next == chunk) {
        return;
      }
      chunk = next;
      chunkText = next.toText();
      skipped = plan.done().contains(next.id()) || isCommitted(next.id());
      predictions =
          skipped
              ? OldPredictions.NONE
              : OldPredictions.of(folder, old, plan.stale().get(next.id()), addedBytes, added);
    }

    /** The rows that have to be scored, a run of the engine at a time. */
    private final class Unknown implements Iterator<Row> {
      private Row row;

      @Override
      public boolean hasNext() {
        while (row == null && known < MOST_WAITING && rows.hasNext()) {
          Row next = rows.next();
          read++;
          enter(cursor.chunk(next));
          if (!skipped) {
            SetFingerprints.Set set = sets.of(score.fields().adapters(next));
            byte[] key =
                set.isSure()
                    ? keys.of(set.fingerprint(), score.fields().request(next))
                    : RowKeys.unsure();
            Object[] prediction = predictions.get(key);
            waiting.add(new Waiting(next, read - 1, chunkText, key, set, prediction));
            if (prediction == null) {
              row = next;
            } else {
              known++;
            }
          }
        }
        return row != null;
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        Row next = row;
        row = null;
        return next;
      }
    }

    /** Fingerprints from before, of this JVM, and new ones, of which the driver is told. */
    private final class Noted extends HashMap<String, String> {
      private static final long serialVersionUID = 1L;

      Noted(Map<String, String> known) {
        super(known);
      }

      @Override
      public String get(Object version) {
        String found = super.get(version);
        return found == null ? ExecutorEngines.OF_THIS_JVM.fingerprints().get(version) : found;
      }

      @Override
      public String put(String version, String fingerprint) {
        ExecutorEngines.OF_THIS_JVM.fingerprints().put(version, fingerprint);
        fingerprints.add(version + "=" + fingerprint);
        return super.put(version, fingerprint);
      }
    }
  }
}
