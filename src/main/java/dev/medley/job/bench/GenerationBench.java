package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.Batching;
import dev.medley.engine.Engine;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import dev.medley.engine.TextGeneration;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Prompts that are continued under no adapter, one, and many, by us and by PEFT in turn.
 *
 * @param python null for our side alone
 * @param dtype of our side
 */
record GenerationBench(
    DecoderFolder folder, String python, Precision dtype, int rows, int newTokens, int adapters) {
  /**
   * Who ran what.
   *
   * @param way PEFT's; null for ours
   * @param sameAs name of our side that has the same rows; null for ours
   * @param tokens of each row, of the last run
   */
  record Side(
      String name,
      String way,
      String sameAs,
      List<String> adapterOf,
      Samples samples,
      int[][][] tokens) {
    Side(String name, String way, String sameAs, List<String> adapterOf) {
      this(name, way, sameAs, adapterOf, new Samples(name), new int[1][][]);
    }

    /** How many rows have the same tokens. */
    long agreement(Side other) {
      return IntStream.range(0, tokens[0].length)
          .filter(i -> Arrays.equals(tokens[0][i], other.tokens[0][i]))
          .count();
    }
  }

  /** All sides in turn, so many times; before that once for nothing. */
  List<Side> run(int runs) {
    return time(runs, sides());
  }

  /** The same of some sides only, by their names. */
  List<Side> run(int runs, List<String> names) {
    return time(runs, sides().stream().filter(side -> names.contains(side.name)).toList());
  }

  private List<Side> time(int runs, List<Side> sides) {
    try (Engine engine = Engine.load(spec());
        LineProcess peft =
            python == null
                ? null
                : LineProcess.python(
                    python,
                    "peft_generation.py",
                    folder.path().toString(),
                    "" + Workbench.threads())) {
      for (int run = 0; run <= runs; run++) {
        for (Side side : sides) {
          Sample sample = side.way == null ? ours(engine, side) : peft(peft, side);
          if (run > 0) {
            side.samples.all().add(sample);
          }
        }
      }
    }
    return sides;
  }

  private List<Side> sides() {
    List<String> none = List.of();
    List<String> one = IntStream.range(0, rows).mapToObj(i -> "a0").toList();
    List<String> all = IntStream.range(0, rows).mapToObj(i -> "a" + i % adapters).toList();
    String many = adapters + " adapters";
    List<Side> sides = new ArrayList<>();
    sides.add(new Side("base", null, null, none));
    sides.add(new Side("1 adapter", null, null, one));
    sides.add(new Side(many, null, null, all));
    if (python != null) {
      sides.add(new Side("base, transformers", "base", "base", none));
      sides.add(new Side("1 adapter, PEFT", "grouped", "1 adapter", one));
      sides.add(new Side(many + ", PEFT by adapter", "grouped", many, all));
      sides.add(new Side(many + ", PEFT adapter_names", "mixed", many, all));
    }
    return sides;
  }

  private EngineSpec spec() {
    Map<String, AdapterSource> sources = new HashMap<>();
    for (int i = 0; i < adapters; i++) {
      sources.put("a" + i, AdapterSource.of(folder.adapter(i)));
    }
    TextGeneration task =
        TextGeneration.AUTO.withMaxNewTokens(newTokens).withEosTokenIds(List.of());
    return EngineSpec.of(folder.path().toString(), task, sources)
        .with(new Batching(rows, 4096, 2048, 0, true))
        .with(dtype);
  }

  private Sample ours(Engine engine, Side side) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      String adapter = side.adapterOf.isEmpty() ? null : side.adapterOf.get(i);
      requests.add(Request.of(DecoderFolder.text(folder.prompts().get(i)), adapter));
    }
    CpuClock clock = CpuClock.start();
    List<Result> results = engine.run(requests);
    Sample sample = clock.sample(rows, 0);
    side.tokens[0] =
        results.stream()
            .map(Result::prediction)
            .map(prediction -> ((Generation) prediction).tokens())
            .toArray(int[][]::new);
    return sample;
  }

  private Sample peft(LineProcess peft, Side side) {
    ObjectNode order = LineProcess.JSON.createObjectNode();
    order.put("way", side.way).put("new_tokens", newTokens);
    order.set("adapter_of", LineProcess.JSON.valueToTree(side.adapterOf));
    JsonNode answer = peft.ask(order);
    try {
      side.tokens[0] = LineProcess.JSON.treeToValue(answer.get("tokens"), int[][].class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new Sample(
        rows, 0, answer.get("seconds").doubleValue(), answer.get("cpu_seconds").doubleValue());
  }
}
