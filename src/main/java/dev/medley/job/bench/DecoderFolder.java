package dev.medley.job.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.SafetensorsWriter.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;

/**
 * A random Llama with LoRA adapters on all of its linear layers, and prompts, as files that
 * transformers and PEFT read, too. Token 7 is written {@code t7}.
 */
record DecoderFolder(Path path, Shape shape, int adapters, List<long[]> prompts) {

  /** Sizes; the head is tied to the embeddings. */
  record Shape(
      int hidden, int intermediate, int layers, int heads, int kvHeads, int vocab, int rank) {
    /** 100 million parameters, rank 8. */
    static final Shape SMALL = new Shape(768, 2048, 12, 12, 4, 32_000, 8);

    /** 4 million. */
    static final Shape TINY = new Shape(192, 512, 4, 6, 2, 8_000, 8);

    int keys() {
      return hidden / heads * kvHeads;
    }

    long parameters() {
      long layer = 2L * hidden * hidden + 2L * hidden * keys() + 3L * hidden * intermediate;
      return (long) vocab * hidden + layers * layer;
    }
  }

  private record Linear(String name, int out, int in) {}

  private static List<Linear> linears(Shape s) {
    return List.of(
        new Linear("self_attn.q_proj", s.hidden, s.hidden),
        new Linear("self_attn.k_proj", s.keys(), s.hidden),
        new Linear("self_attn.v_proj", s.keys(), s.hidden),
        new Linear("self_attn.o_proj", s.hidden, s.hidden),
        new Linear("mlp.gate_proj", s.intermediate, s.hidden),
        new Linear("mlp.up_proj", s.intermediate, s.hidden),
        new Linear("mlp.down_proj", s.hidden, s.intermediate));
  }

  /** Writes everything; the same numbers for the same arguments. */
  static DecoderFolder write(Path path, Shape shape, int adapters, int rows) {
    try {
      Files.createDirectories(path);
      ObjectMapper mapper = new ObjectMapper();
      mapper.writeValue(path.resolve("config.json").toFile(), config(mapper, shape));
      mapper.writeValue(path.resolve("tokenizer.json").toFile(), tokenizer(mapper, shape));
      SafetensorsWriter.write(path.resolve("model.safetensors"), Map.of(), model(shape));
      for (int i = 0; i < adapters; i++) {
        Path adapter = Files.createDirectories(path.resolve("adapters/a" + i));
        mapper.writeValue(adapter.resolve("adapter_config.json").toFile(), lora(shape));
        SafetensorsWriter.write(
            adapter.resolve("adapter_model.safetensors"), Map.of(), adapter(shape, i));
      }
      Random random = new Random(7);
      List<long[]> prompts = new ArrayList<>();
      for (int i = 0; i < rows; i++) {
        long[] prompt =
            new long[(int) Math.max(8, Math.min(96, 32 * Math.exp(0.5 * random.nextGaussian())))];
        Arrays.setAll(prompt, t -> 3 + random.nextInt(shape.vocab - 3));
        prompts.add(prompt);
      }
      mapper.writeValue(path.resolve("prompts.json").toFile(), prompts);
      return new DecoderFolder(path, shape, adapters, prompts);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String adapter(int i) {
    return path.resolve("adapters/a" + i).toString();
  }

  static String text(long[] ids) {
    return Arrays.stream(ids).mapToObj(id -> "t" + id).collect(Collectors.joining(" "));
  }

  private static ObjectNode config(ObjectMapper mapper, Shape s) {
    ObjectNode config = mapper.createObjectNode();
    config.putArray("architectures").add("LlamaForCausalLM");
    config.put("model_type", "llama").put("hidden_act", "silu").put("tie_word_embeddings", true);
    config.put("hidden_size", s.hidden).put("intermediate_size", s.intermediate);
    config.put("num_hidden_layers", s.layers).put("num_attention_heads", s.heads);
    config.put("num_key_value_heads", s.kvHeads).put("vocab_size", s.vocab);
    config.put("max_position_embeddings", 2048).put("rms_norm_eps", 1e-5);
    config.put("bos_token_id", 1).put("eos_token_id", 2).put("pad_token_id", 0);
    return config;
  }

  private static Map<String, Object> lora(Shape s) {
    return Map.of(
        "peft_type",
        "LORA",
        "task_type",
        "CAUSAL_LM",
        "r",
        s.rank,
        "lora_alpha",
        2 * s.rank,
        "target_modules",
        linears(s).stream().map(l -> l.name.substring(l.name.indexOf('.') + 1)).toList());
  }

  private static ObjectNode tokenizer(ObjectMapper mapper, Shape s) {
    ObjectNode tokenizer = mapper.createObjectNode();
    tokenizer.put("version", "1.0");
    tokenizer.putArray("added_tokens");
    tokenizer.putObject("pre_tokenizer").put("type", "WhitespaceSplit");
    ObjectNode model = tokenizer.putObject("model");
    model.put("type", "WordLevel").put("unk_token", "t0");
    ObjectNode vocab = model.putObject("vocab");
    for (int id = 0; id < s.vocab; id++) {
      vocab.put("t" + id, id);
    }
    return tokenizer;
  }

  private static List<Tensor> model(Shape s) {
    List<Tensor> tensors = new ArrayList<>();
    tensors.add(RandomTensors.normal("model.embed_tokens.weight", 1, 1, s.vocab, s.hidden));
    for (int i = 0; i < s.layers; i++) {
      String layer = "model.layers." + i + ".";
      tensors.add(RandomTensors.filled(layer + "input_layernorm.weight", 1, s.hidden));
      tensors.add(RandomTensors.filled(layer + "post_attention_layernorm.weight", 1, s.hidden));
      for (Linear linear : linears(s)) {
        double std = 1 / Math.sqrt(linear.in);
        tensors.add(
            RandomTensors.normal(layer + linear.name + ".weight", std, i, linear.out, linear.in));
      }
    }
    tensors.add(RandomTensors.filled("model.norm.weight", 1, s.hidden));
    return tensors;
  }

  private static List<Tensor> adapter(Shape s, int number) {
    List<Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < s.layers; i++) {
      for (Linear linear : linears(s)) {
        String module = "base_model.model.model.layers." + i + "." + linear.name;
        double std = 1 / Math.sqrt(linear.in);
        int seed = 1000 * number + i;
        tensors.add(RandomTensors.normal(module + ".lora_A.weight", std, seed, s.rank, linear.in));
        tensors.add(RandomTensors.normal(module + ".lora_B.weight", 0.1, seed, linear.out, s.rank));
      }
    }
    return tensors;
  }
}
