package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.SparkJvm;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Merging;
import dev.medley.engine.Prediction;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Prediction.Likelihood;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.Task;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.Validation;
import dev.medley.io.Storage;
import dev.medley.spark.AdapterAffinity;
import dev.medley.spark.Scoring;
import dev.medley.spark.ScoringColumns;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same bytes for the same row, on models that are wide enough for libtorch to do otherwise. */
class DeterminismTest {
  private static final EncoderShape SHAPE = new EncoderShape(192, 768, 3, 6, 2000);
  private static final List<String> ADAPTERS = List.of("lora0", "oft0", "loha0", "lokr0");
  private static final List<String> SETS =
      Arrays.asList(null, "lora0", "oft0", "loha0+lokr0", "0.5*lora0+oft0");

  /** Batch sizes, tokens of a batch and windows that put a row beside others each time. */
  private static final List<Batching> BATCHINGS =
      List.of(
          Batching.DEFAULT,
          new Batching(5, 4096, 64, 0, true),
          new Batching(32, 90, 13, 0, true),
          new Batching(7, 4096, 1, 0, true));

  @TempDir static Path folder;
  private static List<Request> requests;

  @BeforeAll
  static void writeModels() {
    requests = encoder(folder);
    DecoderFolder.write(folder.resolve("decoder"), DecoderFolder.Shape.TINY, 2, 1);
  }

  /** Writes an encoder, and says what is asked of it. */
  static List<Request> encoder(Path folder) {
    EncoderFolder.write(folder.resolve("encoder"), SHAPE);
    AdapterFolders adapters = new AdapterFolders(folder.resolve("adapters"), SHAPE);
    ADAPTERS.forEach(adapters::folder);
    int[] lengths = BenchTexts.logNormal(40, 24, 6, 100, 3);
    List<String> texts = BenchTexts.of(folder.resolve("encoder")).texts(lengths, 5);
    return IntStream.range(0, texts.size())
        .mapToObj(i -> Request.of(texts.get(i), SETS.get(i % SETS.size())))
        .toList();
  }

  static EngineSpec encoderSpec(Path folder) {
    Map<String, AdapterSource> sources = new HashMap<>();
    ADAPTERS.forEach(
        name -> sources.put(name, AdapterSource.of(folder.resolve("adapters/" + name).toString())));
    return EngineSpec.of(folder.resolve("encoder").toString(), FeatureExtraction.AUTO, sources);
  }

  private static EngineSpec decoderSpec(Task task) {
    Map<String, AdapterSource> sources = new HashMap<>();
    for (String name : List.of("a0", "a1")) {
      sources.put(name, AdapterSource.of(folder.resolve("decoder/adapters/" + name).toString()));
    }
    return EngineSpec.of(folder.resolve("decoder").toString(), task, sources);
  }

  private static List<Request> prompts(String completion) {
    Random random = new Random(11);
    List<String> sets = Arrays.asList(null, "a0", "a1", "a1+a0");
    List<Request> prompts = new ArrayList<>();
    for (int i = 0; i < 24; i++) {
      long[] ids = random.longs(2 + random.nextInt(40), 3, 8_000).toArray();
      String text = DecoderFolder.text(ids);
      String set = sets.get(i % sets.size());
      prompts.add(
          completion == null ? Request.of(text, set) : Request.ofCompletion(text, completion, set));
    }
    return prompts;
  }

  /** Everything that a prediction says, to the bit. */
  static String bits(Prediction prediction) {
    if (prediction instanceof Embedding embedding) {
      return hex(embedding.values());
    }
    if (prediction instanceof Likelihood scored) {
      return Double.doubleToRawLongBits(scored.logLikelihood()) + " " + hex(scored.logProbs());
    }
    return Arrays.toString(((Generation) prediction).tokens());
  }

  private static String hex(float[] values) {
    return IntStream.range(0, values.length)
        .mapToObj(i -> Integer.toHexString(Float.floatToRawIntBits(values[i])))
        .collect(Collectors.joining(" "));
  }

  private static List<String> alone(EngineSpec spec, List<Request> asked) {
    try (Engine engine = Engine.load(spec)) {
      return asked.stream()
          .map(request -> bits(engine.run(List.of(request)).get(0).prediction()))
          .toList();
    }
  }

  /** In another order, and put back into the first. */
  private static List<String> shuffled(EngineSpec spec, List<Request> asked, long seed) {
    List<Integer> order = new ArrayList<>(IntStream.range(0, asked.size()).boxed().toList());
    Collections.shuffle(order, new Random(seed));
    String[] bits = new String[asked.size()];
    try (Engine engine = Engine.load(spec)) {
      List<Result> results = engine.run(order.stream().map(asked::get).toList());
      for (int i = 0; i < bits.length; i++) {
        bits[order.get(i)] = bits(results.get(i).prediction());
      }
    }
    return List.of(bits);
  }

  @ParameterizedTest
  @EnumSource(Merging.Mode.class)
  void bytesDependOnTheRowAlone(Merging.Mode mode) {
    EngineSpec spec = encoderSpec(folder).with(Merging.AUTO.with(mode)).with(Extra.DETERMINISTIC);
    List<String> expected = alone(spec, requests);
    assertThat(expected).doesNotHaveDuplicates();
    for (int i = 0; i < BATCHINGS.size(); i++) {
      assertThat(shuffled(spec.with(BATCHINGS.get(i)), requests, i)).isEqualTo(expected);
    }
  }

  @Test
  void withoutItTheyDependOnWhatIsBeside() {
    EngineSpec spec = encoderSpec(folder);
    assertThat(shuffled(spec, requests, 1)).isNotEqualTo(alone(spec, requests));
  }

  @Test
  void likelihoodsAreTheSameToTheBit() {
    EngineSpec spec = decoderSpec(TextScoring.AUTO);
    List<Request> asked = prompts(" t9 t17 t4000");
    List<String> expected = alone(spec.with(Extra.DETERMINISTIC), asked);
    for (int i = 0; i < BATCHINGS.size(); i++) {
      EngineSpec other = spec.with(Extra.DETERMINISTIC).with(BATCHINGS.get(i));
      assertThat(shuffled(other, asked, i)).isEqualTo(expected);
    }
    assertThat(shuffled(spec, asked, 1)).isNotEqualTo(alone(spec, asked));
  }

  /** In bfloat16, where logits differ most. */
  @Test
  void continuationsAreTheSameTokenForToken() {
    TextGeneration task =
        TextGeneration.AUTO
            .withMaxNewTokens(6)
            .withEosTokenIds(List.of())
            .withDoSample(true)
            .withTemperature(4.0)
            .withSeed(3);
    EngineSpec spec = decoderSpec(task).with(Precision.BFLOAT16).with(Extra.DETERMINISTIC);
    List<Request> asked = prompts(null);
    List<String> expected = alone(spec, asked);
    for (int i = 0; i < BATCHINGS.size(); i++) {
      assertThat(shuffled(spec.with(BATCHINGS.get(i)), asked, i)).isEqualTo(expected);
    }
  }

  /** A row alone has as much memory for keys and values as rows of a batch have together. */
  @Test
  void longTextsHaveRoomThoughRowsAreAlone() {
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(2).withEosTokenIds(List.of());
    String text = "t7 ".repeat(1500).strip();
    try (Engine engine =
        Engine.load(
            decoderSpec(task).with(Extra.DETERMINISTIC).with(new Batching(1, 64, 8, 0, true)))) {
      assertThat(engine.run(List.of(Request.of(text))).get(0).error()).isNull();
    }
  }

  @Test
  void partitionsOrderAndMovingChangeNothing() throws Exception {
    try (SparkSession session =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .getOrCreate()) {
      sameBits(session);
    }
  }

  private static void sameBits(SparkSession session) {
    List<Row> rows = rows(requests);
    Map<Integer, String> expected = null;
    for (int partitions : new int[] {1, 3, 7}) {
      for (AdapterAffinity affinity : List.of(AdapterAffinity.OFF, AdapterAffinity.ON)) {
        Collections.shuffle(rows, new Random(partitions));
        Map<Integer, String> bits = scored(session, folder, rows, partitions, affinity);
        assertThat(bits).hasSize(requests.size());
        expected = expected == null ? bits : expected;
        assertThat(bits).isEqualTo(expected);
      }
    }
  }

  private static List<Row> rows(List<Request> asked) {
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < asked.size(); id++) {
      List<String> set = asked.get(id).adapter();
      rows.add(RowFactory.create(id, asked.get(id).text(), set.isEmpty() ? null : set.get(0)));
    }
    return rows;
  }

  /** Bits by id. */
  private static Map<Integer, String> scored(
      SparkSession session, Path models, List<Row> rows, int partitions, AdapterAffinity affinity) {
    Validation checked =
        Validation.of(encoderSpec(models).with(Extra.DETERMINISTIC), Storage.standard());
    checked.orThrow();
    StructType type = StructType.fromDDL("id int, text string, adapter string");
    Dataset<Row> in = session.createDataFrame(rows, type).repartition(partitions);
    ScoringColumns columns = new ScoringColumns("text", "adapter", "prediction");
    Map<Integer, String> bits = new TreeMap<>();
    Scoring.score(in, checked.spec(), columns, affinity, null)
        .collectAsList()
        .forEach(row -> bits.put(row.getInt(0), hex(row.getList(3))));
    return bits;
  }

  private static String hex(List<Float> values) {
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values.get(i);
    }
    return hex(floats);
  }

  /** Each in a JVM of its own, since the tests themselves run with OMP_NUM_THREADS. */
  @Test
  @Tag("long")
  void tasksHaveOneThreadSoThatCpusChangeNothing() throws Exception {
    String one = digest("1");
    assertThat(one).contains("1 threads");
    assertThat(one.lines()).hasSize(1 + requests.size());
    assertThat(digest("2")).isEqualTo(one);
  }

  private static String digest(String cpus) throws Exception {
    return new SparkJvm(Digest.class, folder.toString(), cpus)
        .with("-Dlog4j2.configurationFile=conf/log4j2.properties")
        .ofManyThreads()
        .run(folder.resolve("digest" + cpus), folder.resolve("log" + cpus));
  }

  /** Prints all bits of all rows, and how many threads made them. */
  static final class Digest {
    private Digest() {}

    public static void main(String[] args) throws Exception {
      Path models = Path.of(args[0]);
      try (SparkSession session =
          SparkSession.builder()
              .master("local[2]")
              .config("spark.ui.enabled", "false")
              .config("spark.task.cpus", args[1])
              .getOrCreate()) {
        Map<Integer, String> bits =
            scored(session, models, rows(encoder(models)), 3, AdapterAffinity.OFF);
        System.out.println(Torch.threads() + " threads");
        bits.values().forEach(System.out::println);
      }
    }
  }
}
