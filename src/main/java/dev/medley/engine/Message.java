package dev.medley.engine;

/**
 * What somebody said in a chat.
 *
 * @param role who: as the model's template knows them, usually system, user or assistant
 * @param content the words
 */
public record Message(String role, String content) {
  public Message {
    if (role == null || content == null) {
      throw new IllegalArgumentException(
          "message: expected a role and a content, got role " + role + " and content " + content);
    }
  }
}
