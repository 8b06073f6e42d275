package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Prediction.Likelihood;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.Task;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** {@code score} and {@code validate} of decoders end to end, in local mode. */
class GenerationJobTest {
  private static final List<String> ADAPTERS = Arrays.asList("lora", "oft", null, "lora+oft");

  @RegisterExtension static final JobSession SESSION = new JobSession();

  @TempDir Path folder;
  private Path base;
  private String job;

  @BeforeEach
  void writeJob() throws IOException {
    base = Files.createDirectory(folder.resolve("base"));
    DecoderFolder.ofChats("llama", base);
    String text =
        """
        medley {
          base = "%s"
          task = "text-generation"
          adapters { lora = "%s", oft = "%s" }
          input { format = json, path = "%s/rows.jsonl" }
          output { format = json, path = "%s/out" }
          text-generation { max-new-tokens = 5, eos-token-ids = [] }
        }
        """
            .formatted(base, path("lora"), path("oft"), folder, folder);
    job = Files.writeString(folder.resolve("job.conf"), text).toString();
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      String adapter = ADAPTERS.get(i % 4) == null ? "null" : "\"" + ADAPTERS.get(i % 4) + "\"";
      lines.add(
          ("{\"id\": %d, \"text\": \"t20 t%d t22\", \"adapter\": %s, \"answer\": \" t%d t8\","
                  + " \"number\": %d, \"chat\": [{\"role\": \"user\", \"content\": \"t%d\"}]}")
              .formatted(i, 30 + i, adapter, 40 + i, i, 30 + i));
    }
    Files.write(folder.resolve("rows.jsonl"), lines);
  }

  private static String path(String adapter) {
    return DecoderFolder.adapters("llama").get(adapter).uri();
  }

  private CommandLineRun run(String command, String... overrides) {
    List<String> args = new ArrayList<>(List.of(command, job));
    args.addAll(List.of(overrides));
    return CommandLineRun.of(args.toArray(String[]::new));
  }

  private List<Row> scored() {
    return SESSION.spark().read().json(folder + "/out").orderBy("id").collectAsList();
  }

  private List<Result> byEngine(Task task, List<Request> requests) {
    Map<String, AdapterSource> adapters =
        Map.of("lora", AdapterSource.of(path("lora")), "oft", AdapterSource.of(path("oft")));
    try (Engine engine = Engine.load(EngineSpec.of(base.toString(), task, adapters))) {
      return engine.run(requests);
    }
  }

  private static Request prompt(int i) {
    return Request.of("t20 t" + (30 + i) + " t22", ADAPTERS.get(i % 4));
  }

  private void areTheEngines(TextGeneration task, List<Request> requests) {
    List<Result> expected = byEngine(task, requests);
    List<Row> rows = scored();
    assertThat(rows).hasSize(12);
    for (int i = 0; i < 12; i++) {
      Generation generation = (Generation) expected.get(i).prediction();
      Row prediction = rows.get(i).getAs("prediction");
      assertThat(prediction.<String>getAs("text")).isEqualTo(generation.text());
      assertThat(prediction.<String>getAs("finish_reason")).isEqualTo("length");
      assertThat(prediction.<Long>getAs("prompt_tokens")).isEqualTo(3);
      assertThat(prediction.<Long>getAs("generated_tokens")).isEqualTo(5);
      assertThat(prediction.<Long>getList(prediction.fieldIndex("tokens")))
          .isEqualTo(Arrays.stream(generation.tokens()).asLongStream().boxed().toList());
    }
  }

  private static final TextGeneration FIVE =
      TextGeneration.AUTO.withMaxNewTokens(5).withEosTokenIds(List.of());

  @Test
  void promptsAreContinuedUnderTheirAdapters() {
    CommandLineRun run = run("score");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out()).startsWith("rows             12\nerrors           0\n");
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      requests.add(prompt(i));
    }
    areTheEngines(FIVE, requests);
  }

  /** The template makes of a chat the prompt of the same row. */
  @Test
  void chatsAreAnsweredWithDrawsOfTheirOwn() {
    String[] draws = {
      "text-generation.do-sample=true",
      "text-generation.seed=7",
      "text-generation.top-p=0.9",
      "text-generation.temperature=1.3",
      "input.seed=number",
      "input.messages=chat"
    };
    CommandLineRun run = run("score", draws);
    assertThat(run.err()).isEmpty();
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      requests.add(prompt(i).withSeed((long) i));
    }
    areTheEngines(FIVE.withDoSample(true).withSeed(7).withTopP(0.9).withTemperature(1.3), requests);
  }

  @Test
  void answersAreScoredAfterTheirPrompts() {
    CommandLineRun run = run("score", "task=text-scoring", "input.completion=answer");
    assertThat(run.err()).isEmpty();
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      requests.add(
          Request.ofCompletion(prompt(i).text(), " t" + (40 + i) + " t8", ADAPTERS.get(i % 4)));
    }
    List<Result> expected = byEngine(TextScoring.AUTO, requests);
    List<Row> rows = scored();
    for (int i = 0; i < 12; i++) {
      Likelihood likelihood = (Likelihood) expected.get(i).prediction();
      Row prediction = rows.get(i).getAs("prediction");
      assertThat(prediction.<Double>getAs("log_likelihood"))
          .isCloseTo(likelihood.logLikelihood(), Offset.offset(1e-4));
      assertThat(prediction.<Boolean>getAs("is_greedy")).isEqualTo(likelihood.isGreedy());
      assertThat(prediction.getList(prediction.fieldIndex("tokens"))).hasSize(2);
    }
  }

  @Test
  void badChatsAreCountedByCode() throws IOException {
    Files.write(
        folder.resolve("rows.jsonl"),
        List.of(
            "{\"chat\": [{\"role\": \"user\", \"content\": \"t5\"}]}",
            "{\"chat\": [{\"role\": \"user\"}]}",
            "{\"chat\": []}",
            "{\"chat\": null, \"adapter\": \"lora\"}"));
    CommandLineRun run = run("score", "input.messages=chat");
    assertThat(run.out())
        .startsWith("rows             4\nerrors           3: MESSAGES_UNFIT 2, TEXT_NULL 1\n");
    CommandLineRun failing =
        run("score", "input.messages=chat", "on-error=fail", "output.path=" + folder + "/other");
    assertThat(failing.err())
        .isEqualTo(
            "medley score failed: row 1: MESSAGES_UNFIT: messages[0].content: expected a string,"
                + " found null\n");
  }

  @Test
  void explainShowsCountsAndLoadsForModesAreNotChosenBeforehand() {
    CommandLineRun run = run("explain");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out().replaceAll(" +", " "))
        .containsPattern("\n__base__ 3 27 1 - - - 0 B\n")
        .containsPattern("\nlora\\+oft 3 27 1 - - - [0-9.]+ KiB\n")
        .contains("\nrows 12 in 1 partitions\n", "\nmodes none are chosen: shares are added")
        .doesNotContain("base products", "SECONDS 0");
  }

  @Test
  void validateSaysWhatGenerationLacks() throws IOException {
    CommandLineRun fine = run("validate", "input.messages=chat");
    assertThat(fine.err()).isEmpty();
    assertThat(fine.code()).isEqualTo(Medley.OK);
    assertThat(fine.out().replaceAll("\\s+", " "))
        .contains("base " + base + " (text-generation)")
        .contains("(json): adapter, answer, chat, id, number, text")
        .endsWith("problems none ");

    Files.delete(base.resolve("chat_template.jinja"));
    Files.writeString(base.resolve("generation_config.json"), "{\"num_beams\": 4}");
    CommandLineRun bad = run("validate", "input.messages=chat", "input.seed=text", "max-length=65");
    assertThat(bad.code()).isEqualTo(Medley.FAILED);
    assertThat(bad.out().replaceAll("\\s+", " "))
        .contains("messages need a chat template, found neither chat_template.jinja nor")
        .contains("generation_config.json: num_beams: ")
        .contains("max-length: expected at most 64, the positions of this model, got 65")
        .contains("seed column text: expected bigint or a smaller integer, found string")
        .endsWith("problems 4 ");
    assertThat(run("validate", "task=text-scoring").out()).endsWith("problems  none\n");
    assertThat(run("score", "input.messages=chat").code()).isEqualTo(Medley.FAILED);
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void generationOfAnEncoderIsRefused() {
    String bert = Fixtures.path("models/bert-sequence").toString();
    CommandLineRun run = run("score", "base=" + bert, "adapters=null");
    assertThat(run.code()).isEqualTo(Medley.FAILED);
    assertThat(run.err())
        .contains(
            "config.json: model_type: expected one of [gpt2, llama, mistral, qwen2, qwen3, gemma2,"
                + " gemma3_text, phi3] for this task, found bert");
  }

  @Test
  void csvHoldsGenerationsAsJson() {
    assertThat(run("score", "output.format=csv", "output.options.header=true").err()).isEmpty();
    assertThat(
            SESSION
                .spark()
                .read()
                .option("header", "true")
                .csv(folder + "/out")
                .selectExpr("get_json_object(prediction, '$.finish_reason')")
                .distinct()
                .first()
                .getString(0))
        .isEqualTo("length");
  }
}
