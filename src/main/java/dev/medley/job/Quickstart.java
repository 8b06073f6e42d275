package dev.medley.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The first thing that a newcomer runs: makes the HuggingFace folder of the real all-MiniLM-L6-v2,
 * scores real rows under real adapters by the job files in {@code jobs/quickstart}, and shows how
 * many come out right and how many as PEFT has them. Runs in the root of the repository.
 */
@Command(
    name = "quickstart",
    description = "Scores the example rows in jobs/quickstart under their adapters.")
final class Quickstart implements Callable<Integer> {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path FILES = Path.of("jobs", "quickstart");
  private static final Path WORK = Path.of("target", "quickstart");
  private static final int TEXT = 46;

  @Option(
      names = "--model-jar",
      description =
          "Jar that holds all-MiniLM-L6-v2; default: ${DEFAULT-VALUE}, put there by Maven.")
  private Path modelJar = WORK.resolve("all-minilm-l6-v2.jar");

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    if (!Files.isDirectory(FILES)) {
      throw new LoadException(
          FILES.toAbsolutePath().toString(),
          "expected the root of the repository, found no such folder");
    }
    MiniLmFolder.write(modelJar, WORK.resolve("all-MiniLM-L6-v2"));
    for (String job : List.of("classification", "tokens", "mixed")) {
      out.println("$ jobs/medley score jobs/quickstart/" + job + ".conf");
      int code = Medley.run(out, err, "score", FILES.resolve(job + ".conf").toString());
      if (code != Medley.OK) {
        return code;
      }
      out.println();
    }
    Map<String, List<JsonNode>> rows = groups("classification");
    rows.putAll(groups("tokens"));
    out.println("Some of the rows, each under its own adapter");
    out.println();
    out.println(samples(rows, 2));
    out.println("All of them: held-out rows, what is right, and what PEFT makes of the same row");
    out.println();
    out.println(accuracy("ADAPTER", rows, "expected.json"));
    Map<String, List<JsonNode>> mixed = groups("mixed");
    out.println("Texts with noise in them, each under an adapter or an ordered set of adapters");
    out.println();
    out.println(samples(mixed, 1));
    out.println("All of them, by the noise");
    out.println();
    out.print(accuracy("NOISE: ADAPTERS", mixed, "expected-mixed.json"));
    out.flush();
    return Medley.OK;
  }

  /** What a job wrote, by noise and adapters, in the order of ids. */
  private static Map<String, List<JsonNode>> groups(String job) throws IOException {
    List<JsonNode> rows = new ArrayList<>();
    try (Stream<Path> parts = Files.list(WORK.resolve(job))) {
      for (Path part : parts.filter(p -> p.getFileName().toString().startsWith("part-")).toList()) {
        for (String line : Files.readAllLines(part)) {
          rows.add(JSON.readTree(line));
        }
      }
    }
    rows.sort((a, b) -> a.get("id").asText().compareTo(b.get("id").asText()));
    return rows.stream()
        .collect(Collectors.groupingBy(Quickstart::group, LinkedHashMap::new, Collectors.toList()));
  }

  /** As expected.json and expected-mixed.json name it. */
  private static String group(JsonNode row) {
    String adapter = row.get("adapter").asText();
    return row.has("noise") ? row.get("noise").asText() + ": " + adapter : adapter;
  }

  private static Table samples(Map<String, List<JsonNode>> rows, int each) {
    Table table = new Table(24, TEXT, 30, 6);
    table.head("ADAPTER", "TEXT", "PREDICTION", "SCORE");
    for (List<JsonNode> all : rows.values()) {
      for (JsonNode row : all.subList(0, Math.min(each, all.size()))) {
        JsonNode prediction = row.get("prediction");
        table.row(
            row.get("adapter").asText(),
            cut(row.get("text").asText()),
            words(prediction),
            score(prediction));
      }
    }
    return table;
  }

  private static String cut(String text) {
    String line = text.replaceAll("\\s+", " ");
    return line.length() <= TEXT ? line : line.substring(0, TEXT - 1) + "…";
  }

  private static String words(JsonNode prediction) {
    return prediction.isArray()
        ? elements(prediction)
            .map(token -> token.get("word").asText() + "=" + token.get("label").asText())
            .collect(Collectors.joining(" "))
        : prediction.get("label").asText();
  }

  private static String score(JsonNode prediction) {
    return prediction.isArray()
        ? ""
        : String.format(Locale.ROOT, "%.3f", prediction.get("score").asDouble());
  }

  private static Table accuracy(String title, Map<String, List<JsonNode>> rows, String file)
      throws IOException {
    JsonNode peft = JSON.readTree(FILES.resolve(file).toFile()).get("adapters");
    Table table = new Table(36, 6, 12, 14, 16);
    table.row(title, "ROWS", "RIGHT", "RIGHT BY PEFT", "SAME AS PEFT");
    rows.forEach(
        (group, all) -> {
          JsonNode expected = peft.get(group);
          long right = all.stream().filter(Quickstart::isRight).count();
          long same =
              all.stream()
                  .filter(row -> isSame(row, expected.get("rows").get(row.get("id").asText())))
                  .count();
          table.row(
              group,
              Integer.toString(all.size()),
              share(right, all.size()),
              share(expected.get("correct").asLong(), expected.get("n").asLong()),
              same + " of " + all.size());
        });
    return table;
  }

  private static String share(long part, long whole) {
    return String.format(Locale.ROOT, "%d (%.1f %%)", part, 100.0 * part / whole);
  }

  /** Of entities: neither one too few nor one too many, as spans without the B- and I-. */
  private static boolean isRight(JsonNode row) {
    JsonNode prediction = row.get("prediction");
    if (!prediction.isArray()) {
      return prediction.get("label").equals(row.get("expected"));
    }
    List<String> expected =
        elements(row.get("expected"))
            .map(
                span ->
                    span.get("label").asText() + " " + span.get("start") + " " + span.get("end"))
            .toList();
    return spans(prediction).equals(expected);
  }

  /** Neighbours of one kind joined, as HF's simple aggregation does: a B- begins another. */
  private static List<String> spans(JsonNode tokens) {
    List<String> spans = new ArrayList<>();
    String kind = null;
    int start = 0;
    int end = -2;
    for (JsonNode token : (Iterable<JsonNode>) tokens::elements) {
      String label = token.get("label").asText();
      boolean goesOn =
          label.startsWith("I-")
              && label.substring(2).equals(kind)
              && token.get("start").asInt() <= end + 1;
      if (!goesOn) {
        if (kind != null) {
          spans.add(kind + " " + start + " " + end);
        }
        kind = label.substring(2);
        start = token.get("start").asInt();
      }
      end = token.get("end").asInt();
    }
    if (kind != null) {
      spans.add(kind + " " + start + " " + end);
    }
    return spans;
  }

  private static boolean isSame(JsonNode row, JsonNode peft) {
    JsonNode prediction = row.get("prediction");
    if (!prediction.isArray()) {
      return prediction.get("label").equals(peft.get("label"));
    }
    return labels(prediction).equals(labels(peft.get("tokens")));
  }

  private static List<String> labels(JsonNode tokens) {
    return elements(tokens)
        .map(token -> token.get("start") + "-" + token.get("end") + token.get("label"))
        .toList();
  }

  private static Stream<JsonNode> elements(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false);
  }
}
