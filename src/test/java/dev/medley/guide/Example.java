package dev.medley.guide;

import dev.medley.Fixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A folder in which the paths that pages use as examples are there: models and adapters are
 * fixtures, tables a few rows.
 */
final class Example {
  private static final Path CAPITALS = Path.of("jobs", "capitals").toAbsolutePath();

  /** Fixtures by the paths that stand for them. */
  private static final Map<String, Path> FOLDERS =
      Map.ofEntries(
          Map.entry("models/bert", Fixtures.path("models/bert-sequence")),
          Map.entry("models/bert-base", Fixtures.path("models/bert-sequence")),
          Map.entry("models/minilm", Fixtures.path("models/bert")),
          Map.entry("models/llama", CAPITALS.resolve("base")),
          Map.entry("models/Llama-3.2-1B-Instruct", CAPITALS.resolve("base")),
          Map.entry("adapters/spam", head("qv")),
          Map.entry("adapters/topic", head("rslora")),
          Map.entry("adapters/tone", head("bare-on-headed")),
          Map.entry("adapters/math", head("bare-on-headed")),
          Map.entry("adapters/polite/v2", head("bare-on-headed")),
          Map.entry("adapters/polite", head("bare-on-headed")),
          Map.entry("adapters/scaled", Fixtures.path("verbs/others/bert-sequence/ia3")),
          Map.entry("adapters/scaled2", Fixtures.path("verbs/others/bert-sequence/ia3-2")),
          Map.entry("adapters/team/loha", head("loha-qv")),
          Map.entry("adapters/team/oft", head("oft-qv")),
          Map.entry("adapters/team/mood", head("bare-on-headed")),
          Map.entry("models/adapters/loha", head("loha-qv")),
          Map.entry("models/adapters/oft", head("oft-qv")),
          Map.entry("adapters/support", CAPITALS.resolve("adapters/loud")),
          Map.entry("adapters/french", CAPITALS.resolve("adapters/polite")));

  /** Stands for a table of a catalog. */
  static final String TABLE = "default.guide_adapters";

  private static final Map<String, String> FILES =
      Map.of(
          "rows.jsonl",
          "{\"id\": 1, \"text\": \"a lazy dog\", \"adapter\": \"spam\"}\n"
              + "{\"id\": 2, \"text\": \"the red fox\", \"adapter\": null}\n",
          "mails.jsonl",
          "{\"text\": \"a lazy dog\", \"adapter\": \"spam\"}\n"
              + "{\"text\": \"the red fox\", \"adapter\": \"triage\"}\n"
              + "{\"text\": \"the red fox\", \"adapter\": \"nobody\"}\n",
          "incoming/1.json",
          "{\"id\": 1, \"text\": \"a lazy dog\", \"adapter\": \"spam\"}\n",
          "prompts.jsonl",
          "{\"prompt\": \"The capital of France is\", \"adapter\": \"support\"}\n");

  private static final Pattern REMOTE = Pattern.compile("(hdfs:///?|s3a://)(?=models/|adapters/)");
  private static final Pattern LOCAL = Pattern.compile("(?<![\\w/.-])(?=(models|adapters)/[\\w*])");

  /** Where Java and HOCON name other files. */
  private static final Pattern NAMED =
      Pattern.compile(
          "((?:json|csv|parquet|save|PipelineModel\\.load|Path\\.of)\\(|"
              + "\"(?:path|checkpointLocation)\", |\\bpath = )\"([\\w-]+(?:\\.\\w+)?)\"");

  private final Path folder;
  private final Set<List<String>> ran = new HashSet<>();

  private Example(Path folder) {
    this.folder = folder;
  }

  private static Path head(String name) {
    return Fixtures.path("models/bert-sequence/adapters/" + name);
  }

  static Example in(Path folder) throws IOException {
    for (var copy : FOLDERS.entrySet()) {
      copy(copy.getValue(), Files.createDirectories(folder.resolve(copy.getKey())));
    }
    for (var file : FILES.entrySet()) {
      Path path = folder.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      Files.writeString(path, file.getValue());
    }
    String spam = "spam," + folder.resolve("adapters/spam") + "\n";
    String topic = "topic," + folder.resolve("adapters/topic") + "\n";
    Files.writeString(folder.resolve("adapters.csv"), "name,uri\n" + spam + topic);
    Files.writeString(
        folder.resolve("job.conf"),
        new Example(folder)
            .local(
                """
                medley {
                  base = "models/bert"
                  task = "text-classification"
                  adapters { spam = "adapters/spam", tone = "adapters/tone" }
                  sets { triage = ["tone", "spam"] }
                  input { format = json, path = "rows.jsonl" }
                  output { format = json, path = "out" }
                }
                """));
    return new Example(folder);
  }

  /** What lies in a folder itself. */
  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
  }

  /** A path in it. */
  Path path(String name) {
    return folder.resolve(name);
  }

  /** Commands that have been run there. */
  Set<List<String>> ran() {
    return ran;
  }

  /** A folder that is not there yet. */
  Path fresh(String name) throws IOException {
    return Files.createTempDirectory(folder, name).resolve(name);
  }

  /** The same text with its paths in this folder; what is not there yet is nobody else's. */
  String local(String text) throws IOException {
    String here = REMOTE.matcher(text).replaceAll("").replace("ml.prod.adapters", TABLE);
    here = LOCAL.matcher(here).replaceAll(Matcher.quoteReplacement(folder + "/"));
    Path fresh = fresh("new").getParent();
    return NAMED
        .matcher(here)
        .replaceAll(
            found -> {
              boolean isThere = Files.exists(folder.resolve(found.group(2)));
              Path path = (isThere ? folder : fresh).resolve(found.group(2));
              return Matcher.quoteReplacement(found.group(1) + "\"" + path + "\"");
            });
  }
}
