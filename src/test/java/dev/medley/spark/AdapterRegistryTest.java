package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.io.Sha256;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterRegistryTest {
  private static final Path MODEL = Fixtures.path("models/bert-sequence");
  private static final String ALL = "name string, uri string, sha256 string, labels array<string>";
  private static final String HASH = "0123456789abcdef".repeat(4);

  private static Dataset<Row> registry(String schema, Object[]... rows) {
    List<Row> all = Arrays.stream(rows).map(RowFactory::create).toList();
    return LocalSpark.session().createDataFrame(all, StructType.fromDDL(schema));
  }

  private static Object[] row(Object... values) {
    return values;
  }

  private static Map<String, AdapterSource> read(Dataset<Row> registry) {
    List<String> problems = new ArrayList<>();
    Map<String, AdapterSource> sources = AdapterRegistry.read(registry, problems);
    assertThat(problems).isEmpty();
    return sources;
  }

  private static List<String> problems(Dataset<Row> registry) {
    List<String> problems = new ArrayList<>();
    AdapterRegistry.read(registry, problems);
    return problems;
  }

  @Test
  void everyRowIsAnAdapter() {
    Dataset<Row> registry =
        registry(
            ALL,
            row("plain", "s3a://b/plain", null, null),
            row("pinned", "adapters/pinned.zip", HASH, new String[0]),
            row("blank", "x", " ", null),
            row("named", "/n", " " + HASH.toUpperCase() + " ", new String[] {"calm", "angry"}));
    assertThat(read(registry))
        .containsExactly(
            Map.entry("plain", AdapterSource.of("s3a://b/plain")),
            Map.entry("pinned", AdapterSource.of("adapters/pinned.zip").withSha256(HASH)),
            Map.entry("blank", AdapterSource.of("x")),
            Map.entry("named", AdapterSource.of("/n", List.of("calm", "angry")).withSha256(HASH)));
  }

  @Test
  void columnsMayBeFewerInAnyOrderAndOfOtherCase() {
    assertThat(read(registry("Path string, NAME string", row("/p", "a"))))
        .containsExactly(Map.entry("a", AdapterSource.of("/p")));
    assertThat(
            read(
                registry(
                    "labels string, name string, path string",
                    row("[\"x\", \"y\"]", "a", "/p"),
                    row(" ", "b", "/q"),
                    row(null, "c", "/r"))))
        .containsExactly(
            Map.entry("a", AdapterSource.of("/p", List.of("x", "y"))),
            Map.entry("b", AdapterSource.of("/q")),
            Map.entry("c", AdapterSource.of("/r")));
  }

  @Test
  void allProblemsOfRowsComeAtOnce() {
    assertThat(
            problems(
                registry(
                    ALL,
                    row("fine", "/f", null, null),
                    row("fine", "/g", null, null),
                    row("a+b", " ", "12", null),
                    row(null, "s3a://key:secret@b/m", "12", null),
                    row("lab", "/l", null, new String[] {"x", null}))))
        .containsExactly(
            "row 1 (\"fine\"): name: another row has it",
            "row 2 (\"a+b\"): adapter name: expected one without +, * and outer blanks that is not"
                + " __base__, got \"a+b\"",
            "row 2 (\"a+b\"): uri: expected a path or URI, found none",
            "row 3: adapter name: expected one without +, * and outer blanks that is not __base__,"
                + " got \"\"",
            "row 3: sha256: expected 64 hexadecimal digits, got 12",
            "row 4 (\"lab\"): labels: expected strings, found null among them");
    for (String labels : List.of("x, y", "{\"a\": \"b\"}", "[1]", "[null]", "\"x\"")) {
      assertThat(
              problems(registry("name string, uri string, labels string", row("a", "/a", labels))))
          .hasSize(1)
          .allMatch(problem -> problem.startsWith("row 0 (\"a\"): labels: expected a JSON array"));
    }
  }

  @Test
  void columnsAreCheckedBeforeRows() {
    assertThat(problems(registry("nam string, url string, sha256 int, labels array<int>")))
        .containsExactly(
            "column nam: unknown; known is name",
            "column url: unknown; known is uri",
            "column sha256: expected string, found int",
            "column labels: expected string or array<string>, found array<int>",
            "column name: expected string, found no such column",
            "column uri or path: expected one of them, found none");
    assertThat(problems(registry("name string, uri string, path string", row(null, null, null))))
        .containsExactly("column uri or path: expected one of them, found both");
  }

  @Test
  void thousandsOfProblemsAreCounted() {
    Object[][] rows =
        IntStream.range(0, 1000).mapToObj(i -> row("a" + i, "")).toArray(Object[][]::new);
    assertThat(problems(registry("name string, uri string", rows)))
        .hasSize(101)
        .endsWith("… and 900 more");
  }

  @Test
  void transformerKeepsWhatARegistrySaysWhenItIsSavedAndLoaded(@TempDir Path folder)
      throws Exception {
    String qv = LocalSpark.adapter(MODEL, "qv");
    String head = LocalSpark.adapter(MODEL, "head-2-labels");
    String hash = Sha256.of(Path.of(qv, "adapter_model.safetensors"));
    TextClassifier classifier =
        new TextClassifier()
            .setModel(MODEL.toString())
            .setAdapterCol("adapter")
            .addAdapter("gone", "/gone")
            .setAdaptersFrom(
                registry(
                    ALL,
                    row("qv", qv, hash, null),
                    row("head", head, null, new String[] {"a", "b"})))
            .addAdapter("one-more", qv);
    classifier.write().save(folder.resolve("stage").toString());
    TextClassifier loaded = TextClassifier.load(folder.resolve("stage").toString());
    assertThat(loaded.getAdapters())
        .containsExactly(Map.entry("qv", qv), Map.entry("head", head), Map.entry("one-more", qv));
    Dataset<Row> rows = LocalSpark.rows(LocalSpark.random(8, 3, "head", "qv", "one-more"));
    List<Row> scored = loaded.transform(rows).collectAsList();
    LocalSpark.assertSame(scored, classifier.transform(rows).collectAsList());
    assertThat(scored)
        .filteredOn(row -> row.getString(2).equals("head"))
        .isNotEmpty()
        .allMatch(row -> List.of("a", "b").contains(row.getStruct(3).getString(0)));

    classifier.setAdaptersFrom(registry(ALL, row("qv", qv, HASH, null)));
    assertThat(classifier.transform(rows.filter("adapter = 'qv'")).collectAsList())
        .isNotEmpty()
        .allMatch(row -> row.getStruct(4).getString(1).contains("sha256: expected " + HASH));
    assertThatThrownBy(() -> classifier.setAdaptersFrom(registry("name string", row("a"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("column uri or path: expected one of them, found none");
  }

  /** Some tenths of a second on a quiet machine. */
  @Test
  void tenThousandRowsAreReadInSeconds() {
    Dataset<Row> registry =
        LocalSpark.session()
            .range(10_000)
            .selectExpr(
                "concat('a', id) as name",
                "concat('s3a://bucket/adapters/', id) as uri",
                "sha2(string(id), 256) as sha256",
                "array('calm', 'angry') as labels");
    long start = System.nanoTime();
    TextClassifier classifier = new TextClassifier().setAdaptersFrom(registry);
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    assertThat(classifier.getAdapters())
        .hasSize(10_000)
        .containsEntry("a7", "s3a://bucket/adapters/7");
    assertThat(took).isLessThan(Duration.ofSeconds(30));
  }
}
