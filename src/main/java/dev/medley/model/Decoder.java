package dev.medley.model;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;
import dev.medley.model.layer.CausalBatch;
import dev.medley.model.layer.DecoderLayer;
import dev.medley.model.layer.Linear;
import dev.medley.model.layer.Norm;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/**
 * A causal transformer over tokens side by side.
 *
 * @param restartAt from how many tokens on a row's earlier keys have to be computed anew
 * @param padTokenId of the config, which a sequence head looks past; null for none
 * @param head to the vocabulary or to labels; null for none
 * @param cap soft limit of the head's numbers; 0 for none
 */
record Decoder(
    int vocabSize,
    int maxTokens,
    int restartAt,
    Long padTokenId,
    Embed embed,
    List<DecoderLayer> layers,
    Norm norm,
    Linear head,
    double cap)
    implements Network {

  /** What the first layer sees. */
  interface Embed {
    /** [n, h] */
    NDArray forward(CausalBatch batch, RowGroups rows);
  }

  /** The last hidden state, [n, h]. {@code rows} are slices of the tokens. */
  NDArray hidden(CausalBatch batch, RowGroups rows) {
    NDArray x = embed.forward(batch, rows);
    for (DecoderLayer layer : layers) {
      NDArray y = layer.forward(x, batch, rows);
      x.close();
      x = y;
    }
    NDArray last = norm.forward(x, rows);
    x.close();
    return last;
  }

  /** HF's {@code hidden_states}: what each layer sees, then the last hidden state. */
  List<NDArray> hiddenStates(CausalBatch batch, RowGroups rows) {
    List<NDArray> states = new ArrayList<>();
    states.add(embed.forward(batch, rows));
    for (DecoderLayer layer : layers) {
      states.add(layer.forward(states.get(states.size() - 1), batch, rows));
    }
    states.add(norm.forward(states.remove(states.size() - 1), rows));
    return states;
  }

  /** The head. hidden [n, h] → [n, v] or [n, labels] */
  NDArray logits(NDArray hidden, RowGroups rows) {
    NDArray logits = head.forward(hidden, rows);
    return cap == 0 ? logits : Kernels.cap(logits, cap);
  }

  /** Which token a sequence head reads: HF's, the last that is not {@code pad_token_id}. */
  int lastToken(long[] ids) {
    int last = ids.length - 1;
    while (padTokenId != null && last > 0 && ids[last] == padTokenId) {
      last--;
    }
    return last;
  }

  /** Numbers of a token's keys in a layer, the same in all layers. */
  int keyWidth() {
    return layers.get(0).heads().keys();
  }
}
