package dev.medley.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/**
 * A decoder of the fixtures with a tokenizer that writes token 7 as {@code t7}, so that a text can
 * have any ids.
 */
public final class DecoderFolder {
  private static final int VOCAB = 121;

  private DecoderFolder() {}

  /** Copies {@code decoders/name} without its adapters. */
  public static Path of(String name, Path folder) {
    try {
      for (String file : List.of("config.json", "model.safetensors")) {
        Files.copy(Fixtures.path("decoders/" + name).resolve(file), folder.resolve(file));
      }
      Path generation = Fixtures.path("decoders/" + name).resolve("generation_config.json");
      if (Files.exists(generation)) { // models with other heads have none
        Files.copy(generation, folder.resolve("generation_config.json"));
      }
      ObjectMapper mapper = new ObjectMapper();
      ObjectNode tokenizer = mapper.createObjectNode();
      tokenizer.put("version", "1.0").putNull("truncation").putNull("padding");
      tokenizer.putArray("added_tokens");
      tokenizer.putNull("normalizer");
      tokenizer.putObject("pre_tokenizer").put("type", "WhitespaceSplit");
      tokenizer.putNull("post_processor").putNull("decoder");
      ObjectNode model = tokenizer.putObject("model");
      model.put("type", "WordLevel").put("unk_token", "t3");
      ObjectNode vocab = model.putObject("vocab");
      for (int id = 0; id < VOCAB; id++) {
        vocab.put("t" + id, id);
      }
      mapper.writeValue(folder.resolve("tokenizer.json").toFile(), tokenizer);
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The same with a chat template: {@code t20} before what a user says, {@code t21} otherwise. */
  public static Path ofChats(String name, Path folder) {
    of(name, folder);
    String template =
        "{% for message in messages %}{{ 't20 ' if message.role == 'user' else 't21 ' }}"
            + "{{ message.content + ' ' }}{% endfor %}t22";
    try {
      Files.writeString(folder.resolve("chat_template.jinja"), template);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return folder;
  }

  /** All adapters of {@code decoders/name}. */
  public static Map<String, AdapterSource> adapters(String name) {
    Map<String, AdapterSource> sources = new LinkedHashMap<>();
    for (String adapter : Fixtures.folders("decoders/" + name + "/adapters")) {
      String path = Fixtures.path("decoders/" + name + "/adapters/" + adapter).toString();
      sources.put(adapter, AdapterSource.of(path));
    }
    return sources;
  }

  /** The text of these tokens. */
  public static String text(long[] ids) {
    return Arrays.stream(ids).mapToObj(id -> "t" + id).collect(Collectors.joining(" "));
  }

  /** What PEFT generates after a prompt under a set; {@code greedy} ends in 1 where eos came. */
  public record Generated(String set, long[] ids, int maxNewTokens, int[] greedy) {
    public Request request() {
      return Request.of(text(ids), set);
    }
  }

  public static List<Generated> generated(String name) {
    try {
      JsonNode list =
          new ObjectMapper()
              .readTree(Fixtures.path("decoders/" + name + "/generation.json").toFile());
      List<Generated> rows = new ArrayList<>();
      for (JsonNode row : list) {
        rows.add(
            new Generated(
                row.get("set").asText(),
                ints(row.get("ids")).asLongStream().toArray(),
                row.get("max_new_tokens").intValue(),
                ints(row.get("greedy")).toArray()));
      }
      return rows;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static IntStream ints(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::intValue);
  }
}
