package dev.medley.engine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.engine.jinja.JinjaException;
import dev.medley.engine.jinja.JinjaTemplate;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * How a model wants chats written: the Jinja template that comes with its tokenizer, rendered as
 * transformers' {@code apply_chat_template} and text-generation pipeline do. The text holds its own
 * special tokens; a tokenizer is to add none. Immutable; for use by many threads.
 */
final class ChatTemplate {
  private static final String FILE = "chat_template.jinja";
  private static final String MORE = "additional_chat_templates";
  private static final String CONFIG = "tokenizer_config.json";
  private static final String SPECIAL = "special_tokens_map.json";

  /** Special tokens that a tokenizer of a class of its own may know without the files' saying. */
  private static final Set<String> STANDARD =
      Set.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token");

  /** Classes of transformers that know no special token by themselves. */
  private static final Set<String> GENERIC =
      Set.of("", "PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend");

  /** Put behind what is to be continued, to find its end again; with the blank, as in Python. */
  private static final String MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

  private final Location folder;
  private final JinjaTemplate template;
  private final boolean takesContents;
  private final Map<String, String> tokens;

  private ChatTemplate(
      Location folder, JinjaTemplate template, boolean takesContents, Map<String, String> tokens) {
    this.folder = folder;
    this.template = template;
    this.takesContents = takesContents;
    this.tokens = tokens;
  }

  /**
   * The template of a model's folder: {@code chat_template.jinja}, else {@code chat_template} of
   * {@code tokenizer_config.json}, of several the one named default. Special tokens are those of
   * {@code tokenizer_config.json}, and of {@code special_tokens_map.json} where the former has no
   * {@code added_tokens_decoder}.
   *
   * <p>A folder without a template is none that cannot be loaded: {@link #render} says so.
   *
   * @throws LoadException where the template is no Jinja, or asks for what is not supported
   */
  static ChatTemplate of(Storage storage, Location folder) {
    Location configFile = folder.resolve(CONFIG);
    JsonObject config =
        storage.exists(configFile)
            ? JsonObject.read(storage, configFile)
            : JsonObject.parse("{}", configFile.toString());
    Location file = folder.resolve(FILE);
    Location where = storage.exists(file) ? file : configFile;
    String source = where == file ? text(storage, file) : default_(storage, folder, config);
    if (source == null) {
      return new ChatTemplate(folder, null, false, Map.of());
    }
    JinjaTemplate template;
    try {
      template = JinjaTemplate.parse(source);
    } catch (JinjaException e) {
      throw new LoadException(
          where.toString(),
          "chat_template: "
              + e.getMessage()
              + "; correct the template, or write the prompts yourself",
          e);
    }
    Map<String, String> tokens = tokens(storage, folder, config, template);
    return new ChatTemplate(folder, template, source.contains("content"), tokens);
  }

  /** Whether the folder has a template. */
  boolean exists() {
    return template != null;
  }

  /** Throws IllegalArgumentException where the folder has no template. */
  void checkExists() {
    if (!exists()) {
      throw new IllegalArgumentException(
          folder
              + ": messages need a chat template, found neither "
              + FILE
              + " nor chat_template in "
              + CONFIG
              + "; add one, or give prompts instead of messages");
    }
  }

  /**
   * The text of a chat, with what the assistant's answer begins with. Where the last message is the
   * assistant's, the text ends where that message does, and the model goes on with it.
   *
   * @throws IllegalArgumentException where the folder has no template, or the template does not
   *     take these messages; in its own words
   */
  String render(List<Message> messages) {
    return render(messages, Clock.systemDefaultZone());
  }

  /** The same at another time, which some templates write down. */
  String render(List<Message> messages, Clock clock) {
    checkExists();
    if (messages.isEmpty()) {
      throw new IllegalArgumentException("messages: expected at least one, got none");
    }
    Message last = messages.get(messages.size() - 1);
    boolean continued = last.role().equals("assistant");
    List<Map<String, String>> chat = new ArrayList<>();
    messages.forEach(message -> chat.add(entry(message, "")));
    if (continued) {
      chat.set(chat.size() - 1, entry(last, MARK));
    }
    Map<String, Object> values = new HashMap<>(tokens);
    values.put("messages", chat);
    values.put("tools", null);
    values.put("documents", null);
    values.put("add_generation_prompt", !continued);
    String text;
    try {
      text = template.render(values, clock);
    } catch (JinjaException e) {
      throw new IllegalArgumentException(
          folder + ": the chat template does not take these messages: " + e.getMessage(), e);
    }
    return continued ? upToMark(text, last.content()) : text;
  }

  /** A map with an order, which a template may print. */
  private static Map<String, String> entry(Message message, String mark) {
    Map<String, String> entry = new java.util.LinkedHashMap<>();
    entry.put("role", message.role());
    entry.put("content", message.content() + mark);
    return entry;
  }

  private String upToMark(String text, String content) {
    int end = text.lastIndexOf(MARK.strip());
    if (!takesContents || end < 0 || !text.contains(JinjaTemplate.strip(content))) {
      throw new IllegalArgumentException(
          folder
              + ": the last message is the assistant's, so it is to be continued, but the chat"
              + " template does not write all of it; let the chat end with another role");
    }
    String before = text.substring(0, end);
    return text.startsWith(MARK, end) ? before : JinjaTemplate.rstrip(before);
  }

  private static String text(Storage storage, Location file) {
    return storage.text(file, JsonObject.LARGEST);
  }

  /** The template of the config; null where there is none. */
  private static String default_(Storage storage, Location folder, JsonObject config) {
    Location more = folder.resolve(MORE);
    if (storage.exists(more)
        && storage.list(more).stream().anyMatch(name -> name.endsWith(".jinja"))) {
      throw new LoadException(
          folder.toString(), "expected " + FILE + " beside the folder " + MORE + ", found none");
    }
    JsonNode node = config.node("chat_template");
    if (node == null || node.isTextual()) {
      return node == null ? null : node.textValue();
    }
    for (JsonNode named : node) {
      if (named.path("name").asText().equals("default") && named.path("template").isTextual()) {
        return named.get("template").textValue();
      }
    }
    throw new LoadException(
        config.where(),
        "chat_template: expected text, or a list with a template named default; name one so");
  }

  private static Map<String, String> tokens(
      Storage storage, Location folder, JsonObject config, JinjaTemplate template) {
    Map<String, String> tokens = new HashMap<>();
    Set<String> said = new java.util.HashSet<>();
    read(storage, folder.resolve(CONFIG), tokens, said);
    if (config.node("added_tokens_decoder") == null) {
      read(storage, folder.resolve(SPECIAL), tokens, said);
    }
    String type = config.string("tokenizer_class", "");
    for (String name : STANDARD) {
      if (!GENERIC.contains(type) && !said.contains(name) && template.names(name)) {
        throw new LoadException(
            config.where(),
            name
                + ": the chat template asks for it, found nothing, and "
                + type
                + " may know one of its own in Python; add it, null for none");
      }
    }
    return tokens;
  }

  /** Adds a file's special tokens, {@code said} are those that it has a word on, be it null. */
  private static void read(
      Storage storage, Location file, Map<String, String> tokens, Set<String> said) {
    if (!storage.exists(file)) {
      return;
    }
    JsonNode json = json(storage, file);
    json.properties()
        .forEach(
            field -> {
              if (field.getKey().endsWith("_token")) {
                put(tokens, said, field.getKey(), field.getValue());
              }
            });
    JsonNode extra = json.path("extra_special_tokens");
    if (extra.isObject()) {
      extra.properties().forEach(field -> put(tokens, said, field.getKey(), field.getValue()));
    }
  }

  private static JsonNode json(Storage storage, Location file) {
    JsonObject all = JsonObject.parse("{\"all\": " + text(storage, file) + "}", file.toString());
    return all.node("all");
  }

  private static void put(
      Map<String, String> tokens, Set<String> said, String name, JsonNode token) {
    JsonNode text = token.isObject() ? token.path("content") : token;
    said.add(name);
    if (text.isTextual()) {
      tokens.put(name, text.textValue());
    } else {
      tokens.remove(name);
    }
  }
}
