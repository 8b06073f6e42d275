package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Prediction.Entities;
import dev.medley.engine.Prediction.Entity;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TokenClassification;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Real adapters on the real base: every committed row as PEFT predicted it. */
class QuickstartScoresTest {
  private static final Path QUICKSTART = Path.of("jobs", "quickstart");
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Of a score as expected.json rounds it, plus 1e-5 of the largest. */
  private static final float NEAR = 2e-5f;

  private static Engine engine(Task task) {
    Map<String, AdapterSource> adapters = new HashMap<>();
    for (String name :
        List.of("spam", "era", "language", "code", "tickets", "year", "search", "entities")) {
      adapters.put(name, AdapterSource.of(QUICKSTART.resolve("adapters").resolve(name).toString()));
    }
    return Engine.load(EngineSpec.of(MiniLm.folder().toString(), task, adapters));
  }

  private static List<JsonNode> rows(String name) throws IOException {
    List<JsonNode> rows = new ArrayList<>();
    for (String line : Files.readAllLines(QUICKSTART.resolve("rows-" + name + ".jsonl"))) {
      rows.add(JSON.readTree(line));
    }
    return rows;
  }

  private static JsonNode peft(JsonNode row) throws IOException {
    return peft("expected.json", row.get("adapter").asText(), row);
  }

  private static JsonNode peft(String file, String group, JsonNode row) throws IOException {
    return JSON.readTree(QUICKSTART.resolve(file).toFile())
        .get("adapters")
        .get(group)
        .get("rows")
        .get(row.get("id").asText());
  }

  private static List<Result> run(Engine engine, List<JsonNode> rows) {
    List<Request> requests = new ArrayList<>();
    for (JsonNode row : rows) {
      requests.add(Request.of(row.get("text").asText(null), row.get("adapter").asText()));
    }
    return engine.run(requests);
  }

  @Test
  void labelsOfSixAdaptersInOnePassArePefts() throws IOException {
    List<JsonNode> rows = rows("classification");
    rows.addAll(rows("regression"));
    assertThat(rows).hasSize(389);
    try (Engine engine = engine(TextClassification.AUTO)) {
      List<Result> results = run(engine, rows);
      for (int i = 0; i < rows.size(); i++) {
        Classification prediction = (Classification) results.get(i).prediction();
        JsonNode expected = peft(rows.get(i));
        assertThat(prediction.label()).isEqualTo(expected.get("label").asText());
        assertThat(prediction.score())
            .isCloseTo((float) expected.get("score").asDouble(), within(NEAR));
      }
      assertThat(engine.adapterLoads()).isEqualTo(6);
    }
  }

  @Test
  void scoresUnderOrderedSetsArePefts() throws IOException {
    List<JsonNode> rows = rows("mixed");
    assertThat(rows).hasSize(170);
    EngineSpec job =
        JobConf.load(QUICKSTART.resolve("mixed.conf").toString(), List.of()).namedSpec();
    try (Engine engine = Engine.load(job.with(MiniLm.folder().toString(), job.adapters()))) {
      List<Result> results = run(engine, rows);
      for (int i = 0; i < rows.size(); i++) {
        JsonNode row = rows.get(i);
        String group = row.get("noise").asText() + ": " + row.get("adapter").asText();
        JsonNode expected = peft("expected-mixed.json", group, row);
        assertThat(results.get(i).error()).as(group).isNull();
        Classification prediction = (Classification) results.get(i).prediction();
        assertThat(prediction.label()).as(group).isEqualTo(expected.get("label").asText());
        assertThat(prediction.scores()).as(group).hasSize(expected.get("scores").size());
        for (int k = 0; k < prediction.scores().size(); k++) {
          assertThat(prediction.scores().get(k).score())
              .as(group)
              .isCloseTo((float) expected.get("scores").get(k).asDouble(), within(NEAR));
        }
      }
    }
  }

  @Test
  void entitiesArePefts() throws IOException {
    List<JsonNode> rows = rows("tokens");
    try (Engine engine = engine(TokenClassification.AUTO)) {
      List<Result> results = run(engine, rows);
      for (int i = 0; i < rows.size(); i++) {
        List<Entity> entities = ((Entities) results.get(i).prediction()).entities();
        JsonNode expected = peft(rows.get(i)).get("tokens");
        assertThat(entities).hasSize(expected.size());
        for (int t = 0; t < entities.size(); t++) {
          Entity entity = entities.get(t);
          JsonNode token = expected.get(t);
          assertThat(List.of(entity.word(), entity.label(), entity.start(), entity.end()))
              .containsExactly(
                  token.get("word").asText(),
                  token.get("label").asText(),
                  token.get("start").asInt(),
                  token.get("end").asInt());
          assertThat(entity.score()).isCloseTo((float) token.get("score").asDouble(), within(NEAR));
        }
      }
    }
  }

  @Test
  void embeddingsArePefts() throws IOException {
    List<JsonNode> rows = rows("embedding");
    try (Engine engine = engine(FeatureExtraction.AUTO)) {
      List<Result> results = run(engine, rows);
      for (int i = 0; i < rows.size(); i++) {
        float[] vector = ((Embedding) results.get(i).prediction()).values();
        JsonNode expected = peft(rows.get(i));
        assertThat(expected.size()).isEqualTo(8);
        for (int k = 0; k < 8; k++) {
          assertThat(vector[k]).isCloseTo((float) expected.get(k).asDouble(), within(NEAR));
        }
      }
    }
  }

  @Test
  void badRowsSayWhatIsWrongWithThem() throws IOException {
    try (Engine engine = engine(TextClassification.AUTO)) {
      List<Result> results = run(engine, rows("bad"));
      assertThat(results).allMatch(result -> result.prediction() == null);
      assertThat(results)
          .extracting(result -> result.error().code())
          .containsExactly(
              Code.HEAD_MISSING,
              Code.HEAD_MISSING,
              Code.ADAPTER_UNKNOWN,
              Code.TEXT_NULL,
              Code.TEXT_EMPTY);
    }
  }
}
