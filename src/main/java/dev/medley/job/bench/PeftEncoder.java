package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.engine.Batching;
import dev.medley.job.bench.Workbench.Side;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.StreamSupport;

/** The other side: the same rows by transformers and PEFT, {@code jobs/bench/peft_encoder.py}. */
final class PeftEncoder implements AutoCloseable {
  /** How PEFT applies adapters. */
  enum Way {
    /** No adapter: transformers' own forward. */
    BASE,
    /** set_adapter for the rows of each adapter. */
    GROUPED,
    /** Batches of many adapters, by adapter_names. */
    MIXED,
    /** merge_adapter and unmerge_adapter around the rows of each adapter. */
    MERGED,
    /** A PeftMixedModel for each set. */
    SETS
  }

  private final LineProcess side;
  private final AdapterFolders adapters;

  /** Starts Python. */
  PeftEncoder(String python, Path model, int threads, AdapterFolders adapters) {
    this.side = LineProcess.python(python, "peft_encoder.py", model.toString(), "" + threads);
    this.adapters = adapters;
  }

  /** Such as {@code torch 2.7.1, transformers 4.57.0, peft 0.18.0}. */
  String versions() {
    JsonNode ready = side.ready();
    return "torch %s, transformers %s, peft %s"
        .formatted(
            ready.path("torch").asText(),
            ready.path("transformers").asText(),
            ready.path("peft").asText());
  }

  /** Seconds of each load, in order, by a model that has none of them yet. */
  double[] loadAnew(Collection<String> names) {
    ObjectNode order = LineProcess.JSON.createObjectNode().put("way", "load");
    folders(order, names);
    JsonNode seconds = side.ask(order).get("seconds");
    return StreamSupport.stream(seconds.spliterator(), false)
        .mapToDouble(JsonNode::doubleValue)
        .toArray();
  }

  /** Scores rows; adapters that are not loaded yet are loaded before the clock starts. */
  Scored run(Way way, Rows rows) {
    ObjectNode order = LineProcess.JSON.createObjectNode();
    order.put("way", way.name().toLowerCase(Locale.ROOT));
    order.set("texts", LineProcess.JSON.valueToTree(rows.texts()));
    order.set("adapter_of", LineProcess.JSON.valueToTree(rows.sets()));
    Batching ours = Batching.DEFAULT;
    order.set(
        "batches",
        LineProcess.JSON.valueToTree(
            rows.batches(ours.batchSize(), ours.batchTokens(), way != Way.MIXED)));
    folders(
        order,
        rows.sets().stream()
            .filter(Objects::nonNull)
            .flatMap(set -> Arrays.stream(set.split("\\+")))
            .distinct()
            .toList());
    JsonNode answer = side.ask(order);
    float[][] vectors = LineProcess.JSON.convertValue(answer.get("vectors"), float[][].class);
    return new Scored(
        new Sample(
            rows.size(),
            rows.tokens(),
            answer.get("seconds").doubleValue(),
            answer.get("cpu_seconds").doubleValue()),
        vectors);
  }

  /** PEFT's time for each chunk. */
  static Side side(Workbench bench, Way way, String name, List<Rows> chunks) {
    return new Side(name, chunk -> bench.peft().run(way, chunks.get(chunk)).sample());
  }

  private void folders(ObjectNode order, Collection<String> names) {
    ObjectNode folders = order.putObject("folders");
    names.forEach(name -> folders.put(name, adapters.folder(name).toString()));
  }

  @Override
  public void close() {
    side.close();
  }
}
