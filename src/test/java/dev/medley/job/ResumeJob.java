package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.medley.Fixtures;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A job with {@code output.mode = resume} in a folder of its own: a base and two adapters that may
 * be trained again, and files of rows under them, under their mix and under nothing in turn.
 */
record ResumeJob(Path folder) {
  /** Rows of a file: two under each adapter value in turn, so that all chunks have all of them. */
  static final int FILE_ROWS = 120;

  /** Of FILE_ROWS. */
  static final int CHUNK_ROWS = 20;

  /** What the adapter column holds in turn. */
  static final List<String> ADAPTERS = List.of("\"qv\"", "\"other\"", "null", "\"qv+other\"");

  private static final Pattern NUMBER = Pattern.compile("[0-9]+\\.[0-9]+(E-?[0-9]+)?");

  static ResumeJob in(Path folder) throws IOException {
    copy(Fixtures.path("models/bert-sequence"), folder.resolve("base"));
    for (String name : List.of("qv", "bare-on-headed")) {
      copy(
          Fixtures.path("models/bert-sequence/adapters").resolve(name),
          folder.resolve("adapters").resolve(name.equals("qv") ? "qv" : "other"));
    }
    String job =
        """
        medley {
          base = "%1$s/base"
          task = "text-classification"
          adapters-from = "%1$s/adapters/*"
          input { format = json, path = "%1$s/in" }
          output { format = parquet, path = "%1$s/out", mode = resume }
          resume { chunk-rows = %2$d }
          device = cpu
        }
        """;
    Files.writeString(folder.resolve("job.conf"), job.formatted(folder, CHUNK_ROWS));
    Files.createDirectories(folder.resolve("in"));
    return new ResumeJob(folder);
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
  }

  Path conf() {
    return folder.resolve("job.conf");
  }

  Path out() {
    return folder.resolve("out");
  }

  /** Rows with ids from {@code first} on. */
  void input(String name, int first, int count) throws IOException {
    List<String> words = List.of("the", "red", "fox", "jumps", "over", "a", "lazy", "dog", "9");
    List<String> lines = new ArrayList<>();
    for (int id = first; id < first + count; id++) {
      StringBuilder text = new StringBuilder();
      for (int rest = id + 1; rest > 0; rest /= words.size()) {
        text.append(words.get(rest % words.size())).append(' ');
      }
      lines.add(
          "{\"id\": %d, \"text\": \"%s\", \"adapter\": %s}"
              .formatted(id, text, ADAPTERS.get(id % ADAPTERS.size())));
    }
    Files.write(folder.resolve("in").resolve(name), lines);
  }

  /** Changes a weight, and so what is predicted. */
  void train(String file) throws IOException {
    try (RandomAccessFile weights = new RandomAccessFile(folder.resolve(file).toFile(), "rw")) {
      byte[] some = new byte[400];
      for (int i = 0; i < some.length; i += 4) {
        some[i + 2] = (byte) 0x80;
        some[i + 3] = 0x3e; // 0.25
      }
      weights.seek(weights.length() - some.length);
      weights.write(some);
    }
  }

  CommandLineRun score(String... overrides) {
    List<String> args = new ArrayList<>(List.of("score", conf().toString()));
    args.addAll(List.of(overrides));
    return CommandLineRun.of(args.toArray(String[]::new));
  }

  /** A number of the table that a run prints. */
  static long count(CommandLineRun run, String what) {
    assertThat(run.err()).isEmpty();
    Matcher line = Pattern.compile("(?m)^" + what + " +([0-9]+)\\b").matcher(run.out());
    assertThat(line.find()).as(run.out()).isTrue();
    return Long.parseLong(line.group(1));
  }

  /** Predictions and errors by the row's id; fails where an id comes twice. */
  static Map<Long, String> predictions(SparkSession spark, String format, Path out) {
    return rows(spark, format, out).stream()
        .collect(
            Collectors.toMap(
                row -> Long.parseLong(row.getAs("id").toString()),
                row -> row.getAs("prediction") + " " + error(row),
                (one, other) -> {
                  throw new AssertionError("two rows of one id: " + one + ", " + other);
                },
                TreeMap::new));
  }

  /** JSON has no column where all rows have null. */
  private static Object error(Row row) {
    boolean any = List.of(row.schema().fieldNames()).contains("prediction_error");
    return any ? row.getAs("prediction_error") : null;
  }

  /** Fails where predictions are not the same but for rounding. */
  static void assertClose(Map<Long, String> found, Map<Long, String> expected) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach(
        (id, prediction) -> {
          String[] there = NUMBER.split(prediction);
          assertThat(NUMBER.split(found.get(id))).as("row %d", id).isEqualTo(there);
          assertThat(numbers(found.get(id)))
              .as("row %d", id)
              .containsExactly(numbers(prediction), within(1e-5));
        });
  }

  private static double[] numbers(String prediction) {
    return NUMBER
        .matcher(prediction)
        .results()
        .mapToDouble(n -> Double.parseDouble(n.group()))
        .toArray();
  }

  static List<Row> rows(SparkSession spark, String format, Path out) {
    return spark
        .read()
        .format(format)
        .option("header", "true")
        .load(out.toString())
        .collectAsList();
  }

  /** Files that readers see, with what is in them. */
  Map<String, String> data() {
    try (Stream<Path> files = Files.list(out())) {
      Map<String, String> hashes = new TreeMap<>();
      for (Path file : files.filter(f -> f.getFileName().toString().startsWith("part-")).toList()) {
        hashes.put(file.getFileName().toString(), dev.medley.io.Sha256.of(file));
      }
      return hashes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Names of the files of {@code _medley/NAME}. */
  List<String> hidden(String name) {
    try (Stream<Path> files = Files.list(out().resolve("_medley").resolve(name))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(file -> !file.startsWith("."))
          .sorted()
          .toList();
    } catch (java.nio.file.NoSuchFileException e) {
      return List.of();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
