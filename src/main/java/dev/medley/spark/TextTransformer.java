package dev.medley.spark;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.Merging;
import dev.medley.engine.Task;
import dev.medley.engine.Validation;
import dev.medley.io.Nearest;
import dev.medley.io.Storage;
import dev.medley.tensor.Precision;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Function1;

/**
 * What the transformers of all tasks share: columns, model, adapters, batching.
 *
 * <p>Spark ML finds a parameter by a public method of its name, and asks for all of them as soon as
 * the first default is set: a subclass assigns its own parameters first, then calls {@link
 * #setDefaults}.
 *
 * @param <T> the transformer itself, which setters give back
 */
abstract class TextTransformer<T extends TextTransformer<T>> extends Transformer
    implements DefaultParamsWritable {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(TextTransformer.class);

  private final String uid;
  private final Param<String> inputCol;
  private final Param<String> outputCol;
  private final Param<String> adapterCol;
  private final Param<String> lineageCol;
  private final Param<String> model;
  private final Param<String> adapters;
  private final Param<String> sets;
  private final IntParam batchSize;
  private final IntParam batchTokens;
  private final IntParam windowRows;
  private final IntParam maxLength;
  private final BooleanParam truncation;
  private final Param<String> device;
  private final Param<String> dtype;
  private final Param<String> onError;
  private final Param<String> adapterAffinity;
  private final BooleanParam deterministic;
  private transient ScoringResources resources;

  TextTransformer(String uid) {
    this.uid = uid;
    inputCol = new Param<>(this, "inputCol", "column with the text: string");
    outputCol =
        new Param<>(
            this,
            "outputCol",
            "column for the prediction; the same name with _error says what is wrong with a row");
    adapterCol =
        new Param<>(
            this,
            "adapterCol",
            "column with the row's adapter: string or array<string>; null, empty or __base__ for the"
                + " base alone");
    lineageCol =
        new Param<>(
            this,
            "lineageCol",
            "column for where a prediction comes from: hashes of base and adapters, mode, device; none"
                + " for no such column");
    model =
        new Param<>(this, "model", "path or URI of the base model: a folder as HuggingFace has it");
    adapters =
        new Param<>(
            this,
            "adapters",
            "paths or URIs of PEFT adapters by name, as JSON: {\"name\": \"path\"} or {\"name\":"
                + " {\"path\": \"…\", \"labels\": [\"…\"]}}",
            check(
                json -> {
                  AdaptersJson.read(json);
                }));
    sets =
        new Param<>(
            this,
            "sets",
            "named ordered sets of adapters, as JSON: {\"name\": [\"adapter\", \"0.7*other\"]}",
            check(
                json -> {
                  AdaptersJson.readSets(json);
                }));
    batchSize =
        new IntParam(this, "batchSize", "most rows of a forward pass", atLeast("batchSize", 1));
    batchTokens =
        new IntParam(
            this,
            "batchTokens",
            "most tokens of a forward pass; a longer row goes alone",
            atLeast("batchTokens", 1));
    windowRows =
        new IntParam(
            this,
            "windowRows",
            "rows that are read and sorted by adapter and length before they are scored",
            atLeast("windowRows", 1));
    maxLength =
        new IntParam(
            this,
            "maxLength",
            "most tokens of a row; 0 for the model's limit",
            atLeast("maxLength", 0));
    truncation =
        new BooleanParam(
            this,
            "truncation",
            "whether longer rows are cut, which their error column says, or are errors");
    device =
        new Param<>(
            this,
            "device",
            "auto (the GPU that Spark assigned to the task, else the CPU), cpu or gpu",
            oneOf("device", "auto", "cpu", "gpu"));
    dtype =
        new Param<>(
            this,
            "dtype",
            "what the model computes in: float32, bfloat16 or float16",
            oneOf("dtype", "float32", "bfloat16", "float16"));
    onError =
        new Param<>(
            this,
            "onError",
            "what a row in error does: row (null prediction, error column) or fail (the job)",
            oneOf("onError", "row", "fail"));
    adapterAffinity =
        new Param<>(
            this,
            "adapterAffinity",
            "whether rows are moved so that a partition has few adapters and none is a straggler:"
                + " auto (where it pays), on or off",
            oneOf("adapterAffinity", "auto", "on", "off"));
    deterministic =
        new BooleanParam(
            this,
            "deterministic",
            "whether a row's prediction is the same to the bit whatever its partition, its neighbours"
                + " and the sizes of batches, which takes longer");
  }

  /** By a subclass's constructor, once all parameters are assigned. */
  final void setDefaults() {
    setDefault(inputCol, "text");
    setDefault(outputCol, "prediction");
    setDefault(adapters, "{}");
    setDefault(sets, "{}");
    setDefault(batchSize, Batching.DEFAULT.batchSize());
    setDefault(batchTokens, Batching.DEFAULT.batchTokens());
    setDefault(windowRows, Batching.DEFAULT.windowRows());
    setDefault(maxLength, Batching.DEFAULT.maxLength());
    setDefault(truncation, Batching.DEFAULT.truncation());
    setDefault(device, "auto");
    setDefault(dtype, "float32");
    setDefault(onError, "row");
    setDefault(adapterAffinity, "auto");
    setDefault(deterministic, false);
  }

  static String randomUid(String prefix) {
    return Identifiable$.MODULE$.randomUID(prefix);
  }

  /** What is asked of the model, with the options that the parameters give. */
  abstract Task task();

  /** The columns that the parameters name. */
  ScoringColumns columns() {
    return new ScoringColumns(getInputCol(), getAdapterCol(), getOutputCol())
        .withLineage(getLineageCol());
  }

  /** Adds what is wrong with a subclass's own parameters. */
  void check(List<String> problems) {}

  /** Most bytes for keys and values of a task; 0 for a number that fits. */
  long cacheBytes() {
    return Batching.DEFAULT.cacheMemory();
  }

  abstract T self();

  @Override
  public String uid() {
    return uid;
  }

  public Param<String> inputCol() {
    return inputCol;
  }

  public Param<String> outputCol() {
    return outputCol;
  }

  public Param<String> adapterCol() {
    return adapterCol;
  }

  public Param<String> lineageCol() {
    return lineageCol;
  }

  public Param<String> model() {
    return model;
  }

  public Param<String> adapters() {
    return adapters;
  }

  public Param<String> sets() {
    return sets;
  }

  public IntParam batchSize() {
    return batchSize;
  }

  public IntParam batchTokens() {
    return batchTokens;
  }

  public IntParam windowRows() {
    return windowRows;
  }

  public IntParam maxLength() {
    return maxLength;
  }

  public BooleanParam truncation() {
    return truncation;
  }

  public Param<String> device() {
    return device;
  }

  public Param<String> dtype() {
    return dtype;
  }

  public Param<String> onError() {
    return onError;
  }

  public Param<String> adapterAffinity() {
    return adapterAffinity;
  }

  public BooleanParam deterministic() {
    return deterministic;
  }

  /** Column with the text; default {@code text}. */
  public T setInputCol(String column) {
    return with(inputCol, column);
  }

  public String getInputCol() {
    return getOrDefault(inputCol);
  }

  /** Column for the prediction; default {@code prediction}. */
  public T setOutputCol(String column) {
    return with(outputCol, column);
  }

  public String getOutputCol() {
    return getOrDefault(outputCol);
  }

  /** Column with the row's adapter; without one, every row is scored under the base. */
  public T setAdapterCol(String column) {
    return with(adapterCol, column);
  }

  /** Null for none. */
  public String getAdapterCol() {
    return orNull(adapterCol);
  }

  /**
   * Column for where a row's prediction comes from, a struct of {@link dev.medley.engine.Lineage}'s
   * fields; without one, files are not hashed.
   */
  public T setLineageCol(String column) {
    return with(lineageCol, column);
  }

  /** Null for none. */
  public String getLineageCol() {
    return orNull(lineageCol);
  }

  /** Path or URI of the base model's folder. */
  public T setModel(String pathOrUri) {
    return with(model, pathOrUri);
  }

  /** {@link #setModel} by the name that DJL's Spark extension gives it. */
  public T setModelUrl(String pathOrUri) {
    return setModel(pathOrUri);
  }

  /** Null for none. */
  public String getModel() {
    return orNull(model);
  }

  /** Paths or URIs of PEFT folders by the names that rows use; replaces all that were there. */
  public T setAdapters(Map<String, String> pathsByName) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    pathsByName.forEach((name, path) -> sources.put(name, AdapterSource.of(path)));
    return with(adapters, AdaptersJson.write(sources));
  }

  /**
   * One more adapter, or another one under the same name.
   *
   * @param labels of its head, by id; none for what the {@code config.json} beside it says
   */
  public T addAdapter(String name, String pathOrUri, String... labels) {
    Map<String, AdapterSource> sources = sources();
    sources.put(name, AdapterSource.of(pathOrUri, List.of(labels)));
    return with(adapters, AdaptersJson.write(sources));
  }

  /**
   * Adapters of a registry, as {@link AdapterRegistry} reads it, now and not again; replaces all
   * that were there.
   *
   * @throws IllegalArgumentException with everything that is wrong with its columns and rows
   */
  public T setAdaptersFrom(Dataset<?> registry) {
    List<String> problems = new ArrayList<>();
    Map<String, AdapterSource> sources = AdapterRegistry.read(registry, problems);
    Scoring.orThrow(problems);
    return with(adapters, AdaptersJson.write(sources));
  }

  /** Adds an adapter, to be refused where its weights, or its archive, do not have this SHA-256. */
  public T addPinnedAdapter(String name, String pathOrUri, String sha256, String... labels) {
    Map<String, AdapterSource> sources = sources();
    sources.put(name, AdapterSource.of(pathOrUri, List.of(labels)).withSha256(sha256));
    return with(adapters, AdaptersJson.write(sources));
  }

  /** Paths or URIs by name. */
  public Map<String, String> getAdapters() {
    Map<String, String> paths = new LinkedHashMap<>();
    sources().forEach((name, source) -> paths.put(name, source.uri()));
    return paths;
  }

  /** Named ordered sets of adapters; replaces all that were there. */
  public T setSets(Map<String, List<String>> membersByName) {
    return with(sets, AdaptersJson.writeSets(membersByName));
  }

  /**
   * A name for an ordered set of adapters, which rows may use as an adapter's.
   *
   * @param members innermost first, each an adapter's name, or {@code 0.7*name}
   */
  public T addSet(String name, String... members) {
    Map<String, List<String>> all = getSets();
    all.put(name, List.of(members));
    return with(sets, AdaptersJson.writeSets(all));
  }

  /** Members of the named sets. */
  public Map<String, List<String>> getSets() {
    return AdaptersJson.readSets(getOrDefault(sets));
  }

  /** Most rows of a forward pass. */
  public T setBatchSize(int rows) {
    return with(batchSize, rows);
  }

  public int getBatchSize() {
    return (int) getOrDefault(batchSize);
  }

  /** Most tokens of a forward pass. */
  public T setBatchTokens(int tokens) {
    return with(batchTokens, tokens);
  }

  public int getBatchTokens() {
    return (int) getOrDefault(batchTokens);
  }

  /** Rows that are read and sorted before they are scored. */
  public T setWindowRows(int rows) {
    return with(windowRows, rows);
  }

  public int getWindowRows() {
    return (int) getOrDefault(windowRows);
  }

  /** Most tokens of a row; 0 for the model's limit. */
  public T setMaxLength(int tokens) {
    return with(maxLength, tokens);
  }

  public int getMaxLength() {
    return (int) getOrDefault(maxLength);
  }

  /** Whether longer rows are cut or are errors. */
  public T setTruncation(boolean cut) {
    return with(truncation, cut);
  }

  public boolean getTruncation() {
    return (boolean) getOrDefault(truncation);
  }

  /** {@code auto}, {@code cpu} or {@code gpu}. */
  public T setDevice(String choice) {
    return with(device, choice);
  }

  public String getDevice() {
    return getOrDefault(device);
  }

  /** {@code float32}, {@code bfloat16} or {@code float16}. */
  public T setDtype(String name) {
    return with(dtype, name);
  }

  public String getDtype() {
    return getOrDefault(dtype);
  }

  /** {@code row} or {@code fail}. */
  public T setOnError(String policy) {
    return with(onError, policy);
  }

  public String getOnError() {
    return getOrDefault(onError);
  }

  /**
   * {@code auto}, {@code on} or {@code off}: whether rows are moved to their adapters; see {@link
   * AdapterAffinity}.
   */
  public T setAdapterAffinity(String choice) {
    return with(adapterAffinity, choice);
  }

  public String getAdapterAffinity() {
    return getOrDefault(adapterAffinity);
  }

  /**
   * What the stage that scores has; null for what the application has. It is the cluster's and not
   * the model's, so it is copied with the transformer and not saved with it.
   */
  public T setResources(ScoringResources ofTheStage) {
    resources = ofTheStage;
    return self();
  }

  /** Null for what the application has. */
  public ScoringResources getResources() {
    return resources;
  }

  /**
   * Whether a row's prediction is the same to the bit whatever its partition, its neighbours and
   * the sizes of batches, for which each row goes through the model alone.
   */
  public T setDeterministic(boolean strictly) {
    return with(deterministic, strictly);
  }

  public boolean getDeterministic() {
    return (boolean) getOrDefault(deterministic);
  }

  /**
   * Scores. The model's and the adapters' small files and headers are checked here, on the driver;
   * weights are read where rows are.
   *
   * @throws IllegalArgumentException as {@link #transformSchema}
   * @throws dev.medley.io.LoadException with every problem of the files
   */
  @Override
  public Dataset<Row> transform(Dataset<?> rows) {
    transformSchema(rows.schema(), true);
    Storage storage = ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(rows.sparkSession()));
    AdapterAffinity affinity = AdapterAffinity.of(getAdapterAffinity());
    return Scoring.score(rows, validated(storage.anew()), columns(), affinity, resources, null);
  }

  /**
   * The columns that come out.
   *
   * @throws IllegalArgumentException with everything that is wrong, as far as it can be known
   *     without a file
   */
  @Override
  public StructType transformSchema(StructType in) {
    List<String> problems = Scoring.problems(in, task(), columns());
    check(problems);
    if (getModel() == null || getModel().isBlank()) {
      problems.add("model: expected the path or URI of a base model, found none; call setModel");
    }
    if (!sources().isEmpty() && getAdapterCol() == null) {
      problems.add(
          "adapterCol: expected the column that names each row's adapter, found none; without it"
              + " every row would be scored under the base, and "
              + String.join(", ", sources().keySet())
              + " under none; call setAdapterCol");
    }
    if (getAdapterAffinity().equals("on") && getAdapterCol() == null) {
      problems.add("adapterAffinity: expected auto or off without an adapterCol, got on");
    }
    Scoring.orThrow(problems);
    return Scoring.schema(in, task(), columns());
  }

  @Override
  @SuppressWarnings("unchecked")
  public T copy(ParamMap extra) {
    T copy = (T) defaultCopy(extra);
    return copy.setResources(resources);
  }

  /** What the parameters say, its files read and checked. */
  final EngineSpec validated(Storage storage) {
    Validation validation =
        columns().messages() == null
            ? Validation.of(spec(), storage)
            : Validation.ofChats(spec(), storage);
    validation.orThrow();
    for (var adapter : validation.adapters()) {
      if (!adapter.problems().isEmpty()) {
        LOG.warn(
            "Every row under adapter {} will be an error: {}",
            adapter.name(),
            String.join("; ", adapter.problems()));
      }
    }
    return validation.spec();
  }

  private EngineSpec spec() {
    Batching batching =
        new Batching(
            getBatchSize(),
            getBatchTokens(),
            getWindowRows(),
            getMaxLength(),
            getTruncation(),
            cacheBytes());
    EngineSpec spec =
        new EngineSpec(
            getModel(),
            task(),
            sources(),
            getSets(),
            Precision.of(getDtype()),
            DeviceChoice.valueOf(upper(getDevice())),
            batching,
            Merging.AUTO,
            EngineSpec.ADAPTER_MEMORY,
            OnError.valueOf(upper(getOnError())));
    return getDeterministic() ? spec.with(Extra.DETERMINISTIC) : spec;
  }

  private Map<String, AdapterSource> sources() {
    return AdaptersJson.read(getOrDefault(adapters));
  }

  final <V> T with(Param<V> param, V value) {
    set(param, value);
    return self();
  }

  /** Null for a parameter that is not set. */
  final <V> V orNull(Param<V> param) {
    return isSet(param) ? getOrDefault(param) : null;
  }

  static String upper(String word) {
    return word.toUpperCase(Locale.ROOT);
  }

  /** Accepts these words alone. */
  static Function1<String, Object> oneOf(String name, String... words) {
    return check(
        value -> {
          if (!Arrays.asList(words).contains(value)) {
            throw new IllegalArgumentException(
                name
                    + ": expected one of "
                    + Arrays.stream(words).collect(Collectors.joining(", "))
                    + ", got "
                    + value
                    + Nearest.name(String.valueOf(value), List.of(words))
                        .map(near -> "; did you mean " + near + "?")
                        .orElse(""));
          }
        });
  }

  /** Accepts this number and greater ones. */
  static Function1<Object, Object> atLeast(String name, int least) {
    return check(
        value -> {
          if ((int) value < least) {
            throw new IllegalArgumentException(
                name + ": expected at least " + least + ", got " + value);
          }
        });
  }

  /** A validator that says itself what is wrong; Spark's own says only that something is. */
  static <V> Function1<V, Object> check(Check<V> check) {
    return (Function1<V, Object> & Serializable)
        value -> {
          check.run(value);
          return true;
        };
  }

  /** Throws IllegalArgumentException for a value that does not fit. */
  interface Check<V> extends Serializable {
    void run(V value);
  }
}
