package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextClassification;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * P10: bfloat16 against our float32, the same rows; and how often both give a row the same label,
 * by the trained adapters and the texts of the quickstart.
 */
record HalfPrecision() implements Scenario {
  private static final Path QUICKSTART = Checkout.path("jobs", "quickstart");
  private static final double AGREEMENT = 0.995;
  private static final int ROUNDS = 3;

  @Override
  public List<String> names() {
    return List.of("P10");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    List<Figure> figures = new ArrayList<>();
    List<Rows> chunks = Job.S3.chunks(bench, bench.settings().chunkRows() / 4, ROUNDS);
    try (Part full = Part.of(bench, "float32", chunks);
        Part half = Part.of(bench, "bfloat16", chunks, spec -> spec.with(Precision.BFLOAT16))) {
      full.side().chunk().apply(0);
      half.side().chunk().apply(0);
      List<Samples> all = bench.time(ROUNDS, half.side(), full.side());
      figures.add(Figure.ratio("P10", "S3 bfloat16 : float32", 1.6, all.get(0), all.get(1)));
    }
    figures.add(agreement(bench));
    return figures;
  }

  private static Figure agreement(Workbench bench) {
    String what = "same label, quickstart's rows";
    if (!bench.settings().model().getFileName().toString().equals("all-MiniLM-L6-v2")
        || !Files.isDirectory(QUICKSTART)) {
      return Figure.of("P10", what, "needs all-MiniLM-L6-v2");
    }
    List<Request> requests = requests(bench.settings().quick() ? 24 : Integer.MAX_VALUE);
    List<String> full = labels(bench, requests, Precision.FLOAT32);
    List<String> half = labels(bench, requests, Precision.BFLOAT16);
    int same = 0;
    for (int i = 0; i < full.size(); i++) {
      same += full.get(i).equals(half.get(i)) ? 1 : 0;
    }
    double share = (double) same / full.size();
    return new Figure(
        "P10",
        what,
        String.format(Locale.ROOT, "%.1f %% of %d", 100 * share, full.size()),
        String.format(Locale.ROOT, ">= %.1f %%", 100 * AGREEMENT),
        share >= AGREEMENT,
        null,
        null);
  }

  private static List<Request> requests(int most) {
    try {
      List<Request> requests = new ArrayList<>();
      for (String line : Files.readAllLines(QUICKSTART.resolve("rows-classification.jsonl"))) {
        JsonNode row = LineProcess.JSON.readTree(line);
        requests.add(Request.of(row.get("text").asText(), row.get("adapter").asText()));
      }
      // rows come adapter by adapter
      int step = Math.max(1, requests.size() / most);
      List<Request> some = new ArrayList<>();
      for (int i = 0; i < requests.size() && some.size() < most; i += step) {
        some.add(requests.get(i));
      }
      return some;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> labels(Workbench bench, List<Request> requests, Precision precision) {
    Map<String, AdapterSource> adapters = new HashMap<>();
    for (Request request : requests) {
      String name = request.adapter().get(0);
      adapters.put(name, AdapterSource.of(QUICKSTART.resolve("adapters/" + name).toString()));
    }
    EngineSpec spec =
        EngineSpec.of(bench.settings().model().toString(), TextClassification.AUTO, adapters);
    try (Engine engine = Engine.load(spec.with(precision))) {
      return engine.run(requests).stream()
          .map(Result::prediction)
          .map(prediction -> ((Classification) prediction).label())
          .toList();
    }
  }
}
