package dev.medley.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.engine.BaseModel;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.Validation;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import dev.medley.spark.ChunkPlan.Stale;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * Scores the rows of files into a folder of files, chunk by chunk, so that a run that was killed
 * can be started again and goes on. A chunk that was committed is scored again only where its rows,
 * the base, the task's options, or an adapter that one of its rows names are others by now; then
 * the rows of which that is not so keep their predictions to the bit.
 */
public final class ChunkedScoring {
  /** To be raised by a release whose predictions differ by more than rounding. */
  private static final int PREDICTIONS = 1;

  private static final String SUCCESS = "_SUCCESS";
  private static final String FINISHED = "finished.json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final SparkSession session;
  private final ChunkFolder folder;
  private final ChunkedOutput output;
  private final ChunkInput input;
  private final EngineSpec spec;
  private final ScoringColumns columns;
  private final ScoringCounters counters;
  private final Function<Dataset<Row>, Dataset<Row>> flat;
  private final Fingerprints fingerprints;
  private final LongAccumulator reused;
  private final String run = UUID.randomUUID().toString();
  private final StructType out;
  private final StructType written;
  private final Storage storage;

  /**
   * What a run has done.
   *
   * @param keptRows rows of chunks that stayed as they were, and of those that an attempt has
   *     committed whose task was done again: its counters are lost
   * @param reusedRows rows of other chunks whose predictions stayed
   * @param keptChunks chunks that stayed as they were
   * @param writtenChunks chunks that did not
   */
  public record Outcome(long keptRows, long reusedRows, long keptChunks, long writtenChunks) {}

  private ChunkedScoring(
      SparkSession session,
      ChunkFolder folder,
      Dataset<Row> rows,
      Function<Dataset<Row>, Dataset<Row>> flat,
      Validation validation,
      ScoringColumns columns,
      ChunkedOutput output,
      ScoringCounters counters) {
    this.session = session;
    this.folder = folder;
    this.output = output;
    this.columns = columns;
    this.counters = counters;
    this.flat = flat;
    input = ChunkInput.of(rows);
    if (output.key() != null) {
      input.checkKey(output.key());
    }
    spec = Scoring.withAbsolutePaths(validation.spec());
    out = Scoring.schema(rows.schema(), spec.task(), columns);
    written = flat.apply(session.createDataFrame(List.<Row>of(), out)).schema();
    storage = ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(session));
    SparkContext context = session.sparkContext();
    reused = context.longAccumulator("medley rows reused");
    fingerprints = new Fingerprints(folder, context.collectionAccumulator("medley fingerprints"));
  }

  /**
   * Scores what is missing or outdated; returns when all is there and marked by {@code _SUCCESS}.
   *
   * @param rows reads the input's files in a session
   * @param flat makes columns such as the output's format can hold
   * @param validation without problems that would end a job
   * @throws LoadException where another run writes to the same output, where that holds other
   *     files, or was begun otherwise
   */
  public static Outcome score(
      SparkSession spark,
      Function<SparkSession, Dataset<Row>> rows,
      Function<Dataset<Row>, Dataset<Row>> flat,
      Validation validation,
      ScoringColumns columns,
      ChunkedOutput output,
      ScoringCounters counters) {
    SparkSession session = ChunkInput.session(spark);
    ChunkFolder folder = new ChunkFolder(output.path(), Scoring.hadoop(session));
    ChunkedOutput.checkOwn(folder);
    ChunkedScoring run =
        new ChunkedScoring(
            session, folder, rows.apply(session), flat, validation, columns, output, counters);
    SparkContext context = session.sparkContext();
    String tag = "medley-" + UUID.randomUUID();
    context.addJobTag(tag);
    try (FolderClaim claim =
        FolderClaim.take(folder, run.fingerprints::save, () -> context.cancelJobsWithTag(tag))) {
      return run.score(claim);
    } finally {
      context.removeJobTag(tag);
    }
  }

  private Outcome score(FolderClaim claim) {
    int buckets = output.begin(folder, () -> input.rows().count());
    SetKeys keys = new SetKeys(spec);
    String model = model();
    String schema = schema();
    SetFingerprints sets = new SetFingerprints(spec, keys, storage, fingerprints.known());
    List<ChunkCommit> whole = ChunkStates.whole(folder);
    sets.prepare(
        whole.stream().flatMap(commit -> commit.sets().keySet().stream()).distinct().toList());
    fingerprints.save();
    ChunkStates states =
        ChunkStates.of(
            folder,
            whole,
            commit ->
                commit.model().equals(model)
                    && commit.schema().equals(schema)
                    && commit.unsure() == 0
                    && commit.chunk().version().equals(version(commit.chunk()))
                    && commit.sets().entrySet().stream()
                        .allMatch(
                            set -> sets.of(set.getKey()).fingerprint().equals(set.getValue())));
    long rows = states.done().values().stream().mapToLong(ChunkCommit::rows).sum();
    Set<String> left = left(states);
    List<String> commits = List.of();
    List<ChunkCommit> others = List.of();
    if (!left.containsAll(inputs()) || !isMarked() || !states.stale().isEmpty()) {
      folder.delete(folder.visible(SUCCESS));
      putAside(states);
      if (!left.containsAll(inputs())) {
        commits = run(states, left, buckets, keys, model, schema);
      }
      claim.checkHeld();
      others = finish(states, commits);
    }
    return new Outcome(
        rows + others.stream().mapToLong(ChunkCommit::rows).sum(),
        reused.sum(),
        states.done().size(),
        commits.size() + others.size());
  }

  private boolean isMarked() {
    return folder.list(folder.root()).containsKey(SUCCESS);
  }

  /** What the base, the task and its options are, and which columns hold what they say. */
  private String model() {
    Location base = Location.of(spec.base());
    String versions = "base " + Sha256.of(base.uri() + BaseModel.versions(storage, base));
    String fingerprint =
        fingerprints
            .known()
            .computeIfAbsent(versions, unknown -> BaseModel.contentHash(storage, base));
    return Sha256.of(
        String.join(
            "\n",
            Integer.toString(PREDICTIONS),
            fingerprint,
            spec.task().pipeline(),
            spec.task().toString(),
            spec.dtype().toString(),
            Integer.toString(spec.batching().maxLength()),
            Boolean.toString(spec.batching().truncation()),
            Boolean.toString(spec.has(Extra.DETERMINISTIC)),
            added().json()));
  }

  /** What the columns are, and how they are read. */
  private String schema() {
    String read = columns.withKey(null).toString(); // that one is for people
    return Sha256.of(String.join("\n", written.json(), read, input.reading()));
  }

  /** Of a chunk's input as it is now; null where it is gone. */
  private String version(Chunk chunk) {
    return output.key() == null ? input.versions().get(chunk.file()) : input.version();
  }

  /** Inputs that may be finished: files, or all of them together. */
  private Set<String> inputs() {
    return output.key() == null ? input.versions().keySet() : Set.of("");
  }

  /** Those that need not be read: the last run that came to its end has left no chunk out. */
  private Set<String> left(ChunkStates states) {
    Map<String, Long> chunks =
        states.done().values().stream()
            .collect(Collectors.groupingBy(commit -> commit.chunk().file(), Collectors.counting()));
    Map<String, String> finished = finished();
    return inputs().stream()
        .filter(file -> state(file, chunks.getOrDefault(file, 0L)).equals(finished.get(file)))
        .collect(Collectors.toSet());
  }

  /** What {@link #FINISHED} says of an input. */
  private String state(String file, long chunks) {
    String version = output.key() == null ? input.versions().get(file) : input.version();
    return chunks + " chunks of " + version + " as " + schema();
  }

  /** State by input; none where that cannot be read. */
  private Map<String, String> finished() {
    Path file = folder.hidden(FINISHED);
    try {
      return folder
          .readText(file)
          .map(text -> JsonObject.parse(text, file.toString()).stringMap("inputs"))
          .orElse(Map.of());
    } catch (LoadException e) {
      return Map.of(); // then all is read, and nothing scored that is there
    }
  }

  /** Takes out of sight what is outdated or was never committed. */
  private void putAside(ChunkStates states) {
    Set<String> done =
        states.done().values().stream().map(ChunkCommit::data).collect(Collectors.toSet());
    Set<String> stale = states.stale().stream().map(ChunkCommit::data).collect(Collectors.toSet());
    Set<String> hidden = folder.list(folder.hidden(ChunkFolder.STALE)).keySet();
    for (String name : visible()) {
      if (stale.contains(name) && !done.contains(name) && !hidden.contains(name)) {
        folder.move(folder.visible(name), folder.hidden(ChunkFolder.STALE, name));
      } else if (!done.contains(name)) {
        folder.delete(folder.visible(name));
      }
    }
    folder.delete(folder.hidden(ChunkFolder.STAGING));
  }

  /** Names of the files with rows. */
  private List<String> visible() {
    return folder.list(folder.root()).keySet().stream().filter(ChunkFolder::isOwn).toList();
  }

  /** The columns that scoring adds. */
  private StructType added() {
    int inputs = input.rows().schema().size();
    return new StructType(Arrays.copyOfRange(out.fields(), inputs, out.size()));
  }

  /** What {@link ChunkWriter} says of each commit. */
  private List<String> run(
      ChunkStates states,
      Set<String> left,
      int buckets,
      SetKeys keys,
      String model,
      String schema) {
    StructType in = input.rows().schema();
    StructType added = added();
    ChunkFormat format = ChunkFormat.of(session, output.format(), output.options(), written, added);
    ChunkPlan plan =
        new ChunkPlan(
            run,
            model,
            schema,
            output.chunkRows(),
            keys,
            new HashSet<>(states.done().keySet()),
            states.names(),
            stale(states, model),
            new HashMap<>(fingerprints.known()));
    Broadcast<byte[]> shared =
        JavaSparkContext.fromSparkContext(session.sparkContext()).broadcast(JavaBytes.write(plan));
    ChunkRows rows =
        new ChunkRows(
            shared,
            Scoring.partition(session, in, spec, columns, counters),
            folder,
            format,
            in.size(),
            added,
            new RowBytes(added),
            added.fieldIndex(columns.error()),
            reused,
            fingerprints.accumulator());
    StructType noted = out;
    for (StructField note : ChunkRows.NOTES.fields()) {
      noted = noted.add(note);
    }
    Dataset<Row> scored =
        Scoring.restored(
            read(left, states, buckets).mapPartitions(rows, Encoders.row(noted)), noted);
    ChunkWriter writer = new ChunkWriter(folder, format, run, model, schema);
    return flat.apply(scored).queryExecution().toRdd().toJavaRDD().mapPartitions(writer).collect();
  }

  private Dataset<Row> read(Set<String> left, ChunkStates states, int buckets) {
    if (output.key() == null) {
      return input.byPlace(left);
    }
    List<Integer> wanted =
        IntStream.range(0, buckets)
            .filter(bucket -> !states.done().containsKey(Chunk.ofKeys("", bucket).id()))
            .boxed()
            .toList();
    return input.byKey(output.key(), buckets, wanted);
  }

  private static HashMap<String, List<Stale>> stale(ChunkStates states, String model) {
    HashMap<String, List<Stale>> stale = new HashMap<>();
    for (ChunkCommit commit : states.stale()) {
      if (commit.model().equals(model)) { // else no key is the same
        stale
            .computeIfAbsent(commit.chunk().id(), id -> new ArrayList<>())
            .add(new Stale(commit.name(), commit.data()));
      }
    }
    return stale;
  }

  /**
   * Leaves one file of each chunk and nothing else, then says that all is there. Returns commits of
   * attempts whose task was done again.
   */
  private List<ChunkCommit> finish(ChunkStates states, List<String> written) {
    Map<String, String> dataByCommit = new HashMap<>();
    Map<String, Integer> chunks = new TreeMap<>();
    Set<String> ids = new HashSet<>();
    states
        .done()
        .values()
        .forEach(
            commit -> {
              ids.add(commit.chunk().id());
              dataByCommit.put(commit.name(), commit.data());
              chunks.merge(commit.chunk().file(), 1, Integer::sum);
            });
    for (String commit : written) {
      String[] parts = commit.split("\n", 3);
      ids.add(parts[0].substring(0, parts[0].lastIndexOf('-')));
      dataByCommit.put(parts[0], parts[1]);
      chunks.merge(parts[2], 1, Integer::sum);
    }
    List<ChunkCommit> others = new ArrayList<>();
    for (ChunkCommit commit : ofOtherAttempts(states, dataByCommit.keySet())) {
      if (ids.add(commit.chunk().id())) {
        others.add(commit);
        dataByCommit.put(commit.name(), commit.data());
        chunks.merge(commit.chunk().file(), 1, Integer::sum);
      }
    }
    if (!inputs().containsAll(chunks.keySet())) {
      throw new IllegalStateException(
          "rows came of files that the input was not seen to have: " + chunks.keySet());
    }
    Set<String> data = new HashSet<>(dataByCommit.values());
    List<String> visible = visible();
    List<String> missing = data.stream().filter(name -> !visible.contains(name)).toList();
    if (!missing.isEmpty()) {
      throw new LoadException(
          folder.root().toString(),
          "expected "
              + data.size()
              + " files of committed chunks, found "
              + (data.size() - missing.size())
              + ", "
              + missing.get(0)
              + " is missing; run the job again");
    }
    visible.stream()
        .filter(name -> !data.contains(name))
        .map(folder::visible)
        .forEach(folder::delete);
    for (String name : folder.list(folder.hidden(ChunkFolder.CHUNKS)).keySet()) {
      String commit = name.replaceFirst("\\.(json|keys)$", "");
      if (!name.startsWith(".") && !dataByCommit.containsKey(commit)) {
        folder.delete(folder.hidden(ChunkFolder.CHUNKS, name));
      }
    }
    if (data.isEmpty()) {
      writeNoRows();
    }
    fingerprints.save();
    folder.write(folder.hidden(FINISHED), finished(chunks));
    folder.write(folder.visible(SUCCESS), "");
    folder.delete(folder.hidden(ChunkFolder.STALE));
    folder.delete(folder.hidden(ChunkFolder.STAGING));
    return others;
  }

  /** Commits of attempts whose task was done again. */
  private List<ChunkCommit> ofOtherAttempts(ChunkStates states, Set<String> known) {
    List<String> names =
        ChunkStates.names(folder.list(folder.hidden(ChunkFolder.CHUNKS)).keySet()).stream()
            .filter(name -> !states.names().contains(name) && !known.contains(name))
            .toList();
    return ChunkStates.read(folder, names).stream()
        .filter(commit -> commit.run().equals(run))
        .toList();
  }

  /** A file that holds the columns alone, without which readers know none. */
  private void writeNoRows() {
    Path staged = folder.staging();
    session
        .createDataFrame(List.<Row>of(), written)
        .write()
        .format(output.format())
        .options(output.options())
        .save(staged.toString());
    for (String name : folder.list(staged).keySet()) {
      if (name.startsWith(ChunkFolder.DATA)) {
        String file = ChunkFolder.DATA + "empty" + name.substring(name.indexOf('.'));
        folder.commit(new Path(staged, name), folder.visible(file));
      }
    }
  }

  private String finished(Map<String, Integer> chunks) {
    Map<String, String> inputs = new TreeMap<>();
    for (String file : inputs()) {
      inputs.put(file, state(file, chunks.getOrDefault(file, 0)));
    }
    try {
      return JSON.writeValueAsString(Map.of("inputs", inputs)) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("strings can be written", e);
    }
  }
}
