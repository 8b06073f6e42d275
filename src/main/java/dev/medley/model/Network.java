package dev.medley.model;

/** A transformer of one architecture, with the head that its task asked for. */
sealed interface Network permits Encoder, Decoder {
  /** Number of embeddings of tokens: every id is below it. */
  int vocabSize();

  /** Most tokens that a row may have. */
  int maxTokens();
}
