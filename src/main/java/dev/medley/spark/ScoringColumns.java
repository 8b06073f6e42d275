package dev.medley.spark;

import java.io.Serializable;
import java.util.List;

/**
 * Names of the columns that scoring reads and writes. Names are exact: a dot in one is part of it.
 *
 * @param text of type string: texts, or prompts; null where chats take its place
 * @param messages of type {@code array<struct<role:string,content:string>>}: chats, for text
 *     generation; null for none
 * @param completion of type string: what text-scoring scores after the prompt; null for the text
 *     itself
 * @param seed of an integer type: a row's own seed, for text generation; null for none
 * @param adapter of type string or {@code array<string>}; null for every row under the base alone
 * @param prediction to be added
 * @param lineage to be added: where a row's prediction comes from; null for none
 * @param key of any type: tells rows apart where people hear of one; null for their places
 */
public record ScoringColumns(
    String text,
    String messages,
    String completion,
    String seed,
    String adapter,
    String prediction,
    String lineage,
    String key)
    implements Serializable {
  /**
   * Throws IllegalArgumentException for a name that is missing or blank, and for both texts and
   * chats.
   */
  public ScoringColumns {
    if (messages == null) {
      named("text", text);
    } else if (text != null) {
      throw new IllegalArgumentException(
          "messages column: expected none beside the text column " + text + ", got " + messages);
    }
    optional("messages", messages);
    optional("completion", completion);
    optional("seed", seed);
    optional("adapter", adapter);
    named("prediction", prediction);
    optional("lineage", lineage);
    optional("key", key);
  }

  /** Without lineage and key. */
  public ScoringColumns(
      String text,
      String messages,
      String completion,
      String seed,
      String adapter,
      String prediction) {
    this(text, messages, completion, seed, adapter, prediction, null, null);
  }

  /** Texts. */
  public ScoringColumns(String text, String adapter, String prediction) {
    this(text, null, null, null, adapter, prediction);
  }

  /** Chats. */
  public static ScoringColumns ofChats(String messages, String adapter, String prediction) {
    return new ScoringColumns(null, messages, null, null, adapter, prediction);
  }

  /** The same with completions of the texts, which are prompts then. */
  public ScoringColumns withCompletion(String column) {
    return new ScoringColumns(text, messages, column, seed, adapter, prediction, lineage, key);
  }

  /** The same with seeds. */
  public ScoringColumns withSeed(String column) {
    return new ScoringColumns(
        text, messages, completion, column, adapter, prediction, lineage, key);
  }

  /** The same with a column of lineage; null for none. */
  public ScoringColumns withLineage(String column) {
    return new ScoringColumns(text, messages, completion, seed, adapter, prediction, column, key);
  }

  /** The same with a column that tells rows apart; null for none. */
  public ScoringColumns withKey(String column) {
    return new ScoringColumns(
        text, messages, completion, seed, adapter, prediction, lineage, column);
  }

  /** The columns that are added, in their order. */
  List<String> added() {
    return lineage == null ? List.of(prediction, error()) : List.of(prediction, error(), lineage);
  }

  /** The column beside the prediction that says what is wrong with a row. */
  public String error() {
    return prediction + "_error";
  }

  private static void optional(String role, String column) {
    if (column != null) {
      named(role, column);
    }
  }

  private static void named(String role, String column) {
    if (column == null || column.isBlank()) {
      throw new IllegalArgumentException(
          role + " column: expected a name, got " + (column == null ? "none" : "a blank one"));
    }
  }
}
