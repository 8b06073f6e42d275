package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Chats are written as transformers' {@code apply_chat_template} writes them, byte for byte. */
class ChatTemplateTest {
  private static final Clock NOW =
      Clock.fixed(LocalDateTime.of(2025, 1, 2, 3, 4, 5).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);

  private static final Storage STORAGE = Storage.standard();
  private static final JsonNode CONVERSATIONS = json("chat/conversations.json");

  @TempDir Path folder;

  static Stream<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (String model : Fixtures.folders("chat")) {
      ChatTemplate template = ChatTemplate.of(STORAGE, Fixtures.location("chat/" + model));
      json("chat/" + model + "/expected.json")
          .get("cases")
          .properties()
          .forEach(c -> cases.add(Arguments.of(model, c.getKey(), template, c.getValue())));
    }
    return cases.stream();
  }

  @ParameterizedTest(name = "{0}: {1}")
  @MethodSource("cases")
  void chatIsWrittenAsTransformersWritesIt(
      String model, String conversation, ChatTemplate template, JsonNode expected) {
    List<Message> messages = messages(CONVERSATIONS.get(conversation));
    if (expected.has("rendered")) {
      assertThat(template.render(messages, NOW)).isEqualTo(expected.get("rendered").asText());
      return;
    }
    String error = expected.get("error").asText();
    if (error.startsWith("ValueError: continue_final_message")) {
      assertThatThrownBy(() -> template.render(messages, NOW))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageEndingWith(
              "the last message is the assistant's, so it is to be continued, but the chat"
                  + " template does not write all of it; let the chat end with another role");
    } else {
      assertThatThrownBy(() -> template.render(messages, NOW))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              Fixtures.location("chat/" + model)
                  + ": the chat template does not take these messages: "
                  + error.substring(error.indexOf(": ") + 2));
    }
  }

  @Test
  void thereAreTwentyTemplates() {
    assertThat(Fixtures.folders("chat")).hasSize(20);
  }

  @Test
  void folderWithoutTemplateSaysWhatToDo() throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"bos_token\": \"<s>\"}");
    ChatTemplate none = ChatTemplate.of(STORAGE, Location.of(folder.toString()));
    assertThat(none.exists()).isFalse();
    assertThatThrownBy(() -> none.render(List.of(new Message("user", "Hi"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            folder
                + ": messages need a chat template, found neither chat_template.jinja nor"
                + " chat_template in tokenizer_config.json; add one, or give prompts instead of"
                + " messages");
  }

  @Test
  void templateThatIsNoneFailsAtLoad() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "a\n{% if x %}");
    assertThatThrownBy(() -> ChatTemplate.of(STORAGE, Location.of(folder.toString())))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder
                + "/chat_template.jinja: chat_template: line 2: Unexpected end of template,"
                + " expected elif or else or endif; correct the template, or write the prompts"
                + " yourself");
  }

  @Test
  void whatIsNotSupportedIsRefusedAtLoad() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages | pprint }}");
    assertThatThrownBy(() -> ChatTemplate.of(STORAGE, Location.of(folder.toString())))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder
                + "/chat_template.jinja: chat_template: line 1: the filter pprint is not supported"
                + " here; correct the template, or write the prompts yourself");
  }

  @Test
  void severalTemplatesWithoutDefaultAreRefused() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}");
    assertThatThrownBy(() -> ChatTemplate.of(STORAGE, Location.of(folder.toString())))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder
                + "/tokenizer_config.json: chat_template: expected text, or a list with a template"
                + " named default; name one so");
  }

  @Test
  void tokenThatPythonMayKnowByItselfMustBeSaid() throws IOException {
    String config =
        "{\"tokenizer_class\": \"LlamaTokenizer\", \"chat_template\": \"{{ bos_token }}\"";
    Files.writeString(folder.resolve("tokenizer_config.json"), config + "}");
    Location location = Location.of(folder.toString());
    assertThatThrownBy(() -> ChatTemplate.of(STORAGE, location))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder
                + "/tokenizer_config.json: bos_token: the chat template asks for it, found nothing,"
                + " and LlamaTokenizer may know one of its own in Python; add it, null for none");
    Files.writeString(folder.resolve("tokenizer_config.json"), config + ", \"bos_token\": null}");
    assertThat(ChatTemplate.of(STORAGE, location).render(List.of(new Message("user", "Hi"))))
        .isEmpty();
  }

  @Test
  void messageNeedsRoleAndContent() {
    assertThatThrownBy(() -> new Message("user", null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("message: expected a role and a content, got role user and content null");
  }

  @Test
  void chatNeedsMessages() {
    ChatTemplate template = ChatTemplate.of(STORAGE, Fixtures.location("chat/chatml"));
    assertThatThrownBy(() -> template.render(List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("messages: expected at least one, got none");
  }

  private static List<Message> messages(JsonNode conversation) {
    List<Message> messages = new ArrayList<>();
    conversation.forEach(
        m -> messages.add(new Message(m.get("role").asText(), m.get("content").asText())));
    return messages;
  }

  private static JsonNode json(String name) {
    try {
      return new ObjectMapper().readTree(Fixtures.path(name).toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
