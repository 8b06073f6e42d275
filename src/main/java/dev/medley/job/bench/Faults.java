package dev.medley.job.bench;

import dev.medley.engine.AdapterSource;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.job.bench.Workbench.Side;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * S9: S3 with one row in a hundred that cannot be scored, null or under an adapter that nobody
 * knows, and a row under each of five broken adapters, against the same without. Good rows are to
 * be the same, and about as quick.
 */
record Faults() implements Scenario {
  private static final int ROUNDS = 3;
  private static final int GOOD_ROWS_PER_BAD = 99;

  @Override
  public List<String> names() {
    return List.of("S9");
  }

  /** Requests with bad ones among them, and where the good ones are. */
  private record Poisoned(List<Request> requests, int[] good) {}

  @Override
  public List<Figure> run(Workbench bench) {
    List<Rows> chunks = Job.S3.chunks(bench, bench.settings().chunkRows(), ROUNDS);
    EngineSpec spec = bench.spec(Part.adapters(chunks));
    Map<String, AdapterSource> sources = new HashMap<>(spec.adapters());
    List<String> broken = broken(bench);
    broken.forEach(
        name ->
            sources.put(name, AdapterSource.of(bench.settings().work().resolve(name).toString())));
    EngineSpec poisonedSpec = spec.with(spec.base(), sources);
    try (Part clean = Part.of(bench, "clean", chunks);
        Engine engine = bench.engine(poisonedSpec)) {
      List<Poisoned> poisoned =
          chunks.stream().map(rows -> poisoned(rows.requests(), broken)).toList();
      float[][] expected = EngineSide.run(clean.engine(), chunks.get(0)).vectors();
      boolean same = Arrays.deepEquals(expected, vectors(engine, poisoned.get(0)));
      List<Samples> all =
          bench.time(
              ROUNDS,
              new Side("poisoned", i -> time(engine, poisoned.get(i), chunks.get(i))),
              clean.side());
      return List.of(
          Figure.ratio("S9", "good rows among bad ones : without", all.get(0), all.get(1)),
          Figure.of("S9", "good rows, bit for bit", same ? "the same" : "not the same"));
    }
  }

  private static Poisoned poisoned(List<Request> good, List<String> broken) {
    List<Request> requests = new ArrayList<>();
    int[] places = new int[good.size()];
    int bad = 0;
    for (int i = 0; i < good.size(); i++) {
      if (i % GOOD_ROWS_PER_BAD == GOOD_ROWS_PER_BAD / 2) {
        requests.add(
            bad++ % 2 == 0
                ? Request.of(null, good.get(i).adapter().get(0))
                : Request.of(good.get(i).text(), "nobody"));
      }
      if (i < broken.size()) {
        requests.add(Request.of(good.get(i).text(), broken.get(i)));
      }
      places[i] = requests.size();
      requests.add(good.get(i));
    }
    return new Poisoned(requests, places);
  }

  private static Sample time(Engine engine, Poisoned poisoned, Rows rows) {
    CpuClock clock = CpuClock.start();
    engine.run(poisoned.requests);
    return clock.sample(rows.size(), rows.tokens());
  }

  /** Of the good rows; the bad ones are to have errors. */
  private static float[][] vectors(Engine engine, Poisoned poisoned) {
    List<Result> results = engine.run(poisoned.requests);
    long scored = results.stream().filter(result -> result.prediction() != null).count();
    if (scored != poisoned.good.length) {
      throw new IllegalStateException(
          "expected " + poisoned.good.length + " rows without an error, found " + scored);
    }
    return Arrays.stream(poisoned.good)
        .mapToObj(results::get)
        .map(result -> ((Embedding) result.prediction()).values())
        .toArray(float[][]::new);
  }

  /** Each broken otherwise: no weights, half of them, no JSON, no type, another model's shapes. */
  private static List<String> broken(Workbench bench) {
    List<String> names =
        List.of("without-weights", "half-weights", "no-json", "no-type", "other-shapes");
    EncoderShape wider =
        new EncoderShape(2 * bench.shape().hidden(), 64, bench.shape().layers(), 4, 100);
    Path good = bench.adapters().folder("lora0");
    Path other =
        new AdapterFolders(bench.settings().work().resolve("other"), wider).folder("lora0");
    String config = "adapter_config.json";
    String weights = "adapter_model.safetensors";
    try {
      for (String name : names) {
        Path folder = Files.createDirectories(bench.settings().work().resolve(name));
        Files.copy(good.resolve(config), folder.resolve(config));
        byte[] bytes = Files.readAllBytes(good.resolve(weights));
        switch (name) {
          case "half-weights" ->
              Files.write(folder.resolve(weights), Arrays.copyOf(bytes, bytes.length / 2));
          case "no-json" -> {
            Files.write(folder.resolve(weights), bytes);
            Files.writeString(folder.resolve(config), "{");
          }
          case "no-type" -> {
            Files.write(folder.resolve(weights), bytes);
            Files.writeString(folder.resolve(config), "{\"peft_type\": \"NONE_SUCH\"}");
          }
          case "other-shapes" -> Files.copy(other.resolve(weights), folder.resolve(weights));
          default -> {
            // without-weights
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return names;
  }
}
