package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Sizes of a BERT, and its linear layers by their names in the checkpoint. */
record EncoderShape(int hidden, int intermediate, int layers, int heads, int vocab) {
  /** As {@code bert-base-uncased}. */
  static final EncoderShape BERT_BASE = new EncoderShape(768, 3072, 12, 12, 30_522);

  /** PEFT's {@code target_modules} for all linear layers of an encoder without a pooler. */
  static final List<String> TARGETS =
      List.of(
          "query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense");

  /** Weight [out, in]. */
  record Linear(String name, int out, int in) {}

  /** Of a folder's {@code config.json}. */
  static EncoderShape of(Path folder) {
    try {
      JsonNode config = new ObjectMapper().readTree(folder.resolve("config.json").toFile());
      String type = config.path("model_type").asText();
      if (!type.equals("bert")) {
        throw new LoadException(
            folder.resolve("config.json").toString(),
            "model_type: expected bert, whose layers the benchmark's adapters are for, found "
                + type);
      }
      return new EncoderShape(
          config.get("hidden_size").asInt(),
          config.get("intermediate_size").asInt(),
          config.get("num_hidden_layers").asInt(),
          config.get("num_attention_heads").asInt(),
          config.get("vocab_size").asInt());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All of them, layer by layer. */
  List<Linear> linears() {
    List<Linear> all = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      String layer = "encoder.layer." + i + ".";
      all.add(new Linear(layer + "attention.self.query", hidden, hidden));
      all.add(new Linear(layer + "attention.self.key", hidden, hidden));
      all.add(new Linear(layer + "attention.self.value", hidden, hidden));
      all.add(new Linear(layer + "attention.output.dense", hidden, hidden));
      all.add(new Linear(layer + "intermediate.dense", intermediate, hidden));
      all.add(new Linear(layer + "output.dense", hidden, intermediate));
    }
    return all;
  }

  /** Floating-point operations of the linear layers for one token, 2·in·out each. */
  double linearFlops() {
    return linears().stream().mapToDouble(linear -> 2.0 * linear.in * linear.out).sum();
  }
}
