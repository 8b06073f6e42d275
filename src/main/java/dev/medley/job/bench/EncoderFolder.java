package dev.medley.job.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.SafetensorsWriter.Tensor;
import dev.medley.job.bench.EncoderShape.Linear;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes a BERT with random weights, and a vocabulary of made-up words, as transformers reads it.
 */
final class EncoderFolder {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> SPECIAL = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");
  private static final int POSITIONS = 512;

  private EncoderFolder() {}

  /** Writes everything; the same numbers for the same shape. */
  static void write(Path folder, EncoderShape shape) {
    try {
      Files.createDirectories(folder);
      JSON.writeValue(folder.resolve("config.json").toFile(), config(shape));
      JSON.writeValue(folder.resolve("tokenizer.json").toFile(), tokenizer(shape));
      JSON.writeValue(
          folder.resolve("tokenizer_config.json").toFile(),
          Map.of(
              "tokenizer_class", "BertTokenizer",
              "model_max_length", POSITIONS,
              "cls_token", "[CLS]",
              "sep_token", "[SEP]",
              "pad_token", "[PAD]",
              "unk_token", "[UNK]",
              "mask_token", "[MASK]"));
      SafetensorsWriter.write(
          folder.resolve("model.safetensors"), Map.of("format", "pt"), tensors(shape));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ObjectNode config(EncoderShape shape) {
    ObjectNode config = JSON.createObjectNode();
    config.putArray("architectures").add("BertModel");
    config.put("model_type", "bert").put("hidden_act", "gelu");
    config.put("hidden_size", shape.hidden()).put("intermediate_size", shape.intermediate());
    config.put("num_hidden_layers", shape.layers()).put("num_attention_heads", shape.heads());
    config.put("vocab_size", shape.vocab()).put("type_vocab_size", 2);
    config.put("max_position_embeddings", POSITIONS).put("layer_norm_eps", 1e-12);
    config.put("pad_token_id", 0);
    return config;
  }

  private static ObjectNode tokenizer(EncoderShape shape) {
    ObjectNode tokenizer = JSON.createObjectNode();
    tokenizer.put("version", "1.0");
    for (int id = 0; id < SPECIAL.size(); id++) {
      tokenizer
          .withArray("added_tokens")
          .addObject()
          .put("id", id)
          .put("content", SPECIAL.get(id))
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", true);
    }
    tokenizer
        .putObject("normalizer")
        .put("type", "BertNormalizer")
        .put("clean_text", true)
        .put("handle_chinese_chars", true)
        .putNull("strip_accents")
        .put("lowercase", true);
    tokenizer.putObject("pre_tokenizer").put("type", "BertPreTokenizer");
    tokenizer
        .putObject("post_processor")
        .put("type", "BertProcessing")
        .set("sep", JSON.createArrayNode().add("[SEP]").add(3));
    ((ObjectNode) tokenizer.get("post_processor"))
        .set("cls", JSON.createArrayNode().add("[CLS]").add(2));
    ObjectNode model = tokenizer.putObject("model");
    model.put("type", "WordPiece").put("unk_token", "[UNK]");
    model.put("continuing_subword_prefix", "##").put("max_input_chars_per_word", 100);
    ObjectNode vocab = model.putObject("vocab");
    for (int id = 0; id < shape.vocab(); id++) {
      vocab.put(id < SPECIAL.size() ? SPECIAL.get(id) : word(id), id);
    }
    return tokenizer;
  }

  /** Five letters, another word for each number. */
  private static String word(int number) {
    StringBuilder word = new StringBuilder();
    for (int rest = number; word.length() < 5; rest /= 26) {
      word.append((char) ('a' + rest % 26));
    }
    return word.toString();
  }

  private static List<Tensor> tensors(EncoderShape shape) {
    List<Tensor> tensors = new ArrayList<>();
    int hidden = shape.hidden();
    String embeddings = "embeddings.";
    tensors.add(
        RandomTensors.normal(embeddings + "word_embeddings.weight", 0.5, 1, shape.vocab(), hidden));
    tensors.add(
        RandomTensors.normal(embeddings + "position_embeddings.weight", 0.1, 1, POSITIONS, hidden));
    tensors.add(
        RandomTensors.normal(embeddings + "token_type_embeddings.weight", 0.1, 1, 2, hidden));
    norm(tensors, embeddings + "LayerNorm", hidden);
    for (Linear linear : shape.linears()) {
      double std = 1 / Math.sqrt(linear.in());
      tensors.add(
          RandomTensors.normal(linear.name() + ".weight", std, 1, linear.out(), linear.in()));
      tensors.add(RandomTensors.normal(linear.name() + ".bias", 0.1, 1, linear.out()));
      if (linear.name().endsWith("output.dense")) {
        norm(tensors, linear.name().replaceFirst("dense$", "LayerNorm"), hidden);
      }
    }
    return tensors;
  }

  private static void norm(List<Tensor> tensors, String name, int hidden) {
    tensors.add(RandomTensors.filled(name + ".weight", 1, hidden));
    tensors.add(RandomTensors.filled(name + ".bias", 0, hidden));
  }
}
