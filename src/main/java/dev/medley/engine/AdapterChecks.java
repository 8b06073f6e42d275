package dev.medley.engine;

import dev.medley.adapter.AdapterConfig;
import dev.medley.adapter.AdapterLoader;
import dev.medley.adapter.AdapterReport;
import dev.medley.adapter.Work;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import dev.medley.model.Labels;
import dev.medley.model.TextModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Checks adapters by their small files and headers, without reading a weight but those of which a
 * hash is given. Adapters that were trained alike have equal configs and equal headers, and so
 * share what there is to say about both: of ten thousand such, one is looked at closely.
 */
final class AdapterChecks {
  /** How a problem ends that another member of a set may solve. */
  static final String NOWHERE = ": neither the base nor this adapter has it";

  private static final String STEM = "adapter_model";

  private final TextModel base;
  private final Storage storage;
  private final Map<String, AdapterConfig> configs = new ConcurrentHashMap<>();
  private final Map<Kind, Read> reads = new ConcurrentHashMap<>();

  /** By document, and by what {@link Checkpoint#headerHash} gives. */
  private record Kind(String configJson, String headerHash) {}

  /**
   * What config and header say.
   *
   * @param report null without a base
   * @param bytes of all tensors
   */
  record Read(AdapterConfig config, AdapterReport report, long bytes) {}

  /**
   * One adapter.
   *
   * @param source with its small files read, where they can be
   * @param read null where it is not known
   */
  record Checked(AdapterSource source, AdapterCheck check, Read read) {}

  /**
   * None so far.
   *
   * @param base null where it is broken: then only the files themselves are checked
   */
  AdapterChecks(TextModel base, Storage storage) {
    this.base = base;
    this.storage = storage;
  }

  /** Checks them all, in their order. */
  List<Checked> of(Map<String, AdapterSource> adapters) {
    return InParallel.map(
        List.copyOf(adapters.entrySet()), entry -> check(entry.getKey(), entry.getValue()));
  }

  private Checked check(String name, AdapterSource given) {
    AdapterSource source = given;
    AdapterConfig config = null;
    Read read = null;
    List<String> problems = new ArrayList<>();
    try {
      AdapterRef.checkName(name);
      source = given.resolve(storage);
      config = config(source);
      Labels labels = source.headLabels();
      read = read(config, source);
      problems.addAll(hashProblems(source));
      if (base != null) {
        problems.addAll(baseProblems(read.report, labels));
      }
    } catch (LoadException | IllegalArgumentException e) {
      problems.add(e.getMessage());
    }
    long bytes = read == null ? 0 : read.bytes;
    Work work = read == null || read.report == null ? Work.NONE : read.report.work();
    AdapterCheck check =
        config == null
            ? new AdapterCheck(name, null, null, null, bytes, work, List.copyOf(problems))
            : new AdapterCheck(
                name,
                config.type().name(),
                config.rank(),
                config.targetNames(),
                bytes,
                work,
                List.copyOf(problems));
    return new Checked(source, check, read);
  }

  private AdapterConfig config(AdapterSource source) {
    AdapterConfig known = configs.get(source.configJson());
    if (known != null) {
      return known;
    }
    AdapterConfig config = source.config(); // its errors name the file, and so are not kept
    configs.put(config.json(), config);
    return config;
  }

  private Read read(AdapterConfig config, AdapterSource source) {
    Optional<Kind> kind =
        Checkpoint.headerHash(storage, source.location(), STEM)
            .map(hash -> new Kind(config.json(), hash));
    Read known = kind.map(reads::get).orElse(null);
    if (known != null) {
      return known;
    }
    Map<String, TensorInfo> headers = Checkpoint.headers(storage, source.location(), STEM);
    Read read =
        new Read(
            config,
            base == null ? null : new AdapterLoader(base.modules(), null).check(config, headers),
            headers.values().stream().mapToLong(TensorInfo::bytes).sum());
    kind.ifPresent(of -> reads.put(of, read));
    return read;
  }

  private List<String> hashProblems(AdapterSource source) {
    try {
      source.verify(storage);
      return List.of();
    } catch (LoadException e) {
      return List.of(e.getMessage());
    }
  }

  private List<String> baseProblems(AdapterReport report, Labels labels) {
    List<String> problems = new ArrayList<>(report.problems());
    for (String parameter : base.absent()) {
      if (!report.shapes().containsKey(parameter)) {
        problems.add(parameter + NOWHERE);
      }
    }
    problems.addAll(Validation.labelProblems(labels.names(), base.modules(), report));
    return problems;
  }
}
