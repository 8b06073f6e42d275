package dev.medley.engine;

import java.util.List;

/**
 * One row to score.
 *
 * @param text a text, or a prompt; null or empty is the row's error
 * @param messages a chat in place of the text, for text generation; null for none
 * @param completion what text-scoring scores after the prompt; null for the text itself
 * @param seed the row's own, beside the job's, for text generation; null for none
 * @param adapter what the row's adapter column holds: nothing, a name, or the members of an ordered
 *     mixed set; see {@link AdapterRef}
 * @param error what is wrong with the row already, and is its result then; null for nothing
 */
public record Request(
    String text,
    List<Message> messages,
    String completion,
    Long seed,
    List<String> adapter,
    RowError error) {
  /** A text under an adapter, a set's members in order, or nothing for the base. */
  public Request(String text, List<String> adapter) {
    this(text, null, null, null, adapter, null);
  }

  /** Under the base model alone. */
  public static Request of(String text) {
    return new Request(text, List.of());
  }

  /** Under one adapter, or a set written as {@code a+b}; null for the base model. */
  public static Request of(String text, String adapter) {
    return new Request(text, adapters(adapter));
  }

  /** A chat that is to be answered. */
  public static Request ofChat(List<Message> messages, String adapter) {
    return new Request(null, messages, null, null, adapters(adapter), null);
  }

  /** How likely is {@code completion} after {@code prompt}? */
  public static Request ofCompletion(String prompt, String completion, String adapter) {
    return new Request(prompt, null, completion, null, adapters(adapter), null);
  }

  /** A row that nothing can be asked for: it keeps its place, and gets this error. */
  public static Request failed(RowError error) {
    return new Request(null, null, null, null, List.of(), error);
  }

  /** The same with a seed of its own. */
  public Request withSeed(Long rowSeed) {
    return new Request(text, messages, completion, rowSeed, adapter, error);
  }

  private static List<String> adapters(String adapter) {
    return adapter == null ? List.of() : List.of(adapter);
  }
}
