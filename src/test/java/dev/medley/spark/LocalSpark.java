package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Task;
import dev.medley.engine.Validation;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import scala.collection.Seq;

/** A Spark of four threads, and rows for the tiny models. */
final class LocalSpark {
  static final StructType ROWS = StructType.fromDDL("id int, text string, adapter string");

  private static final List<String> WORDS =
      List.of("the", "red", "fox", "jumps", "over", "a", "lazy", "dog", "9", "!");

  private LocalSpark() {}

  static SparkSession session() {
    return SparkSession.builder()
        .master("local[4]")
        .appName("medley")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.plugins", MedleyPlugin.class.getName())
        .getOrCreate();
  }

  /** Value by value, floats to 1e-5 of one. */
  static void assertSame(List<Row> actual, List<Row> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.size(); i++) {
      assertSame(actual.get(i), expected.get(i), "row " + i);
    }
  }

  private static void assertSame(Object actual, Object expected, String where) {
    if (expected instanceof Float score && actual instanceof Float) {
      assertThat((Float) actual).as(where).isCloseTo(score, offset(1e-5f));
    } else if (expected instanceof Row row && actual instanceof Row) {
      assertThat(((Row) actual).length()).as(where).isEqualTo(row.length());
      for (int i = 0; i < row.length(); i++) {
        assertSame(((Row) actual).get(i), row.get(i), where + ", " + i);
      }
    } else if (expected instanceof Seq<?> seq && actual instanceof Seq<?> other) {
      assertThat(other.length()).as(where).isEqualTo(seq.length());
      for (int i = 0; i < seq.length(); i++) {
        assertSame(other.apply(i), seq.apply(i), where + ", " + i);
      }
    } else {
      assertThat(actual).as(where).isEqualTo(expected);
    }
  }

  static Dataset<Row> rows(List<Row> rows) {
    return session().createDataFrame(rows, ROWS);
  }

  /** Rows under these adapters, null for the base, in turn by chance. */
  static List<Row> random(int count, long seed, String... adapters) {
    Random random = new Random(seed);
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < count; id++) {
      String text =
          random
              .ints(1 + random.nextInt(30), 0, WORDS.size())
              .mapToObj(WORDS::get)
              .collect(Collectors.joining(" "));
      rows.add(RowFactory.create(id, text, adapters[random.nextInt(adapters.length)]));
    }
    return rows;
  }

  /** The same rows, each counted when it is read. */
  static Dataset<Row> counted(Dataset<Row> rows, LongAccumulator read) {
    return rows.map(
        (MapFunction<Row, Row>)
            row -> {
              read.add(1L);
              return row;
            },
        Encoders.row(rows.schema()));
  }

  /** The same rows in one partition, each after so many milliseconds. */
  static Dataset<Row> slow(Dataset<Row> rows, long millis) {
    return rows.coalesce(1)
        .map(
            (MapFunction<Row, Row>)
                row -> {
                  Thread.sleep(millis);
                  return row;
                },
            Encoders.row(rows.schema()));
  }

  /** Starts a job and kills it once it has begun; returns when it has ended. */
  static void kill(Dataset<Row> scored, BooleanSupplier hasBegun) throws InterruptedException {
    SparkContext context = session().sparkContext();
    Thread job =
        new Thread(
            () -> {
              context.setJobGroup("kill", "to be killed", false);
              try {
                scored.collectAsList();
              } catch (Exception e) {
                // what killing is for
              }
            });
    job.start();
    waitUntil(hasBegun);
    context.cancelJobGroup("kill");
    job.join();
  }

  /** Fails where it has not come true in ten seconds: a job may end before its tasks. */
  static void waitUntil(BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 400 && !condition.getAsBoolean(); i++) {
      Thread.sleep(25);
    }
    assertThat(condition.getAsBoolean()).isTrue();
  }

  /** A tiny model under adapters of its folder, ready for executors. */
  static EngineSpec spec(Path model, Task task, String... adapters) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (String adapter : adapters) {
      sources.put(adapter, AdapterSource.of(adapter(model, adapter)));
    }
    return ready(EngineSpec.of(model.toString(), task, sources));
  }

  static EngineSpec ready(EngineSpec spec) {
    Validation validation = Validation.of(spec, Storage.standard());
    validation.orThrow();
    return validation.spec();
  }

  static String adapter(Path model, String name) {
    return model.resolve("adapters").resolve(name).toString();
  }

  /** A tiny model in a folder of its own, which nobody has loaded yet. */
  static Path freshModel(String name, Path into) throws IOException {
    Path from = Fixtures.path("models/" + name);
    Path copy = into.resolve(name);
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(from.relativize(file).toString()));
      }
    }
    return copy;
  }
}
