package dev.medley.job;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Merging;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextClassification.Function;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import dev.medley.engine.Validation;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Pooling;
import dev.medley.spark.AdapterAffinity;
import dev.medley.spark.ChunkedOutput;
import dev.medley.spark.ScoringColumns;
import dev.medley.tensor.Precision;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.IntSupplier;

/**
 * A job file: what to score, under which adapters, from where to where. Relative paths are relative
 * to the working directory, as Spark's are, not to the file.
 *
 * @param adapters by the name that rows use; wins over one of that name among {@code adaptersFrom}
 * @param adaptersFrom folders or a registry; null for none
 */
record JobConf(
    String base,
    Task task,
    Map<String, AdapterSource> adapters,
    AdaptersFrom adaptersFrom,
    Map<String, List<String>> sets,
    Input input,
    Output output,
    ErrorPolicy errors,
    Resume resume,
    OnError onError,
    DeviceChoice device,
    Precision dtype,
    Batching batching,
    Merging merging,
    AdapterAffinity adapterAffinity,
    long adapterMemory,
    boolean deterministic) {

  /** File formats, by Spark's names. */
  enum Format {
    JSON,
    CSV,
    PARQUET,
    TEXT,
    ORC;

    static Format named(String name) {
      return valueOf(constant(name));
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Rows to score.
   *
   * @param text the column of texts or prompts; null where chats take its place
   * @param messages the column of chats; null for none
   * @param completion the column of completions to score; null for none
   * @param seed the column of seeds; null for none
   * @param adapter the column of adapters; null where the file says so: every row under the base
   * @param key the column that tells rows apart in the report; null for their places
   * @param options of Spark's reader
   */
  record Input(
      Format format,
      String path,
      String text,
      String messages,
      String completion,
      String seed,
      String adapter,
      String key,
      Map<String, String> options) {}

  /**
   * Where scored rows go.
   *
   * @param column of predictions
   * @param lineage the column of where they come from; null for none
   * @param mode Spark's save mode, or {@link #RESUME}
   * @param options of Spark's writer
   */
  record Output(
      Format format,
      String path,
      String column,
      String lineage,
      String mode,
      Map<String, String> options) {}

  /**
   * How an output is committed by chunks.
   *
   * @param key column that tells rows apart; null for their place in their file
   * @param chunkRows most rows of a chunk
   */
  record Resume(String key, int chunkRows) {}

  /** The mode of an output that a run goes on with where another has ended. */
  static final String RESUME = "resume";

  /**
   * Reads a file with {@code key=value} words laid over it.
   *
   * @throws dev.medley.io.LoadException with every problem, its file and line
   */
  static JobConf load(String file, List<String> overrides) {
    HoconObject root = JobFile.read(file, overrides);
    HoconObject medley = root.object("medley");
    if (medley == null) {
      if (!root.has("medley")) {
        root.problem("medley", "expected an object { … } with the whole job in it, found nothing");
      }
      root.done(file);
    }
    JobConf conf = parse(medley);
    root.done(file);
    return conf;
  }

  private static JobConf parse(HoconObject medley) {
    String base = location(medley, "base", medley.string("base"));
    Map<String, AdapterSource> adapters = adapters(medley.object("adapters"));
    AdaptersFrom adaptersFrom = AdaptersFrom.parse(medley);
    Task task = task(medley);
    Input input = input(medley, task);
    HoconObject written = required(medley, "output");
    Output output = output(written, input);
    OnError onError =
        OnError.valueOf(constant(medley.word("on-error", "row", List.of("row", "fail"))));
    if (input.adapter() == null && !(adapters.isEmpty() && adaptersFrom == null)) {
      medley.problem("adapters", "expected none where input.adapter = null, found some");
    }
    return new JobConf(
        base,
        task,
        adapters,
        adaptersFrom,
        sets(medley.object("sets")),
        input,
        output,
        errors(medley, written, input, output, onError),
        resume(medley, written, output),
        onError,
        DeviceChoice.valueOf(
            constant(medley.word("device", "auto", List.of("auto", "cpu", "gpu")))),
        Precision.of(medley.word("dtype", "float32", List.of("float32", "bfloat16", "float16"))),
        batching(medley),
        merging(medley),
        adapterAffinity(medley, input, output),
        medley.bytes("adapter-memory", EngineSpec.ADAPTER_MEMORY),
        medley.bool("deterministic", false));
  }

  private static Task task(HoconObject medley) {
    Task features = featureExtraction(section(medley, "feature-extraction"));
    Task text = textClassification(section(medley, "text-classification"));
    Task token = tokenClassification(section(medley, "token-classification"));
    Task generation = textGeneration(section(medley, "text-generation"));
    section(medley, "text-scoring"); // has no key
    List<Task> tasks = List.of(features, text, token, generation, TextScoring.AUTO);
    String chosen = medley.word("task", tasks.stream().map(Task::pipeline).toList());
    return tasks.stream().filter(task -> task.pipeline().equals(chosen)).findFirst().orElseThrow();
  }

  private static Task featureExtraction(HoconObject options) {
    List<String> poolings = List.of("auto", "mean", "cls", "last", "max");
    String pooling = options.word("pooling", "auto", poolings);
    String normalize = options.word("normalize", "auto", List.of("auto", "true", "false"));
    return new FeatureExtraction(
        pooling.equals("auto") ? null : Pooling.valueOf(constant(pooling)),
        normalize.equals("auto") ? null : Boolean.valueOf(normalize));
  }

  private static Task textClassification(HoconObject options) {
    List<String> functions = List.of("auto", "softmax", "sigmoid", "none");
    return new TextClassification(
        options.integer("top-k", 0, 1),
        Function.valueOf(constant(options.word("function", "auto", functions))));
  }

  private static Task tokenClassification(HoconObject options) {
    List<String> ignored = options.strings("ignore-labels");
    return ignored == null ? TokenClassification.AUTO : new TokenClassification(ignored);
  }

  private static TextGeneration textGeneration(HoconObject options) {
    TextGeneration task = TextGeneration.AUTO;
    Long seed = options.longInteger("seed");
    task = seed == null ? task : task.withSeed(seed);
    task =
        task.withDoSample(options.bool("do-sample"))
            .withEosTokenIds(options.integers("eos-token-ids"));
    task =
        with(
            task,
            options,
            "max-new-tokens",
            options.integer("max-new-tokens"),
            TextGeneration::withMaxNewTokens);
    task =
        with(
            task,
            options,
            "temperature",
            options.number("temperature"),
            TextGeneration::withTemperature);
    task = with(task, options, "top-k", options.integer("top-k"), TextGeneration::withTopK);
    task = with(task, options, "top-p", options.number("top-p"), TextGeneration::withTopP);
    task = with(task, options, "min-p", options.number("min-p"), TextGeneration::withMinP);
    task =
        with(
            task,
            options,
            "repetition-penalty",
            options.number("repetition-penalty"),
            TextGeneration::withRepetitionPenalty);
    return with(task, options, "stop", options.strings("stop"), TextGeneration::withStop);
  }

  /** The same with a value; where that is out of its range a problem, and the task as it was. */
  private static <T> TextGeneration with(
      TextGeneration task,
      HoconObject options,
      String key,
      T value,
      BiFunction<TextGeneration, T, TextGeneration> with) {
    try {
      return with.apply(task, value);
    } catch (IllegalArgumentException e) {
      options.problem(key, e.getMessage().substring(key.length() + 2));
      return task;
    }
  }

  private static Map<String, AdapterSource> adapters(HoconObject adapters) {
    Map<String, AdapterSource> sources = new TreeMap<>();
    if (adapters == null) {
      return sources;
    }
    for (String name : adapters.keys()) {
      AdapterSource source;
      if (adapters.isObject(name)) {
        HoconObject adapter = adapters.object(name);
        String path = location(adapter, "path", adapter.string("path"));
        List<String> labels = adapter.strings("labels");
        source = AdapterSource.of(path, labels == null ? List.of() : labels);
        String sha256 = adapter.string("sha256", null);
        if (sha256 != null) {
          source = adapter.checked("sha256", source::withSha256, sha256);
        }
      } else {
        source = AdapterSource.of(location(adapters, name, adapters.string(name)));
      }
      sources.put(name, source);
    }
    return sources;
  }

  private static Map<String, List<String>> sets(HoconObject sets) {
    Map<String, List<String>> members = new TreeMap<>();
    if (sets != null) {
      for (String name : sets.keys()) {
        List<String> names = sets.strings(name);
        members.put(name, names == null ? List.of() : names);
      }
    }
    return members;
  }

  private static Input input(HoconObject medley, Task task) {
    HoconObject input = required(medley, "input");
    Format format = format(input);
    String messages = input.string("messages", null);
    if (messages != null && input.has("text")) {
      input.problem(
          "messages", "expected none beside input.text, found some; a row has a prompt or a chat");
    }
    String text = format == Format.TEXT ? "value" : "text";
    return new Input(
        format,
        path(input),
        input.string("text", messages == null ? text : null),
        column(input, "messages", task, TextGeneration.AUTO),
        column(input, "completion", task, TextScoring.AUTO),
        column(input, "seed", task, TextGeneration.AUTO),
        input.string("adapter", input.isNull("adapter") ? null : "adapter"),
        input.string("key", null),
        input.options("options"));
  }

  /** A column that one task alone reads; null for none. */
  private static String column(HoconObject input, String key, Task task, Task reader) {
    String column = input.string(key, null);
    if (column != null && !task.pipeline().equals(reader.pipeline())) {
      input.problem(
          key,
          "expected none where task = " + task.pipeline() + "; it is for " + reader.pipeline());
    }
    return column;
  }

  private static Output output(HoconObject output, Input input) {
    Format format = writable(output);
    List<String> modes = List.of("error", "overwrite", "append", "ignore", RESUME);
    String mode = output.word("mode", "error", modes);
    String path = path(output);
    if (mode.equals("overwrite") && overlap(path, input.path())) {
      output.problem(
          "path",
          "expected a folder apart from input.path, which overwriting would delete before it is"
              + " read, found "
              + path);
    }
    if (mode.equals(RESUME) && overlap(path, input.path())) {
      output.problem(
          "path",
          "expected a folder apart from input.path, of which a second run would read what the first"
              + " has written, found "
              + path);
    }
    String column = output.string("column", "prediction");
    return new Output(
        format, path, column, lineage(output, column), mode, output.options("options"));
  }

  private static ErrorPolicy errors(
      HoconObject medley, HoconObject output, Input input, Output all, OnError onError) {
    HoconObject errors = output.object("errors");
    Double rate = medley.number("max-error-rate");
    if (rate != null && !(rate >= 0 && rate <= 1)) {
      medley.problem("max-error-rate", "expected a number from 0 to 1, found " + rate);
    }
    if (onError == OnError.FAIL && (errors != null || rate != null)) {
      HoconObject where = errors == null ? medley : output;
      where.problem(
          errors == null ? "max-error-rate" : "errors",
          "expected none where on-error = fail, which the first row in error does, found some");
    }
    return new ErrorPolicy(
        errors == null ? null : errors(errors, input, all), rate == null ? 1 : rate);
  }

  private static Output errors(HoconObject errors, Input input, Output all) {
    List<String> modes = List.of("error", "overwrite", "append", "ignore");
    String mode = errors.word("mode", all.mode(), modes);
    String path = path(errors);
    if (overlap(path, all.path()) || mode.equals("overwrite") && overlap(path, input.path())) {
      errors.problem(
          "path",
          "expected a folder apart from output.path and input.path, found " + Location.shown(path));
    }
    return new Output(
        errors.has("format") ? writable(errors) : all.format(),
        path,
        all.column(),
        all.lineage(),
        mode,
        errors.options("options"));
  }

  /** True and false, or a name. */
  private static String lineage(HoconObject output, String prediction) {
    String word = output.text("lineage", "false");
    return switch (word) {
      case "false" -> null;
      case "true" -> prediction + "_lineage";
      default -> word;
    };
  }

  /** Null for an output of another mode. */
  private static Resume resume(HoconObject medley, HoconObject written, Output output) {
    HoconObject resume = section(medley, "resume");
    if (output.mode().equals(RESUME)) {
      String expected =
          "expected none where output.mode = resume, which keeps rows in error beside"
              + " the others, found some";
      if (written.has("errors")) {
        written.problem("errors", expected);
      }
      if (medley.has("max-error-rate")) {
        medley.problem("max-error-rate", expected);
      }
    }
    if (output.mode().equals(RESUME)
        && output.options().keySet().stream().anyMatch("maxRecordsPerFile"::equalsIgnoreCase)) {
      medley.problem(
          "output",
          "expected no maxRecordsPerFile where output.mode = resume, found one; set"
              + " resume.chunk-rows");
    }
    String key = resume.string("key", null);
    int chunkRows = resume.integer("chunk-rows", ChunkedOutput.CHUNK_ROWS, 1);
    if (output.mode().equals(RESUME)) {
      return new Resume(key, chunkRows);
    }
    if (medley.has("resume")) {
      medley.problem(
          "resume", "expected none where output.mode = " + output.mode() + "; it is for " + RESUME);
    }
    return null;
  }

  private static boolean overlap(String output, String input) {
    if (output.isBlank() || input.isBlank()) {
      return false;
    }
    String out = Location.of(output).uri() + "/";
    String in = Location.of(input).uri() + "/";
    return out.startsWith(in) || in.startsWith(out);
  }

  private static Batching batching(HoconObject medley) {
    Batching orElse = Batching.DEFAULT;
    return new Batching(
        medley.integer("batch-size", orElse.batchSize(), 1),
        medley.integer("batch-tokens", orElse.batchTokens(), 1),
        medley.integer("window-rows", orElse.windowRows(), 1),
        medley.integer("max-length", orElse.maxLength(), 1),
        medley.bool("truncation", orElse.truncation()),
        medley.bytes("cache-memory", orElse.cacheMemory()));
  }

  private static Merging merging(HoconObject medley) {
    List<String> modes = Arrays.stream(Merging.Mode.values()).map(JobConf::word).toList();
    return new Merging(
        Merging.Mode.valueOf(constant(medley.word("merging", modes.get(0), modes))),
        medley.bytes("merge-memory", Merging.AUTO.memory()));
  }

  private static AdapterAffinity adapterAffinity(HoconObject medley, Input input, Output output) {
    List<String> words = Arrays.stream(AdapterAffinity.values()).map(JobConf::word).toList();
    String word = medley.word("adapter-affinity", words.get(0), words);
    if (word.equals("on") && input.adapter() == null) {
      medley.problem(
          "adapter-affinity", "expected auto or off where input.adapter = null, found on");
    }
    if (word.equals("on") && output.mode().equals(RESUME)) {
      medley.problem(
          "adapter-affinity",
          "expected auto or off where output.mode = resume, found on: rows that are moved come back"
              + " all at once");
    }
    return output.mode().equals(RESUME) ? AdapterAffinity.OFF : AdapterAffinity.of(word);
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static Format format(HoconObject object) {
    List<String> formats = Arrays.stream(Format.values()).map(Format::toString).toList();
    return Format.named(object.word("format", formats));
  }

  private static Format writable(HoconObject output) {
    Format format = format(output);
    if (format == Format.TEXT) {
      output.problem(
          "format",
          "expected json, csv, parquet or orc, found text: a line of text holds one string, no"
              + " prediction beside its row");
    }
    return format;
  }

  /** A path or URI that can be one; where it is not, a problem and the text as it stands. */
  private static String location(HoconObject object, String key, String text) {
    if (!text.isEmpty()) {
      object.checked(key, Location::of, text);
    }
    return text;
  }

  /** A path that Spark is given, which writes it to its logs as it is. */
  static String path(HoconObject object) {
    String path = object.string("path");
    if (!Location.redacted(path).equals(path)) {
      object.problem(
          "path",
          "expected a URI without a password, found one; put it into Hadoop's settings, such as"
              + " spark.hadoop.fs.s3a.secret.key");
    }
    return path;
  }

  /** A section that may be left out. */
  private static HoconObject section(HoconObject parent, String key) {
    HoconObject section = parent.object(key);
    return section == null ? HoconObject.unheard() : section;
  }

  private static HoconObject required(HoconObject parent, String key) {
    HoconObject section = parent.object(key);
    if (section != null) {
      return section;
    }
    if (!parent.has(key)) {
      parent.problem(key, "expected an object { … }, found nothing");
    }
    return HoconObject.unheard();
  }

  private static String constant(String word) {
    return word.toUpperCase(Locale.ROOT).replace('-', '_');
  }

  /**
   * What an engine is made from: reads what {@code adapters-from} names.
   *
   * @throws dev.medley.io.LoadException where it names none, or not as it should
   */
  EngineSpec spec(Storage storage) {
    Map<String, AdapterSource> all = new TreeMap<>();
    if (adaptersFrom != null) {
      all.putAll(adaptersFrom.read(storage));
    }
    all.putAll(adapters);
    return spec(all);
  }

  /**
   * Runs a command in one Spark session where {@code adapters-from} needs one, so that not each
   * part of it starts its own.
   */
  int inSession(String name, IntSupplier command) {
    if (!(adaptersFrom instanceof AdaptersFrom.Registry)) {
      return command.getAsInt();
    }
    Session session = Session.open(name);
    try {
      return command.getAsInt();
    } finally {
      session.close();
    }
  }

  /** The same of the adapters that the file names one by one. */
  EngineSpec namedSpec() {
    return spec(adapters);
  }

  /** Checks all that can be checked of this job's engine, for the columns that it reads. */
  Validation validation(EngineSpec spec, Storage storage) {
    return input.messages() == null
        ? Validation.of(spec, storage)
        : Validation.ofChats(spec, storage);
  }

  /** The columns that the job names. */
  ScoringColumns columns() {
    return new ScoringColumns(
        input.text(),
        input.messages(),
        input.completion(),
        input.seed(),
        input.adapter(),
        output.column(),
        output.lineage(),
        input.key() == null && resume != null ? resume.key() : input.key());
  }

  private EngineSpec spec(Map<String, AdapterSource> sources) {
    EngineSpec spec =
        new EngineSpec(
            base, task, sources, sets, dtype, device, batching, merging, adapterMemory, onError);
    return deterministic ? spec.with(Extra.DETERMINISTIC) : spec;
  }
}
