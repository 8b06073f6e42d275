package dev.medley.job.bench;

import ai.djl.Device;
import ai.djl.pytorch.jni.JniUtils;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.BaseModel;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Validation;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.model.Pooling;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;

/** The model, the texts, the adapters and PEFT's side, which all scenarios share. */
final class Workbench implements AutoCloseable {
  private static final FeatureExtraction TASK = new FeatureExtraction(Pooling.MEAN, true);

  private final Settings settings;
  private final EncoderShape shape;
  private final BenchTexts texts;
  private final AdapterFolders adapters;
  private final Storage storage = Storage.standard();
  private final Map<Precision, BaseModel> bases = new EnumMap<>(Precision.class);
  private final GemmPeak peak = new GemmPeak();
  private PeftEncoder peft;

  Workbench(Settings settings) {
    this.settings = settings;
    this.shape = EncoderShape.of(settings.model());
    this.texts = BenchTexts.of(settings.model());
    this.adapters = new AdapterFolders(settings.work().resolve("adapters"), shape);
  }

  Settings settings() {
    return settings;
  }

  EncoderShape shape() {
    return shape;
  }

  AdapterFolders adapters() {
    return adapters;
  }

  GemmPeak peak() {
    return peak;
  }

  /** Of libtorch, for one operation. */
  static int threads() {
    Torch.manager(Device.cpu()).close(); // loads libtorch
    return JniUtils.getNumThreads();
  }

  boolean hasPeft() {
    return settings.python() != null;
  }

  /** PEFT's side, started when it is first asked for. */
  PeftEncoder peft() {
    if (peft == null) {
      peft = new PeftEncoder(settings.python(), settings.model(), threads(), adapters);
    }
    return peft;
  }

  /** Rows of equal length, the texts of a chunk being the same whatever the sets are. */
  Rows rows(int chunk, List<String> sets) {
    return rows(chunk, sets, BenchTexts.constant(sets.size(), Job.TOKENS));
  }

  /** Rows of log-normal length. */
  Rows mixedRows(int chunk, List<String> sets) {
    return rows(chunk, sets, BenchTexts.logNormal(sets.size(), Job.TOKENS, 8, 256, chunk));
  }

  /** A row of one word for each set: what it costs is the set's. */
  Rows shortRows(List<String> sets) {
    return rows(0, sets, BenchTexts.constant(sets.size(), 3));
  }

  private Rows rows(int chunk, List<String> sets, int[] lengths) {
    return new Rows(texts.texts(lengths, chunk), lengths, sets);
  }

  /** What an engine of these adapters is made from; their folders are written. */
  EngineSpec spec(Collection<String> names) {
    Map<String, AdapterSource> sources = new HashMap<>();
    names.forEach(name -> sources.put(name, AdapterSource.of(adapters.folder(name).toString())));
    return EngineSpec.of(settings.model().toString(), TASK, sources);
  }

  /** An engine that has loaded none of these adapters yet. */
  Engine engine(Collection<String> names, UnaryOperator<EngineSpec> with) {
    return engine(with.apply(spec(names)));
  }

  /** An engine on the base that all share. */
  Engine engine(EngineSpec spec) {
    Validation validation = Validation.of(spec, storage);
    validation.orThrow();
    return Engine.on(base(spec.dtype()), storage, validation.spec());
  }

  private BaseModel base(Precision precision) {
    return bases.computeIfAbsent(
        precision,
        made ->
            BaseModel.load(
                storage,
                Location.of(settings.model().toString()),
                Head.NONE,
                Device.cpu(),
                precision));
  }

  /**
   * Someone who runs one chunk after the other.
   *
   * @param chunk the sample of a chunk by its number
   */
  record Side(String name, IntFunction<Sample> chunk) {}

  /** Each side's samples of all chunks; sides take turns, chunk after chunk. */
  List<Samples> time(int chunks, List<Side> sides) {
    List<Samples> samples = new ArrayList<>();
    sides.forEach(side -> samples.add(new Samples(side.name)));
    for (int chunk = 0; chunk < chunks; chunk++) {
      for (int i = 0; i < sides.size(); i++) {
        samples.get(i).all().add(sides.get(i).chunk.apply(chunk));
      }
    }
    peak.measure();
    return samples;
  }

  List<Samples> time(int chunks, Side... sides) {
    return time(chunks, Arrays.asList(sides));
  }

  @Override
  public void close() {
    if (peft != null) {
      peft.close();
    }
    bases.values().forEach(BaseModel::close);
  }
}
