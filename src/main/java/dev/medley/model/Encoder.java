package dev.medley.model;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;
import dev.medley.model.layer.EncoderLayer;
import java.util.List;

/** A bidirectional transformer over tokens, with the head that its task asked for. */
non-sealed interface Encoder extends Network {
  /** What the first layer sees of all tokens, [n, h]; {@code rows} are slices of the tokens. */
  NDArray embed(TokenBatch tokens, RowGroups rows);

  /** The layers in order. */
  List<EncoderLayer> layers();

  /**
   * The head. All rows are of sets with the same number of labels.
   *
   * @param hidden last hidden state [n, t, h]
   * @return [n, labels] for a sequence head, [n, t, labels] for a token head
   */
  NDArray logits(NDArray hidden, RowGroups rows);
}
