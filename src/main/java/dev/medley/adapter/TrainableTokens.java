package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Trainable tokens: rows of a table of embeddings in place of the base's, for some ids.
 *
 * @param tokens the ids, ascending, int64 [k]
 * @param rows [k, d]
 */
record TrainableTokens(NDArray tokens, NDArray rows) implements EmbeddingAdapter {
  @Override
  public NDArray output(NDArray ids, NDArray y) {
    return Kernels.replaceRows(y, ids, tokens, rows);
  }

  @Override
  public NDArray merge(NDArray table) {
    return Kernels.copyRows(table, tokens, rows);
  }

  /** The same rows of a head, whose weight is such a table: those tokens' scores. */
  LinearAdapter ofHead() {
    return new Head(tokens, rows);
  }

  /**
   * Rows of a linear map's weight in place of the base's.
   *
   * @param tokens ascending, int64 [k]
   * @param rows [k, in]
   */
  private record Head(NDArray tokens, NDArray rows) implements LinearAdapter {
    @Override
    public NDArray output(NDArray x, NDArray y) {
      try (NDArray scores = Kernels.linear(x, rows, null)) { // […, k]
        Kernels.copyColumnsInto(y, tokens, scores);
      }
      return y;
    }

    @Override
    public NDArray merge(NDArray weight) {
      return Kernels.copyRows(weight, tokens, rows);
    }
  }

  /**
   * {@code TrainableTokensConfig}.
   *
   * @param tokens in the order of the file's rows
   */
  record Config(long[] tokens) implements AdapterMethod {

    static Config parse(JsonObject json) {
      json.ignore("init_weights");
      json.refuseIfSet(
          "PEFT's trainable tokens have no such thing",
          "exclude_modules",
          "layers_to_transform",
          "layers_pattern",
          "modules_to_save");
      AdapterConfig.refuseBias(json);
      JsonNode taskType = json.node("task_type");
      if (taskType != null && taskType.asText().equals("TOKEN_CLS")) {
        json.problem("task_type: expected none with a head to train, found TOKEN_CLS, as in PEFT");
      }
      return new Config(TokenIndices.list(json, "token_indices", json.node("token_indices")));
    }

    @Override
    public boolean replacesRows() {
      return true;
    }

    @Override
    public TrainableTokens embedding(String module, Weights params, long v, long d) {
      return read("token_indices", tokens, params, v, d);
    }
  }

  /**
   * Rows as PEFT keeps them.
   *
   * @param key of the config that names the tokens
   * @param tokens in the order of the file's rows
   */
  static TrainableTokens read(String key, long[] tokens, Weights params, long v, long d) {
    NDArray delta = params.get("trainable_tokens_delta", tokens.length, d);
    long last = Arrays.stream(tokens).max().orElse(0);
    if (last >= v) {
      params.problem(
          params.path() + ": expected " + key + " below " + v + ", its rows, found " + last);
      return null;
    }
    if (delta == null) {
      return null;
    }
    long[] order =
        IntStream.range(0, tokens.length)
            .boxed()
            .sorted(Comparator.comparingLong(i -> tokens[i]))
            .mapToLong(i -> i)
            .toArray();
    try (delta;
        NDArray places = delta.getManager().create(order)) {
      NDArray sorted = delta.getManager().create(Arrays.stream(tokens).sorted().toArray());
      return new TrainableTokens(sorted, Kernels.embedding(places, delta));
    }
  }
}
