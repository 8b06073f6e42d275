package dev.medley.spark;

import static dev.medley.spark.LocalSpark.session;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.medley.engine.BaseModel;
import dev.medley.engine.Batching;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.DecoderFolder.Generated;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.HeldArrays;
import dev.medley.engine.Message;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextGeneration;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.spark.SparkException;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Continuations in a Dataset, by a tiny decoder that says t5 t6 t7. */
class TextGeneratorTest {
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");
  private static final StructType PROMPTS =
      StructType.fromDDL("id int, text string, adapter string, seed bigint");
  private static final StructType CHATS =
      StructType.fromDDL(
          "id int, chat array<struct<role:string,content:string>>, adapter string, text string");
  private static final List<String> SETS =
      Arrays.asList(null, "lora", "loha", "oft+lora", "0.5*lora+loha", "both", "__base__");

  @TempDir Path folder;

  private TextGenerator generator() {
    TextGenerator generator =
        new TextGenerator()
            .setModel(folder.toString())
            .setAdapterCol("adapter")
            .setMaxNewTokens(6)
            .addSet("both", "lora", "oft");
    adapters().forEach(generator::addAdapter);
    return generator;
  }

  private static Map<String, String> adapters() {
    Map<String, String> paths = new java.util.TreeMap<>();
    for (String name : List.of("lora", "loha", "oft")) {
      paths.put(name, DecoderFolder.adapters("llama").get(name).uri());
    }
    return paths;
  }

  private EngineSpec spec(TextGeneration task) {
    var sources = DecoderFolder.adapters("llama");
    sources.keySet().retainAll(adapters().keySet());
    return LocalSpark.ready(
        EngineSpec.of(folder.toString(), task, sources)
            .withSets(Map.of("both", List.of("lora", "oft"))));
  }

  private static List<Row> prompts(int count) {
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < count; id++) {
      long[] ids = new long[1 + 7 * id % 23];
      for (int t = 0; t < ids.length; t++) {
        ids[t] = 5 + (31L * id + 17L * t + 3) % 110;
      }
      Long seed = id % 3 == 0 ? Long.valueOf(id) : null;
      rows.add(RowFactory.create(id, DecoderFolder.text(ids), SETS.get(id % SETS.size()), seed));
    }
    return rows;
  }

  private static Dataset<Row> dataset(List<Row> rows) {
    return session().createDataFrame(rows, PROMPTS);
  }

  private static List<Row> sorted(Dataset<Row> rows) {
    return rows.orderBy("id").collectAsList();
  }

  /** Asserts that rows with ids from 0 on have the engine's predictions. */
  private static void areTheEngines(List<Row> rows, EngineSpec spec, List<Request> requests) {
    List<Result> expected;
    try (Engine engine = Engine.load(spec)) {
      expected = engine.run(requests);
    }
    assertThat(rows).hasSameSizeAs(expected);
    for (int i = 0; i < rows.size(); i++) {
      assertThat(rows.get(i).<Integer>getAs("id")).isEqualTo(i);
      assertThat(rows.get(i).<Row>getAs("prediction_error")).isNull();
      Generation generation = (Generation) expected.get(i).prediction();
      Row prediction = rows.get(i).getAs("prediction");
      assertThat(prediction.getString(0)).isEqualTo(generation.text());
      assertThat(prediction.<Integer>getList(1))
          .isEqualTo(Arrays.stream(generation.tokens()).boxed().toList());
      assertThat(prediction.getString(2)).isEqualTo(generation.finishReason().toString());
      assertThat(prediction.getInt(3)).isEqualTo(generation.promptTokens());
      assertThat(prediction.getInt(4)).isEqualTo(generation.generatedTokens());
    }
  }

  private static List<Request> requests(List<Row> rows) {
    return rows.stream()
        .map(row -> Request.of(row.getString(1), row.getString(2)).withSeed(row.getAs(3)))
        .toList();
  }

  @Test
  void continuationsEqualTheEnginesRowForRowUnderAdaptersAndSets() {
    DecoderFolder.of("llama", folder);
    List<Row> rows = prompts(60);
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(6);
    Dataset<Row> made = generator().generate(dataset(rows).repartition(4));
    areTheEngines(
        sorted(made),
        spec(task),
        rows.stream().map(row -> Request.of(row.getString(1), row.getString(2))).toList());
    assertThat(made.schema()).isEqualTo(generator().transformSchema(PROMPTS));
  }

  /** Draws: by the seed, the prompt, the adapters and the row's own seed, and by nothing else. */
  @Test
  void rowGetsItsTextWhateverItsPartitionAndOrder() {
    DecoderFolder.of("llama", folder);
    List<Row> rows = prompts(60);
    TextGenerator draws =
        generator().setDoSample(true).setSeed(5).setSeedCol("seed").setTopP(0.9).setBatchSize(7);
    TextGeneration task =
        TextGeneration.AUTO.withMaxNewTokens(6).withDoSample(true).withSeed(5).withTopP(0.9);
    areTheEngines(sorted(draws.generate(dataset(rows).coalesce(1))), spec(task), requests(rows));
    Dataset<Row> moved = dataset(rows).repartition(5).sortWithinPartitions(functions.rand(3));
    List<Row> once = sorted(draws.generate(moved));
    areTheEngines(once, spec(task), requests(rows));
    assertThat(sorted(draws.setSeed(6).generate(moved))).isNotEqualTo(once);
  }

  @Test
  void equalRowsGetEqualTextsUnlessTheirSeedsDiffer() {
    DecoderFolder.of("llama", folder);
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < 8; id++) {
      rows.add(RowFactory.create(id, "t9 t8 t7", "lora", (long) id));
    }
    TextGenerator draws = generator().setDoSample(true).setMaxNewTokens(12);
    String text = "prediction.text";
    assertThat(draws.generate(dataset(rows)).select(text).distinct().count()).isEqualTo(1);
    List<Row> apart =
        sorted(draws.setSeedCol("seed").generate(dataset(rows)).select("id", "prediction"));
    assertThat(apart).extracting(row -> row.getStruct(1).getString(0)).doesNotHaveDuplicates();
    assertThat(sorted(draws.setSeedCol("id").generate(dataset(rows)).select("id", "prediction")))
        .isEqualTo(apart); // an int is as good as a bigint
  }

  @Test
  void greedyTokensArePefts() {
    DecoderFolder.of("llama", folder);
    List<Generated> expected =
        DecoderFolder.generated("llama").stream()
            .filter(row -> row.maxNewTokens() >= 9)
            .filter(row -> List.of("__base__", "lora", "loha", "oft").contains(row.set()))
            .toList();
    List<Row> rows = new ArrayList<>();
    for (Generated row : expected) {
      rows.add(RowFactory.create(rows.size(), DecoderFolder.text(row.ids()), row.set(), null));
    }
    List<Row> made = sorted(generator().setMaxNewTokens(9).generate(dataset(rows).repartition(3)));
    assertThat(made).hasSizeGreaterThan(15);
    for (int i = 0; i < made.size(); i++) {
      int[] greedy = expected.get(i).greedy();
      Row prediction = made.get(i).getAs("prediction");
      assertThat(prediction.<Integer>getList(1))
          .containsExactlyElementsOf(Arrays.stream(greedy).limit(9).boxed().toList());
      assertThat(prediction.getInt(3)).isEqualTo(expected.get(i).ids().length);
      assertThat(prediction.getInt(4)).isEqualTo(Math.min(9, greedy.length));
    }
  }

  private static Row message(String role, String content) {
    return RowFactory.create(role, content);
  }

  @Test
  void chatsAreTheirRenderedPrompts() {
    DecoderFolder.ofChats("llama", folder);
    List<Row> rows = new ArrayList<>();
    List<Request> requests = new ArrayList<>();
    for (int id = 0; id < 20; id++) {
      String asked = "t" + (30 + id);
      String prompt = "t21 t9 t20 " + asked + " t22";
      List<Row> chat = List.of(message("system", "t9"), message("user", asked));
      String adapter = SETS.get(id % SETS.size());
      rows.add(RowFactory.create(id, chat, adapter, prompt));
      requests.add(
          Request.ofChat(
              List.of(new Message("system", "t9"), new Message("user", asked)), adapter));
    }
    Dataset<Row> chats = session().createDataFrame(rows, CHATS).repartition(3);
    List<Row> answered = sorted(generator().setMessagesCol("chat").generate(chats));
    areTheEngines(answered, spec(TextGeneration.AUTO.withMaxNewTokens(6)), requests);
    List<Row> continued = sorted(generator().generate(chats));
    for (int i = 0; i < answered.size(); i++) {
      assertThat(answered.get(i).<Row>getAs("prediction"))
          .isEqualTo(continued.get(i).<Row>getAs("prediction"));
    }
  }

  /** JSON has content before role. */
  @Test
  void fieldsOfAMessageMayStandInAnyOrder() {
    DecoderFolder.ofChats("llama", folder);
    Dataset<Row> turned =
        session()
            .sql(
                "select 0 as id, null as adapter,"
                    + " array(named_struct('content', 't9', 'role', 'user')) as chat,"
                    + " 't20 t9 t22' as text");
    Row chat = generator().setMessagesCol("chat").generate(withAdapter(turned)).first();
    Row prompt = generator().generate(withAdapter(turned)).first();
    assertThat(chat.<Row>getAs("prediction")).isEqualTo(prompt.<Row>getAs("prediction"));
  }

  private static Dataset<Row> withAdapter(Dataset<Row> rows) {
    return rows.withColumn("adapter", functions.lit("lora"));
  }

  @Test
  void chatThatLacksSomethingIsItsRowsErrorAndNoOthers() {
    DecoderFolder.ofChats("llama", folder);
    List<Row> good = List.of(message("user", "t9"));
    List<List<Row>> chats =
        Arrays.asList(
            good,
            null,
            good,
            Arrays.asList(message("user", "t9"), null),
            List.of(message(null, "t9")),
            List.of(message("system", "t5"), message("user", null)),
            List.of(),
            good);
    List<Row> rows = new ArrayList<>();
    for (List<Row> chat : chats) {
      rows.add(RowFactory.create(rows.size(), chat, null, null));
    }
    Dataset<Row> in = session().createDataFrame(rows, CHATS).coalesce(1);
    List<Row> made = sorted(generator().setMessagesCol("chat").generate(in));
    assertThat(made)
        .extracting(row -> row.isNullAt(5) ? null : row.getStruct(5).mkString(": "))
        .containsExactly(
            null,
            "TEXT_NULL: messages: expected an array, found null",
            null,
            "MESSAGES_UNFIT: messages[1]: expected a message, found null",
            "MESSAGES_UNFIT: messages[0].role: expected a string, found null",
            "MESSAGES_UNFIT: messages[1].content: expected a string, found null",
            "MESSAGES_UNFIT: messages: expected at least one, got none",
            null);
    assertThat(made).allMatch(row -> row.isNullAt(4) != row.isNullAt(5));
    Row alone =
        generator()
            .setMessagesCol("chat")
            .generate(session().createDataFrame(rows.subList(0, 1), CHATS))
            .first();
    for (int i : List.of(0, 2, 7)) {
      assertThat(made.get(i).getStruct(4)).isEqualTo(alone.getStruct(4));
    }
  }

  @Test
  void sqlReadsTheFields() {
    DecoderFolder.of("llama", folder);
    List<Row> rows =
        List.of(
            RowFactory.create(0, "t9 t8 t7", null, null), RowFactory.create(1, null, null, null));
    generator().generate(dataset(rows)).createOrReplaceTempView("made");
    List<Row> found =
        session()
            .sql(
                "select id, size(split(trim(prediction.text), ' ')) as words, size(prediction.tokens),"
                    + " prediction.finish_reason, prediction.prompt_tokens,"
                    + " prediction.generated_tokens, prediction_error.code from made order by id")
            .collectAsList();
    assertThat(found.get(0)).isEqualTo(RowFactory.create(0, 6, 6, "length", 3, 6, null));
    assertThat(found.get(1).isNullAt(3)).isTrue();
    assertThat(found.get(1).getString(6)).isEqualTo("TEXT_NULL");
  }

  @Test
  void whatIsNotSetIsAsTheModelSays() throws IOException {
    DecoderFolder.of("llama", folder);
    Path config = folder.resolve("generation_config.json");
    Files.writeString(config, "{\"max_new_tokens\": 3, \"eos_token_id\": [1]}");
    Dataset<Row> rows = dataset(prompts(1));
    TextGenerator auto = new TextGenerator().setModel(folder.toString());
    Row three = auto.generate(rows).first().getStruct(4);
    assertThat(three.getInt(4)).isEqualTo(3);
    assertThat(auto.setMaxNewTokens(5).generate(rows).first().getStruct(4).getInt(4)).isEqualTo(5);
    int second = three.<Integer>getList(1).get(1);
    Row ended = auto.setEosTokenIds(second).generate(rows).first().getStruct(4);
    assertThat(ended.getString(2)).isEqualTo("eos");
    assertThat(ended.getInt(4)).isLessThanOrEqualTo(2);
    Row stopped = auto.setEosTokenIds().setStop(" t" + second).generate(rows).first().getStruct(4);
    assertThat(stopped.getString(2)).isEqualTo("stop");
    assertThat(stopped.getString(0)).isEqualTo(" " + three.getString(0).split(" ")[1]);
  }

  @Test
  void promptIsNeverCutAndMemoryMayBeTooSmallForIt() {
    DecoderFolder.of("llama", folder);
    List<Row> rows =
        List.of(
            RowFactory.create(0, "t6 ".repeat(65), null, null),
            RowFactory.create(1, "t6 ".repeat(40), null, null));
    TextGenerator small = generator().setCacheMemory(20L * 2 * 2 * 8 * 4);
    assertThat(sorted(small.setTruncation(true).generate(dataset(rows))))
        .extracting(row -> row.getStruct(5).mkString(": "))
        .containsExactly(
            "TEXT_TOO_LONG: text: expected at most 64 tokens, found 65",
            "TEXT_TOO_LONG: text: expected fewer tokens, prompt and continuation together, than the"
                + " memory for keys and values has places for, 16, found 40; raise cache-memory, or"
                + " ask for fewer new tokens");
  }

  static Stream<Arguments> wrongSchemas() {
    return Stream.of(
        wrong(
            t -> t.setMessagesCol("text"),
            "messages column text: expected array<struct<role:string,content:string>>, found"
                + " string"),
        wrong(
            t -> t.setMessagesCol("named"),
            "messages column named: expected array<struct<role:string,content:string>>, found"
                + " array<struct<role:string,content:string,name:string>>"),
        wrong(
            t -> t.setMessagesCol("from"),
            "messages column from: expected array<struct<role:string,content:string>>, found"
                + " array<struct<from:string,content:string>>"),
        wrong(
            t -> t.setMessagesCol("parts"),
            "messages column parts: expected array<struct<role:string,content:string>>, found"
                + " array<struct<role:string,content:array<string>>>"),
        wrong(
            t -> t.setMessagesCol("one"),
            "messages column one: expected array<struct<role:string,content:string>>, found"
                + " struct<role:string,content:string>"),
        wrong(
            t -> t.setMessagesCol("chats"),
            "messages column chats: expected array<struct<role:string,content:string>>, found no"
                + " such column among text, named, from, parts, one, chat, seed, twice, twice; did"
                + " you mean chat?"),
        wrong(
            t -> t.setSeedCol("text"),
            "seed column text: expected bigint or a smaller integer, found string"),
        wrong(t -> t.setSeedCol("twice"), "seed column twice: expected one, found 2 of that name"),
        wrong(
            t -> t.setInputCol("text").setMessagesCol("chat"),
            "messagesCol: expected none beside inputCol, found chat beside text; a row has a prompt"
                + " or a chat"));
  }

  private static Arguments wrong(Consumer<TextGenerator> set, String message) {
    return Arguments.of(set, message);
  }

  @ParameterizedTest
  @MethodSource("wrongSchemas")
  void columnsThatDoNotFitAreRefusedOnTheDriver(Consumer<TextGenerator> set, String message) {
    StructType in =
        StructType.fromDDL(
                "text string, named array<struct<role:string,content:string,name:string>>, from"
                    + " array<struct<from:string,content:string>>, parts"
                    + " array<struct<role:string,content:array<string>>>, one"
                    + " struct<role:string,content:string>, chat"
                    + " array<struct<role:string,content:string>>, seed int, twice int")
            .add("twice", "int");
    TextGenerator generator = new TextGenerator().setModel("m");
    set.accept(generator);
    assertThatThrownBy(() -> generator.transformSchema(in))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  static Stream<Arguments> wrongValues() {
    return Stream.of(
        wrong(t -> t.setMaxNewTokens(0), "maxNewTokens: expected a positive integer, got 0"),
        wrong(t -> t.setTemperature(0), "temperature: expected a positive number, got 0"),
        wrong(t -> t.setTopK(-1), "topK: expected 0 or a positive integer, got -1"),
        wrong(t -> t.setTopP(1.5), "topP: expected a number above 0 and at most 1, got 1.5"),
        wrong(t -> t.setMinP(-0.5), "minP: expected a number from 0 to 1, got -0.5"),
        wrong(
            t -> t.setRepetitionPenalty(-1),
            "repetitionPenalty: expected a positive number, got -1"),
        wrong(t -> t.setStop("a", ""), "stop: expected texts of at least one character, got \"\""),
        wrong(t -> t.setCacheMemory(-1), "cacheMemory: expected at least 0, got -1"));
  }

  @ParameterizedTest
  @MethodSource("wrongValues")
  void wrongValueIsRefusedWhereItIsSet(Consumer<TextGenerator> set, String message) {
    assertThatThrownBy(() -> set.accept(new TextGenerator()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void chatTemplateIsCheckedOnTheDriverBeforeAnyTaskRuns() throws IOException {
    DecoderFolder.of("llama", folder);
    Dataset<Row> chats = session().createDataFrame(List.of(), CHATS);
    TextGenerator generator = generator().setMessagesCol("chat");
    assertThatThrownBy(() -> generator.generate(chats))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("messages need a chat template, found neither");
    Files.writeString(folder.resolve("chat_template.jinja"), "{% for");
    assertThatThrownBy(() -> generator.generate(chats))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("chat_template.jinja: chat_template: line 1: ");
    assertThat(generator().generate(dataset(prompts(1))).columns()).contains("prediction");
  }

  @Test
  void pipelinesWriteChatsAndAreSavedAndLoaded() throws Exception {
    DecoderFolder.ofChats("llama", folder);
    Dataset<Row> rows = dataset(prompts(12)).coalesce(1);
    SQLTransformer chats =
        new SQLTransformer()
            .setStatement(
                "select id, adapter, array(struct('user' as role, text as content)) as chat"
                    + " from __THIS__");
    TextGenerator generator = generator().setMessagesCol("chat").setOutputCol("answer");
    Pipeline pipeline = new Pipeline().setStages(new PipelineStage[] {chats, generator});
    PipelineModel model = pipeline.fit(rows);
    String saved = folder.resolve("saved").toString();
    model.write().overwrite().save(saved);
    List<Row> expected = model.transform(rows).collectAsList();
    assertThat(PipelineModel.load(saved).transform(rows).collectAsList()).isEqualTo(expected);
    assertThat(expected).hasSize(12).noneMatch(row -> row.isNullAt(row.fieldIndex("answer")));
  }

  @Test
  void streamsAreContinued() throws Exception {
    DecoderFolder.of("llama", folder);
    List<Row> rows = prompts(20);
    String in = Files.createTempDirectory(folder, "in").toString();
    dataset(rows.subList(0, 10)).write().mode("append").json(in);
    Dataset<Row> made = generator().generate(session().readStream().schema(PROMPTS).json(in));
    StreamingQuery query =
        made.writeStream().format("memory").queryName("continued").outputMode("append").start();
    try {
      query.processAllAvailable();
      dataset(rows.subList(10, 20)).write().mode("append").json(in);
      query.processAllAvailable();
    } finally {
      query.stop();
    }
    areTheEngines(
        sorted(session().table("continued")),
        spec(TextGeneration.AUTO.withMaxNewTokens(6)),
        rows.stream().map(row -> Request.of(row.getString(1), row.getString(2))).toList());
  }

  /** The engine that tasks of this JVM run the spec on, kept open. */
  private static ExecutorEngines.Lease lease(EngineSpec spec) {
    Scoring.score(dataset(prompts(1)), spec, COLUMNS, null).collectAsList();
    Storage storage = ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(session()));
    EngineSpec absolute = Scoring.withAbsolutePaths(spec);
    List<String> versions = BaseModel.versions(storage, Location.of(absolute.base()));
    return ExecutorEngines.OF_THIS_JVM.lease(absolute, versions, storage, Device.cpu());
  }

  private EngineSpec narrow() {
    TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(20).withEosTokenIds(List.of());
    return spec(task).with(new Batching(4, 64, 8, 0, true));
  }

  @Test
  void taskThatIsLeftEarlyLeavesNothing() throws Exception {
    DecoderFolder.of("llama", folder);
    EngineSpec spec = narrow();
    ExecutorEngines.Lease lease = lease(spec);
    int held = HeldArrays.of(lease.engine());
    Dataset<Row> made = Scoring.score(dataset(prompts(40)).coalesce(1), spec, COLUMNS, null);
    assertThat(made.limit(3).collectAsList()).hasSize(3);
    LocalSpark.waitUntil(
        () -> ExecutorEngines.OF_THIS_JVM.leases() == 1); // a job may end before its tasks
    assertThat(HeldArrays.of(lease.engine())).isEqualTo(held);
    assertThat(made.collectAsList()).hasSize(40);
    LocalSpark.waitUntil(() -> ExecutorEngines.OF_THIS_JVM.leases() == 1);
    assertThat(HeldArrays.of(lease.engine())).isEqualTo(held);
    lease.close();
  }

  @Test
  void taskThatFailsLeavesNothing() throws Exception {
    DecoderFolder.of("llama", folder);
    List<Row> rows = new ArrayList<>(prompts(40));
    rows.set(20, RowFactory.create(20, "", null, null));
    EngineSpec spec = narrow().with(OnError.FAIL);
    ExecutorEngines.Lease lease = lease(spec);
    int held = HeldArrays.of(lease.engine());
    Dataset<Row> made = Scoring.score(dataset(rows).coalesce(1), spec, COLUMNS, null);
    assertThatThrownBy(made::collectAsList)
        .isInstanceOf(SparkException.class)
        .hasMessageContaining("row 20 (both from 0): TEXT_EMPTY: text: expected a character");
    LocalSpark.waitUntil(() -> ExecutorEngines.OF_THIS_JVM.leases() == 1);
    assertThat(HeldArrays.of(lease.engine())).isEqualTo(held);
    lease.close();
  }

  @Test
  void taskThatIsKilledLeavesNothing() throws Exception {
    DecoderFolder.of("llama", folder);
    EngineSpec spec = narrow();
    ExecutorEngines.Lease lease = lease(spec);
    int held = HeldArrays.of(lease.engine());
    Dataset<Row> slow = LocalSpark.slow(dataset(prompts(5_000)), 5);
    LocalSpark.kill(
        Scoring.score(slow, spec, COLUMNS, null), () -> HeldArrays.of(lease.engine()) > held);
    LocalSpark.waitUntil(() -> ExecutorEngines.OF_THIS_JVM.leases() == 1);
    assertThat(HeldArrays.of(lease.engine())).isEqualTo(held);
    lease.close();
  }
}
