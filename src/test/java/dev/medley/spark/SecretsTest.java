package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.medley.Fixtures;
import dev.medley.LogCapture;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.OnError;
import dev.medley.engine.TextClassification;
import dev.medley.engine.Validation;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Storage;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.logging.log4j.Level;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.ExplainMode;
import org.apache.spark.sql.functions;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Passwords in URIs and in Hadoop's configuration, and all places where they could come to light.
 */
class SecretsTest {
  private static final String PASSWORD = "correct-horse-battery-staple";
  private static final String KEY = "wJalrXUtnFEMI-K7MDENG";
  private static final Path MODEL = Fixtures.path("models/bert-sequence");
  private static final ScoringColumns COLUMNS = new ScoringColumns("text", "adapter", "prediction");

  @TempDir Path folder;
  private SparkSession session;

  @BeforeEach
  void makeASession() {
    RemoteFileSystem.reset();
    session = LocalSpark.session().newSession();
    session.conf().set("fs.remote.impl", RemoteFileSystem.class.getName());
    session.conf().set("fs.s3a.secret.key", KEY);
    session.conf().set("medley.test", folder.toString());
  }

  private static String remote(Path path) {
    return "remote://alice:" + PASSWORD + "@host" + path;
  }

  /** One that works, and all the ways in which one does not. */
  private Map<String, AdapterSource> adapters() throws Exception {
    Path qv = MODEL.resolve("adapters/qv");
    Path corrupt = Files.createDirectory(folder.resolve("corrupt"));
    Files.copy(qv.resolve("adapter_config.json"), corrupt.resolve("adapter_config.json"));
    Files.write(corrupt.resolve("adapter_model.safetensors"), new byte[100]);
    Files.write(folder.resolve("broken.zip"), new byte[100]);
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    sources.put("qv", AdapterSource.of(remote(qv)));
    sources.put("none", AdapterSource.of(remote(folder.resolve("none"))));
    sources.put("corrupt", AdapterSource.of(remote(corrupt)));
    sources.put("zip", AdapterSource.of(remote(folder.resolve("broken.zip"))));
    sources.put("pinned", AdapterSource.of(remote(qv)).withSha256("0".repeat(64)));
    sources.put("scheme", AdapterSource.of("nosuch://alice:" + PASSWORD + "@host/m"));
    sources.put("slash", AdapterSource.of("nosuch://alice:" + PASSWORD + "/x@host/m"));
    sources.put("hdfs", AdapterSource.of("hdfs://alice:" + PASSWORD + "@no.such.host/m"));
    sources.put("s3a", AdapterSource.of("s3a://alice:" + PASSWORD + "/x@bucket/m"));
    return sources;
  }

  private EngineSpec spec() throws Exception {
    return EngineSpec.of(remote(MODEL), TextClassification.AUTO, adapters());
  }

  private Dataset<Row> rows(EngineSpec spec) {
    String[] names = spec.adapters().keySet().toArray(String[]::new);
    return session.createDataFrame(LocalSpark.random(40, 5, names), LocalSpark.ROWS);
  }

  private static String trace(Throwable thrown) {
    StringWriter text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text, true));
    return text.toString();
  }

  @Test
  void theyAreInNoLogNoErrorNoPlanAndNoOutput() throws Exception {
    Storage storage = ExecutorEngines.OF_THIS_JVM.storage(Scoring.hadoop(session));
    List<String> seen = new ArrayList<>();
    try (LogCapture log = new LogCapture(Level.INFO)) {
      EngineSpec given = spec();
      Validation validation = Validation.of(given, storage);
      seen.add(validation.toString());
      EngineSpec ready = validation.spec();
      seen.add(given + " " + ready + " " + ready.adapters());
      SharedSpec shared =
          new SharedSpec(ready, List.of(), new SerializableConfiguration(Scoring.hadoop(session)));
      seen.add(shared.toString());

      for (AdapterAffinity affinity : List.of(AdapterAffinity.OFF, AdapterAffinity.ON)) {
        Dataset<Row> scored = Scoring.score(rows(ready), ready, COLUMNS, affinity, null);
        List<Row> output = scored.collectAsList();
        assertThat(output).filteredOn(row -> row.isNullAt(3)).hasSizeGreaterThan(20);
        assertThat(output).filteredOn(row -> !row.isNullAt(3)).isNotEmpty();
        seen.add(output.toString());
        seen.addAll(plans(scored));
        seen.addAll(plans(scored.groupBy(functions.col("prediction.label")).count()));
      }

      EngineSpec failing = ready.with(OnError.FAIL);
      Throwable failed =
          catchThrowable(
              () ->
                  Scoring.score(rows(ready), failing, COLUMNS, AdapterAffinity.OFF, null)
                      .collectAsList());
      assertThat(failed).hasStackTraceContaining("ScoringException");
      seen.add(trace(failed));

      EngineSpec noBase = given.with(remote(folder.resolve("none")), given.adapters());
      seen.add(trace(catchThrowable(() -> Validation.of(noBase, storage).orThrow())));
      seen.add(trace(catchThrowable(() -> Validation.of(failing, storage).orThrow())));
      RemoteFileSystem.breakAt(100);
      Storage fresh = new Storage(Scoring.hadoop(session), folder.resolve("cache"));
      seen.add(Validation.of(given, fresh).toString());
      RemoteFileSystem.reset();

      TextClassifier classifier =
          new TextClassifier().setModel(given.base()).setAdapterCol("adapter");
      given.adapters().forEach((name, source) -> classifier.addAdapter(name, source.uri()));
      Dataset<Row> transformed = classifier.transform(rows(ready));
      seen.add(transformed.collectAsList().toString());
      seen.addAll(plans(transformed));
      seen.add(classifier.toString());

      assertThat(log.text())
          .contains("fetched remote://host", "connection reset", "Every row under adapter none");
      seen.add(log.text());
    }
    for (String text : seen) {
      assertThat(text).doesNotContain(PASSWORD).doesNotContain(KEY);
    }
  }

  private static List<String> plans(Dataset<Row> rows) {
    List<String> plans = new ArrayList<>();
    plans.add(rows.toString());
    plans.add(rows.queryExecution().toString());
    plans.add(rows.queryExecution().stringWithStats());
    for (String mode : List.of("simple", "extended", "codegen", "cost", "formatted")) {
      plans.add(rows.queryExecution().explainString(ExplainMode.fromString(mode)));
    }
    plans.add(rows.rdd().toDebugString());
    return plans;
  }

  /** Or the test above would prove nothing. */
  @Test
  void theyAreWhereTheyHaveToBe() throws Exception {
    assertThat(Scoring.hadoop(session).get("fs.s3a.secret.key")).isEqualTo(KEY);
    assertThat(spec().base()).contains(PASSWORD);
  }
}
