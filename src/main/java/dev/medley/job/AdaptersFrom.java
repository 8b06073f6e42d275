package dev.medley.job;

import dev.medley.engine.AdapterGlob;
import dev.medley.engine.AdapterSource;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.job.JobConf.Format;
import dev.medley.spark.AdapterRegistry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Where a job's adapters come from beside those that it names one by one. */
sealed interface AdaptersFrom {

  /** Reads {@code adapters-from}; null where there is none. */
  static AdaptersFrom parse(HoconObject medley) {
    if (!medley.isObject("adapters-from")) {
      String pattern = medley.string("adapters-from", null);
      if (pattern != null && !AdapterGlob.isOne(pattern)) {
        medley.problem(
            "adapters-from",
            "expected a folder and a pattern of names in it, such as adapters/*, or an object with"
                + " a table or with a format and a path, found "
                + Location.shown(pattern));
      } else if (pattern != null) {
        medley.checked("adapters-from", AdapterGlob::parent, pattern);
      }
      return pattern == null ? null : new Folders(pattern);
    }
    HoconObject registry = medley.object("adapters-from");
    if (registry.has("table")) {
      return new Registry(registry.string("table"), null, null, Map.of());
    }
    List<String> formats = List.of("json", "csv", "parquet", "orc");
    return new Registry(
        null,
        Format.named(registry.word("format", formats)),
        JobConf.path(registry),
        registry.options("options"));
  }

  /** For people, without a user. */
  String shown();

  /**
   * By the name that rows use.
   *
   * @throws LoadException with every problem
   */
  Map<String, AdapterSource> read(Storage storage);

  /** A folder and a pattern of names in it, such as {@code adapters/*}. */
  record Folders(String pattern) implements AdaptersFrom {
    @Override
    public String shown() {
      return Location.shown(pattern);
    }

    @Override
    public Map<String, AdapterSource> read(Storage storage) {
      Map<String, AdapterSource> sources = new TreeMap<>();
      AdapterGlob.folders(pattern, storage)
          .forEach((name, folder) -> sources.put(name, AdapterSource.of(folder.uri())));
      return sources;
    }
  }

  /**
   * Rows that say name and place of an adapter each, as {@link AdapterRegistry} reads them.
   *
   * @param table of a catalog; null where they are in files
   * @param format null where they are in a table, as path
   * @param options of Spark's reader; CSV has a header unless they say otherwise
   */
  record Registry(String table, Format format, String path, Map<String, String> options)
      implements AdaptersFrom {
    @Override
    public String shown() {
      return table == null ? Location.shown(path) : "table " + table;
    }

    @Override
    public Map<String, AdapterSource> read(Storage storage) {
      String where = shown();
      List<String> problems = new ArrayList<>();
      Map<String, AdapterSource> sources;
      try (Session session = Session.open("medley")) {
        sources = AdapterRegistry.read(rows(session.spark()), problems);
      } catch (Exception e) { // Spark throws checked exceptions that it does not declare
        throw new LoadException(where, "could not be read: " + Failure.message(e), e);
      }
      if (!problems.isEmpty()) {
        throw new LoadException(where, problems);
      }
      return sources;
    }

    private Dataset<Row> rows(SparkSession spark) {
      if (table != null) {
        return spark.table(table);
      }
      Map<String, String> all = new LinkedHashMap<>(options);
      if (format == Format.CSV) {
        all.putIfAbsent("header", "true");
      }
      return spark.read().format(format.toString()).options(all).load(path);
    }
  }
}
