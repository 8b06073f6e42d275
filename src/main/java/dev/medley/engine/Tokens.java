package dev.medley.engine;

import java.util.Arrays;

/**
 * A text as the model takes it.
 *
 * @param ids {@code input_ids}, special tokens included, not padded
 * @param typeIds {@code token_type_ids}
 * @param words each token as the vocabulary has it, and the text itself where it has none
 * @param special true for tokens that stand for no text, such as {@code [CLS]}
 * @param starts first character of each token, in Unicode code points
 * @param ends one after its last character
 * @param scored how many tokens at the end are a completion, of which text-scoring speaks
 * @param total how many tokens the whole text has; more than {@code ids} where it was cut
 */
record Tokens(
    long[] ids,
    long[] typeIds,
    String[] words,
    boolean[] special,
    int[] starts,
    int[] ends,
    int scored,
    int total) {

  boolean isTruncated() {
    return total > ids.length;
  }

  /** The same of which that many tokens at the end are scored. */
  Tokens scoring(int completion) {
    return new Tokens(ids, typeIds, words, special, starts, ends, completion, total);
  }

  /** The same without the special tokens that a tokenizer puts at the end of a text. */
  Tokens withoutEnd() {
    int n = ids.length;
    while (n > 0 && special[n - 1]) {
      n--;
    }
    return n == ids.length
        ? this
        : new Tokens(
            Arrays.copyOf(ids, n),
            Arrays.copyOf(typeIds, n),
            Arrays.copyOf(words, n),
            Arrays.copyOf(special, n),
            Arrays.copyOf(starts, n),
            Arrays.copyOf(ends, n),
            Math.max(0, n - 1),
            Math.max(n, total - (ids.length - n)));
  }
}
