package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.DeviceChoice;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Merging;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextClassification.Function;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import dev.medley.io.LoadException;
import dev.medley.io.Storage;
import dev.medley.job.JobConf.Format;
import dev.medley.job.JobConf.Input;
import dev.medley.job.JobConf.Output;
import dev.medley.job.JobConf.Resume;
import dev.medley.model.Pooling;
import dev.medley.spark.AdapterAffinity;
import dev.medley.spark.ScoringColumns;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JobConfTest {
  private static final String HASH = "0123456789abcdef".repeat(4);
  private static final String SMALLEST =
      """
      medley {
        base = "models/bert"
        task = "text-classification"
        input { format = json, path = "rows.jsonl" }
        output { format = parquet, path = "out" }
      }
      """;

  @TempDir Path folder;

  private String file(String text) {
    return file("job.conf", text);
  }

  private String file(String name, String text) {
    try {
      return Files.writeString(folder.resolve(name), text).toString();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private JobConf load(String text, String... overrides) {
    return JobConf.load(file(text), List.of(overrides));
  }

  /** What is wrong, in one line each, without the file's folder. */
  private List<String> problems(String text, String... overrides) {
    try {
      load(text, overrides);
    } catch (LoadException e) {
      List<String> lines =
          e.getMessage().replace(folder + "/", "").lines().map(String::strip).toList();
      return lines.size() == 1
          ? List.of(lines.get(0).replaceFirst("^job.conf: ", ""))
          : lines.subList(1, lines.size());
    }
    return List.of();
  }

  @Test
  void everyKeyIsRead() {
    JobConf conf =
        load(
            """
            medley {
              base = "hdfs://name/models/bert"
              task = "token-classification"
              adapters {
                people = "adapters/people"
                "new.places" = { path = "adapters/places", sha256 = "%s", labels = [O, B, I] }
              }
              adapters-from = "more/*"
              sets { both = [people, new.places] }
              input {
                format = csv, path = "rows.csv", text = "body", adapter = "model", key = "id"
                options { header = true, sep = ";", some.nested.key = 3 }
              }
              output { format = orc, path = "out", column = "found", lineage = true, mode = append, options { compression = zlib } }
              on-error = fail
              device = gpu
              dtype = bfloat16
              batch-size = 8
              batch-tokens = 512
              window-rows = 100
              max-length = 64
              truncation = false
              cache-memory = 512MiB
              adapter-memory = 256MiB
              merging = layer
              merge-memory = 64MiB
              adapter-affinity = on
              deterministic = true
              feature-extraction { pooling = cls, normalize = true }
              text-classification { top-k = 2, function = sigmoid }
              token-classification { ignore-labels = [] }
            }
            """
                .formatted(HASH));
    assertThat(conf)
        .isEqualTo(
            new JobConf(
                "hdfs://name/models/bert",
                new TokenClassification(List.of()),
                Map.of(
                    "people",
                    AdapterSource.of("adapters/people"),
                    "new.places",
                    AdapterSource.of("adapters/places", List.of("O", "B", "I")).withSha256(HASH)),
                new AdaptersFrom.Folders("more/*"),
                Map.of("both", List.of("people", "new.places")),
                new Input(
                    Format.CSV,
                    "rows.csv",
                    "body",
                    null,
                    null,
                    null,
                    "model",
                    "id",
                    Map.of("header", "true", "sep", ";", "some.nested.key", "3")),
                new Output(
                    Format.ORC,
                    "out",
                    "found",
                    "found_lineage",
                    "append",
                    Map.of("compression", "zlib")),
                ErrorPolicy.NONE,
                null,
                OnError.FAIL,
                DeviceChoice.GPU,
                Precision.BFLOAT16,
                new Batching(8, 512, 100, 64, false, 512L << 20),
                new Merging(Merging.Mode.LAYER, 64L << 20),
                AdapterAffinity.ON,
                256L << 20,
                true));
  }

  @Test
  void whatIsLeftOutHasADefault() {
    JobConf conf = load(SMALLEST);
    assertThat(conf)
        .isEqualTo(
            new JobConf(
                "models/bert",
                TextClassification.AUTO,
                Map.of(),
                null,
                Map.of(),
                new Input(
                    Format.JSON, "rows.jsonl", "text", null, null, null, "adapter", null, Map.of()),
                new Output(Format.PARQUET, "out", "prediction", null, "error", Map.of()),
                ErrorPolicy.NONE,
                null,
                OnError.ROW,
                DeviceChoice.AUTO,
                Precision.FLOAT32,
                Batching.DEFAULT,
                Merging.AUTO,
                AdapterAffinity.AUTO,
                EngineSpec.ADAPTER_MEMORY,
                false));
  }

  @Test
  void taskTakesItsOwnSection() {
    String sections = "feature-extraction={pooling=max,normalize=false}";
    assertThat(load(SMALLEST, "task=feature-extraction", sections).task())
        .isEqualTo(new FeatureExtraction(Pooling.MAX, false));
    assertThat(load(SMALLEST, "task=feature-extraction").task()).isEqualTo(FeatureExtraction.AUTO);
    assertThat(load(SMALLEST, "task=token-classification").task())
        .isEqualTo(TokenClassification.AUTO);
    assertThat(
            load(SMALLEST, "text-classification.top-k=3", "text-classification.function=none")
                .task())
        .isEqualTo(new TextClassification(3, Function.NONE));
    assertThat(load(SMALLEST, "text-classification.top-k=null").task())
        .isEqualTo(TextClassification.AUTO);
  }

  @Test
  void allProblemsComeAtOnceWithTheirLines() {
    assertThat(
            problems(
                """
                medley {
                  bse = "models/bert"
                  task = "text-clasification"
                  adapters {
                    a = 3
                    b = { path = "x", sha = "abc", sha256 = "abc" }
                    c { labels = [1, 2] }
                  }
                  adapters-from = "a/*/b"
                  sets { s = a }
                  input { format = xml, path = "", colum = "text", options { a = [1] } }
                  output { format = text, path = ["out"], mode = replace }
                  on-error = skip
                  device = tpu
                  dtype = int8
                  batch-size = 0
                  batch-tokens = 1.5
                  window-rows = many
                  truncation = perhaps
                  feature-extraction { pooling = sum, normalize = often }
                  text-classification { top-k = 0, function = relu }
                  token-classification { ignore-labels = "O" }
                  zebra = 1
                }
                adapters { }
                """))
        .containsExactly(
            "job.conf:1: medley.base: expected a string, found nothing",
            "job.conf:2: medley.bse: unknown key; the nearest known key is medley.base",
            "job.conf:3: medley.task: expected feature-extraction, text-classification,"
                + " token-classification, text-generation or text-scoring, found"
                + " \"text-clasification\"",
            "job.conf:5: medley.adapters.a: expected a string, found 3",
            "job.conf:6: medley.adapters.b.sha256: sha256: expected 64 hexadecimal digits, got"
                + " abc",
            "job.conf:6: medley.adapters.b.sha: unknown key; known here: labels, path, sha256",
            "job.conf:7: medley.adapters.c.path: expected a string, found nothing",
            "job.conf:7: medley.adapters.c.labels: expected a list of strings, found [1,2]",
            "job.conf:9: medley.adapters-from: expected a folder and a pattern of names in it, such"
                + " as adapters/*, or an object with a table or with a format and a path, found"
                + " a/*/b",
            "job.conf:10: medley.sets.s: expected a list of strings, found \"a\"",
            "job.conf:11: medley.input.format: expected json, csv, parquet, text or orc, found"
                + " \"xml\"",
            "job.conf:11: medley.input.path: expected a string, found \"\"",
            "job.conf:11: medley.input.options.a: expected a string, number or boolean, found [1]",
            "job.conf:11: medley.input.colum: unknown key; known here: adapter, completion, format,"
                + " key, messages, options, path, seed, text",
            "job.conf:12: medley.output.format: expected json, csv, parquet or orc, found text: a"
                + " line of text holds one string, no prediction beside its row",
            "job.conf:12: medley.output.mode: expected error, overwrite, append, ignore or resume, found"
                + " \"replace\"",
            "job.conf:12: medley.output.path: expected a string, found [\"out\"]",
            "job.conf:13: medley.on-error: expected row or fail, found \"skip\"",
            "job.conf:14: medley.device: expected auto, cpu or gpu, found \"tpu\"",
            "job.conf:15: medley.dtype: expected float32, bfloat16 or float16, found \"int8\"",
            "job.conf:16: medley.batch-size: expected an integer of at least 1, found 0",
            "job.conf:17: medley.batch-tokens: expected an integer of at least 1, found 1.5",
            "job.conf:18: medley.window-rows: expected an integer of at least 1, found \"many\"",
            "job.conf:19: medley.truncation: expected true or false, found \"perhaps\"",
            "job.conf:20: medley.feature-extraction.pooling: expected auto, mean, cls, last or max,"
                + " found \"sum\"",
            "job.conf:20: medley.feature-extraction.normalize: expected auto, true or false, found"
                + " \"often\"",
            "job.conf:21: medley.text-classification.top-k: expected an integer of at least 1,"
                + " found 0",
            "job.conf:21: medley.text-classification.function: expected auto, softmax, sigmoid or"
                + " none, found \"relu\"",
            "job.conf:22: medley.token-classification.ignore-labels: expected a list of strings,"
                + " found \"O\"",
            "job.conf:23: medley.zebra: unknown key; known here: adapter-affinity, adapter-memory,"
                + " adapters, adapters-from, base, batch-size, batch-tokens, cache-memory, deterministic, device, dtype,"
                + " feature-extraction, input, max-error-rate, max-length, merge-memory, merging, on-error, output,"
                + " resume, sets, task, text-classification, text-generation, text-scoring,"
                + " token-classification, truncation, window-rows",
            "job.conf:25: adapters: unknown key; known here: medley");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          batch-sise=4                | medley.batch-sise: unknown key; the nearest known key is medley.batch-size
          medley.input.pth=x          | medley.input.pth: unknown key; the nearest known key is medley.input.path
          base=                       | medley.base: expected a string, found ""
          base=null                   | medley.base: expected a string, found null
          input=3                     | medley.input: expected an object { … }, found "3"
          output=null                 | medley.output: expected an object { … }, found nothing
          medley=3                    | medley: expected an object { … }, found "3"
          adapters.a=[1]              | medley.adapters.a: expected a string, found [1]
          adapter-affinity=yes        | medley.adapter-affinity: expected auto, on or off, found "yes"
          base="file:x"               | medley.base: expected file: and an absolute path, found file:x
          """)
  void oneProblemIsOneLine(String override, String problem) {
    assertThat(problems(SMALLEST, override)).containsExactly("command line: " + problem);
  }

  @Test
  void lineageIsAskedForByTrueOrByAName() {
    assertThat(load(SMALLEST, "output.lineage=true").columns().lineage())
        .isEqualTo("prediction_lineage");
    assertThat(load(SMALLEST, "output.lineage=from").columns().lineage()).isEqualTo("from");
    assertThat(load(SMALLEST, "output.lineage=false").columns().lineage()).isNull();
    assertThat(problems(SMALLEST, "output.lineage=[1]"))
        .containsExactly(
            "command line: medley.output.lineage: expected true, false or a string, found [1]");
  }

  @Test
  void rowsInErrorMayHaveAnOutputAndALimit() {
    assertThat(load(SMALLEST, "output.errors.path=bad", "max-error-rate=0.25").errors())
        .isEqualTo(
            new ErrorPolicy(
                new Output(Format.PARQUET, "bad", "prediction", null, "error", Map.of()), 0.25));
    assertThat(
            load(
                    SMALLEST,
                    "output.mode=append",
                    "output.lineage=from",
                    "output.errors={path=bad,format=json,options={compression=gzip}}")
                .errors())
        .isEqualTo(
            new ErrorPolicy(
                new Output(
                    Format.JSON,
                    "bad",
                    "prediction",
                    "from",
                    "append",
                    Map.of("compression", "gzip")),
                1));
    assertThat(problems(SMALLEST, "output.errors={}", "max-error-rate=1.5"))
        .containsExactly(
            "command line: medley.max-error-rate: expected a number from 0 to 1, found 1.5",
            "command line: medley.output.errors.path: expected a string, found nothing");
    assertThat(problems(SMALLEST, "output.errors.path=out/errors", "on-error=fail"))
        .containsExactly(
            "command line: medley.output.errors: expected none where on-error = fail, which the"
                + " first row in error does, found some",
            "command line: medley.output.errors.path: expected a folder apart from output.path and"
                + " input.path, found out/errors");
    assertThat(problems(SMALLEST, "max-error-rate=0", "on-error=fail"))
        .containsExactly(
            "command line: medley.max-error-rate: expected none where on-error = fail, which the"
                + " first row in error does, found some");
    assertThat(problems(SMALLEST, "output.errors={path=bad,format=text}"))
        .containsExactly(
            "command line: medley.output.errors.format: expected json, csv, parquet or orc, found"
                + " text: a line of text holds one string, no prediction beside its row");
  }

  @Test
  void affinityNeedsAnAdapterColumn() {
    assertThat(problems(SMALLEST, "adapter-affinity=on", "input.adapter=null"))
        .containsExactly(
            "command line: medley.adapter-affinity: expected auto or off where input.adapter ="
                + " null, found on");
    assertThat(load(SMALLEST, "adapter-affinity=off", "input.adapter=null").adapterAffinity())
        .isEqualTo(AdapterAffinity.OFF);
  }

  @Test
  void wordsOfTheCommandLineThatAreNoOverrideAreAllNamed() {
    assertThat(problems(SMALLEST, "batch-size", "=3", "a..b=3", "sets=[a"))
        .satisfiesExactly(
            line -> assertThat(line).isEqualTo("command line: batch-size: expected key=value"),
            line -> assertThat(line).isEqualTo("command line: =3: expected key=value"),
            line -> assertThat(line).startsWith("command line: a..b=3: "),
            line -> assertThat(line).startsWith("command line: sets=[a: "));
  }

  @Test
  void commandLineWinsOverTheFileAndItsLastWordOverTheOthers() {
    JobConf conf =
        load(
            SMALLEST,
            "batch-size=4",
            "medley.batch-size=5",
            "input.path=s3a://bucket/a b?=#.jsonl",
            "input.options.multiLine=true",
            "adapters.a=/x/y",
            "adapters.\"b.c\"={path=z}",
            "sets.s=[a, \"b.c\"]");
    assertThat(conf.batching().batchSize()).isEqualTo(5);
    assertThat(conf.input().path()).isEqualTo("s3a://bucket/a b?=#.jsonl");
    assertThat(conf.input().options()).isEqualTo(Map.of("multiLine", "true"));
    assertThat(conf.adapters())
        .isEqualTo(Map.of("a", AdapterSource.of("/x/y"), "b.c", AdapterSource.of("z")));
    assertThat(conf.sets()).isEqualTo(Map.of("s", List.of("a", "b.c")));
    assertThat(conf.task()).isEqualTo(TextClassification.AUTO);
  }

  @Test
  void includesAndSubstitutionsWork() {
    file("base.conf", "medley { base = \"models/bert\", batch-size = 7, device = cpu }");
    String text =
        """
        include "base.conf"
        medley {
          task = "text-classification"
          device = ${?NO_SUCH_VARIABLE}
          input { format = json, path = ${medley.base}"/rows", text = ${PATH} }
          output { format = json, path = "out" }
        }
        """;
    JobConf conf = load(text, "base=other");
    assertThat(conf.batching().batchSize()).isEqualTo(7);
    assertThat(conf.device()).isEqualTo(DeviceChoice.CPU);
    assertThat(conf.input().path()).isEqualTo("other/rows");
    assertThat(conf.input().text()).isEqualTo(System.getenv("PATH"));
    assertThat(problems(text.replace("PATH", "NO_SUCH_VARIABLE")))
        .containsExactly(
            "job.conf:5: Could not resolve substitution to a value: ${NO_SUCH_VARIABLE}");
    file("base.conf", "medley { bas = 1 }");
    assertThat(problems(text, "base=x"))
        .containsExactly(
            "base.conf:1: medley.bas: unknown key; the nearest known key is medley.base");
  }

  @Test
  void numbersAndSwitchesMayBeStrings() {
    JobConf conf = load(SMALLEST, "batch-size=\"64\"", "truncation=\"false\"");
    assertThat(conf.batching()).isEqualTo(new Batching(64, 4096, 8192, 0, false));
  }

  @Test
  void fileThatIsNoneIsNamed() {
    String none = folder.resolve("none.conf").toString();
    assertThatThrownBy(() -> JobConf.load(none, List.of()))
        .isInstanceOf(LoadException.class)
        .hasMessage(none + ": expected a job file, found none");
    assertThatThrownBy(() -> JobConf.load(folder.toString(), List.of()))
        .hasMessage(folder + ": expected a job file, found a folder");
    assertThat(problems(""))
        .containsExactly(
            "job.conf:1: medley: expected an object { … } with the whole job in it, found nothing");
    assertThat(problems("medley {\n  a = [1\n}"))
        .hasSize(1)
        .first()
        .asString()
        .startsWith("job.conf:3: ");
  }

  @Test
  void columnOfAdaptersIsOnlyLeftOutWhereThereAreNone() {
    assertThat(load(SMALLEST, "input.adapter=null").input().adapter()).isNull();
    assertThat(problems(SMALLEST, "input.adapter=null", "adapters.a=x"))
        .containsExactly(
            "command line: medley.adapters: expected none where input.adapter = null, found some");
  }

  @Test
  void linesOfTextHaveTheColumnValue() {
    assertThat(load(SMALLEST, "input.format=text").input().text()).isEqualTo("value");
    assertThat(load(SMALLEST, "input.format=text", "input.text=x").input().text()).isEqualTo("x");
  }

  @ParameterizedTest
  @ValueSource(strings = {"rows.jsonl", "rows.jsonl/", "./rows.jsonl", "rows.jsonl/out", "."})
  void inputIsNeverOverwritten(String output) {
    assertThat(problems(SMALLEST, "output.mode=overwrite", "output.path=" + output))
        .containsExactly(
            "command line: medley.output.path: expected a folder apart from input.path, which"
                + " overwriting would delete before it is read, found "
                + output);
    assertThat(problems(SMALLEST, "output.path=" + output)).isEmpty();
  }

  @Test
  void resumedOutputHasChunks() {
    assertThat(load(SMALLEST).resume()).isNull();
    JobConf conf = load(SMALLEST, "output.mode=resume");
    assertThat(conf.resume()).isEqualTo(new Resume(null, 10_000));
    assertThat(conf.adapterAffinity()).isEqualTo(AdapterAffinity.OFF);
    String[] chunks = {"output.mode=resume", "resume.key=id", "resume.chunk-rows=7"};
    assertThat(load(SMALLEST, chunks).resume()).isEqualTo(new Resume("id", 7));

    assertThat(problems(SMALLEST, "resume.key=id"))
        .containsExactly(
            "command line: medley.resume: expected none where output.mode = error; it is for"
                + " resume");
    assertThat(
            problems(
                SMALLEST,
                "output.mode=resume",
                "output.path=rows.jsonl",
                "output.options.maxRecordsPerFile=9",
                "adapter-affinity=on",
                "resume.chunk-rows=0"))
        .hasSize(4)
        .anyMatch(problem -> problem.contains("of which a second run would read what the first"))
        .anyMatch(problem -> problem.contains("maxRecordsPerFile"))
        .anyMatch(problem -> problem.contains("rows that are moved come back all at once"))
        .anyMatch(problem -> problem.contains("an integer of at least 1, found \"0\""));
  }

  @Test
  void foldersOfAPatternAreAdapters() throws IOException {
    for (String name : List.of("en-a", "en-b", "de-a")) {
      Files.createDirectories(folder.resolve("adapters/" + name));
      file("adapters/" + name + "/adapter_config.json", "{}");
    }
    Files.createDirectories(folder.resolve("adapters/en-set"));
    file("adapters/en-set/mixed_set.json", "{}");
    Files.createDirectories(folder.resolve("adapters/en-empty"));
    file("adapters/en-readme", "not an adapter");
    String home = folder + "/adapters";
    JobConf conf = load(SMALLEST, "adapters-from=" + home + "/en-*", "adapters.en-b=/own");
    EngineSpec spec = conf.spec(Storage.standard());
    assertThat(spec.adapters())
        .isEqualTo(
            Map.of(
                "en-a",
                AdapterSource.of(home + "/en-a"),
                "en-b",
                AdapterSource.of("/own"),
                "en-set",
                AdapterSource.of(home + "/en-set")));
    JobConf none = load(SMALLEST, "adapters-from=" + home + "/fr-*");
    assertThatThrownBy(() -> none.spec(Storage.standard()))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            home
                + "/fr-*: expected folders with an adapter_config.json or a mixed_set.json, found"
                + " none");
  }

  private static final String GENERATE =
      """
      medley {
        base = "models/llama"
        task = "text-generation"
        input { format = json, path = "rows.jsonl" }
        output { format = parquet, path = "out" }
      }
      """;

  @Test
  void everyKeyOfAGenerationIsRead() {
    JobConf conf =
        load(
            """
            medley {
              base = "models/llama"
              task = "text-generation"
              input { format = json, path = "rows.jsonl", messages = "chat", seed = "number" }
              output { format = parquet, path = "out" }
              cache-memory = 1.5GiB
              text-generation {
                max-new-tokens = 200, do-sample = true, temperature = 0.7, top-p = 0.9, top-k = 40,
                min-p = 0.05, repetition-penalty = 1.1, stop = ["\\n\\n", "User:"], eos-token-ids = [1, 2],
                seed = 12345678901
              }
            }
            """);
    assertThat(conf.task())
        .isEqualTo(
            new TextGeneration(
                200,
                true,
                0.7,
                40,
                0.9,
                0.05,
                1.1,
                List.of("\n\n", "User:"),
                List.of(1L, 2L),
                12345678901L));
    assertThat(conf.input())
        .isEqualTo(
            new Input(
                Format.JSON,
                "rows.jsonl",
                null,
                "chat",
                null,
                "number",
                "adapter",
                null,
                Map.of()));
    assertThat(conf.columns())
        .isEqualTo(ScoringColumns.ofChats("chat", "adapter", "prediction").withSeed("number"));
    assertThat(conf.batching().cacheMemory()).isEqualTo(3L << 29);
  }

  @Test
  void generationIsTheModelsOwnUnlessTheJobSaysOtherwise() {
    assertThat(load(GENERATE).task()).isEqualTo(TextGeneration.AUTO);
    assertThat(load(GENERATE).columns())
        .isEqualTo(new ScoringColumns("text", "adapter", "prediction"));
    assertThat(load(GENERATE, "text-generation.top-k=\"5\"", "cache-memory=64M").task())
        .isEqualTo(TextGeneration.AUTO.withTopK(5));
    assertThat(load(GENERATE, "text-generation.eos-token-ids=[]").task())
        .isEqualTo(TextGeneration.AUTO.withEosTokenIds(List.of()));
  }

  @Test
  void scoringTakesCompletions() {
    JobConf conf = load(GENERATE, "task=text-scoring", "input.completion=answer");
    assertThat(conf.task()).isEqualTo(TextScoring.AUTO);
    assertThat(conf.columns())
        .isEqualTo(new ScoringColumns("text", "adapter", "prediction").withCompletion("answer"));
    assertThat(load(GENERATE, "task=text-scoring", "text-scoring={}").input().completion())
        .isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          text-generation.max-new-tokens=0  | medley.text-generation.max-new-tokens: expected a positive integer, got 0
          text-generation.max-new-tokens=9.5 | medley.text-generation.max-new-tokens: expected an integer, found "9.5"
          text-generation.top-k=-1          | medley.text-generation.top-k: expected 0 or a positive integer, got -1
          text-generation.top-k=9999999999  | medley.text-generation.top-k: expected an integer, found "9999999999"
          text-generation.top-p=0           | medley.text-generation.top-p: expected a number above 0 and at most 1, got 0
          text-generation.min-p=1.5         | medley.text-generation.min-p: expected a number from 0 to 1, got 1.5
          text-generation.temperature=-1    | medley.text-generation.temperature: expected a positive number, got -1
          text-generation.temperature=hot   | medley.text-generation.temperature: expected a number, found "hot"
          text-generation.temperature=NaN   | medley.text-generation.temperature: expected a number, found "NaN"
          text-generation.repetition-penalty=0 | medley.text-generation.repetition-penalty: expected a positive number, got 0
          text-generation.do-sample=maybe   | medley.text-generation.do-sample: expected true or false, found "maybe"
          text-generation.stop=[a, ""]      | medley.text-generation.stop: expected texts of at least one character, got ""
          text-generation.stop=User         | medley.text-generation.stop: expected a list of strings, found "User"
          text-generation.eos-token-ids=[a] | medley.text-generation.eos-token-ids: expected a list of integers, found ["a"]
          text-generation.eos-token-ids=2   | medley.text-generation.eos-token-ids: expected a list of integers, found "2"
          text-generation.seed=x            | medley.text-generation.seed: expected an integer, found "x"
          text-generation.max-new-token=3   | medley.text-generation.max-new-token: unknown key; the nearest known key is medley.text-generation.max-new-tokens
          text-generation.num_beams=3       | medley.text-generation.num_beams: unknown key; known here: do-sample, eos-token-ids, max-new-tokens, min-p, repetition-penalty, seed, stop, temperature, top-k, top-p
          text-scoring.top-k=3              | medley.text-scoring.top-k: unknown key; none is known here
          cache-memory=much                 | medley.cache-memory: expected a size such as 512MiB, found "much"
          cache-memory=-5                   | medley.cache-memory: expected a size such as 512MiB, found "-5"
          input.mesages=chat                | medley.input.mesages: unknown key; the nearest known key is medley.input.messages
          input.completion=answer           | medley.input.completion: expected none where task = text-generation; it is for text-scoring
          """)
  void oneProblemOfAGenerationIsOneLine(String override, String problem) {
    assertThat(problems(GENERATE, override)).containsExactly("command line: " + problem);
  }

  @Test
  void columnsOfAnotherTaskAreRefused() {
    assertThat(problems(SMALLEST, "input.messages=chat", "input.seed=s", "input.completion=c"))
        .containsExactlyInAnyOrder(
            "command line: medley.input.messages: expected none where task = text-classification;"
                + " it is for text-generation",
            "command line: medley.input.seed: expected none where task = text-classification; it"
                + " is for text-generation",
            "command line: medley.input.completion: expected none where task ="
                + " text-classification; it is for text-scoring");
    assertThat(problems(GENERATE, "input.messages=chat", "input.text=prompt"))
        .containsExactly(
            "command line: medley.input.messages: expected none beside input.text, found some; a"
                + " row has a prompt or a chat");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "jobs/example-classify.conf",
        "jobs/example-embed.conf",
        "jobs/example-generate.conf",
        "jobs/example-score-texts.conf"
      })
  void examplesAreJobFiles(String example) {
    assertThat(JobConf.load(example, List.of()).output().format()).isEqualTo(Format.PARQUET);
  }
}
