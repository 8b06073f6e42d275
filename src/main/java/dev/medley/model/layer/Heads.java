package dev.medley.model.layer;

import dev.medley.io.JsonObject;

/**
 * How a layer of a decoder attends.
 *
 * @param query number of query heads
 * @param keyValue number of key and value heads, each for query / keyValue query heads (grouped
 *     queries, arXiv 2305.13245)
 * @param width of a head
 * @param scale of the scores
 * @param window how many tokens a token sees, itself included; 0 for all before it
 * @param softcap limit of the scores, limit·tanh(score / limit); 0 for none
 */
public record Heads(int query, int keyValue, int width, double scale, int window, double softcap) {

  /** Heads that see everything, scaled by 1/√width. */
  public static Heads of(int query, int keyValue, int width) {
    return new Heads(query, keyValue, width, 1 / Math.sqrt(width), 0, 0);
  }

  /**
   * Reads {@code num_attention_heads}, {@code num_key_value_heads} and {@code head_dim}.
   *
   * @param headDim where the config has none; 0 for hiddenSize / heads
   */
  public static Heads parse(JsonObject json, int hiddenSize, int headDim) {
    int query = (int) json.positiveInteger("num_attention_heads");
    int keyValue = (int) json.positiveInteger("num_key_value_heads", query);
    int orElse = headDim == 0 ? Math.max(1, hiddenSize / query) : headDim;
    int width = (int) json.positiveInteger("head_dim", orElse);
    if (headDim == 0 && !json.has("head_dim") && hiddenSize % query != 0) {
      json.problem(
          "num_attention_heads: expected a divisor of hidden_size, which is "
              + hiddenSize
              + ", found "
              + query);
    }
    if (query % keyValue != 0) {
      json.problem(
          "num_key_value_heads: expected a divisor of num_attention_heads, which is "
              + query
              + ", found "
              + keyValue);
    }
    return of(query, keyValue, width);
  }

  /** The same with another scale. */
  public Heads scaled(double by) {
    return new Heads(query, keyValue, width, by, window, softcap);
  }

  /** The same where each token sees the last {@code tokens} only; 0 for all. */
  public Heads within(int tokens) {
    return new Heads(query, keyValue, width, scale, tokens, softcap);
  }

  /** The same with capped scores; 0 for none. */
  public Heads capped(double limit) {
    return new Heads(query, keyValue, width, scale, window, limit);
  }

  /** Numbers of a token's queries. */
  public int queries() {
    return query * width;
  }

  /** Numbers of a token's keys, or of its values. */
  public int keys() {
    return keyValue * width;
  }
}
