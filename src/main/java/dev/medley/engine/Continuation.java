package dev.medley.engine;

import java.util.Arrays;
import java.util.BitSet;
import java.util.function.Function;

/**
 * One row that is being continued, token by token: {@link #choose} one of the model's logits,
 * {@link #accept} it, until {@link #isFinished}. What it becomes depends on its own logits,
 * settings and random numbers alone.
 *
 * <p>It ends with, in this order: a token of the end-of-sequence list; a text that has a stop
 * string; as many tokens as there may be.
 *
 * <p>Its text is what the tokens add to the prompt's: decode(prompt + tokens) without
 * decode(prompt), special tokens skipped and blanks left as they are, so that the prompt and this
 * text are the text of all tokens. (The pipeline of transformers 5 decodes the tokens alone, and so
 * loses the first blank under tokenizers like Llama 2's; that of 4, and vLLM, do not.)
 *
 * <p>A stop string is looked for in this text, so never in the prompt, and may begin and end within
 * tokens. The text is cut before the stop string that begins first, as OpenAI and vLLM do; HF
 * leaves it in. The tokens are all that were generated, with those of the stop string and the
 * end-of-sequence token, as HF's and vLLM's are.
 */
final class Continuation {
  /** So many tokens before the ones that matter, a decoder's beginning has no effect any more. */
  private static final int MARGIN = 8;

  /** What a character is as long as bytes of it are missing. */
  private static final char INCOMPLETE = '\uFFFD';

  private final long[] prompt;
  private final int limit;
  private final GenerationSettings settings;
  private final Sampler sampler;
  private final RowRandom random;
  private final Function<long[], String> decoder;
  private final BitSet seen = new BitSet();
  private final int longestStop;
  private long[] tokens = new long[16];
  private int count;
  private FinishReason finishReason;
  private String text;
  private long[] context;

  /**
   * A row before its first token.
   *
   * @param prompt as the model takes it, special tokens included
   * @param room how many more tokens the model has positions for. With none, or a prompt that
   *     {@link GenerationSettings#limit} has nothing left for, it is finished at once
   * @param sampler may be other rows' too
   * @param decoder of ids to text without special tokens
   */
  Continuation(
      long[] prompt,
      int room,
      Sampler sampler,
      RowRandom random,
      Function<long[], String> decoder) {
    this.prompt = prompt.clone();
    this.sampler = sampler;
    this.settings = sampler.settings();
    this.limit = Math.min(room, settings.limit(prompt.length));
    this.random = random;
    this.decoder = decoder;
    this.longestStop = settings.stop().stream().mapToInt(String::length).max().orElse(0);
    if (settings.repetitionPenalty() != 1) {
      Arrays.stream(prompt).forEach(id -> seen.set((int) id));
    }
    if (limit <= 0) {
      finish(FinishReason.LENGTH);
    }
  }

  /** Whether the next token is the one with the highest logit as the model gives them. */
  boolean isGreedy() {
    return !settings.doSample() && settings.repetitionPenalty() == 1 && mayEnd();
  }

  private boolean mayEnd() {
    return count >= settings.minNewTokens() || settings.eosTokenIds().isEmpty();
  }

  /**
   * The next token; the same one whenever it is asked for with the same logits.
   *
   * @param logits [v], and changed
   * @throws IllegalArgumentException where a logit is NaN or infinite, or none is above -∞
   */
  long choose(float[] logits) {
    sampler.penalise(logits, seen);
    if (!mayEnd()) {
      sampler.forbidEnd(logits);
    }
    return settings.doSample()
        ? sampler.draw(logits, random.draw(count))
        : Sampler.likeliest(logits);
  }

  /** Adds a token; throws IllegalStateException where it is finished. */
  void accept(long token) {
    if (isFinished()) {
      throw new IllegalStateException("a finished continuation takes no token, got " + token);
    }
    if (count == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * count);
    }
    tokens[count++] = token;
    if (settings.repetitionPenalty() != 1) {
      seen.set((int) token);
    }
    if (settings.eosTokenIds().contains(token)) {
      finish(FinishReason.EOS);
    } else if (longestStop > 0 && stopIsNear() && stopAt(whole()) >= 0) {
      finish(FinishReason.STOP);
    } else if (count == limit) {
      finish(FinishReason.LENGTH);
    }
  }

  private void finish(FinishReason reason) {
    finishReason = reason;
    text = whole();
    if (reason == FinishReason.STOP) {
      text = text.substring(0, stopAt(text));
    }
  }

  /** Most tokens that it and its prompt may have together. */
  int capacity() {
    return prompt.length + Math.max(0, limit);
  }

  boolean isFinished() {
    return finishReason != null;
  }

  /** Null before it is finished. */
  FinishReason finishReason() {
    return finishReason;
  }

  /** All that were accepted. */
  long[] tokens() {
    return Arrays.copyOf(tokens, count);
  }

  /** Throws IllegalStateException before it is finished. */
  Prediction.Generation prediction() {
    if (!isFinished()) {
      throw new IllegalStateException("expected a finished continuation, has " + count + " tokens");
    }
    int[] ids = Arrays.stream(tokens, 0, count).mapToInt(Math::toIntExact).toArray();
    return new Prediction.Generation(text, ids, finishReason, prompt.length, count);
  }

  private String whole() {
    return added(prompt);
  }

  /** What the tokens add to a text before them. */
  private String added(long[] before) {
    String start = decoder.apply(before);
    String all = decoder.apply(join(before));
    if (!all.startsWith(start)) { // the tokens complete a character that the prompt begins
      start = complete(start);
    }
    return all.substring(Math.min(start.length(), all.length()));
  }

  private long[] join(long[] before) {
    long[] all = Arrays.copyOf(before, before.length + count);
    System.arraycopy(tokens, 0, all, before.length, count);
    return all;
  }

  /** Without the characters at the end that more bytes may complete. */
  private static String complete(String text) {
    int end = text.length();
    while (end > 0 && text.charAt(end - 1) == INCOMPLETE) {
      end--;
    }
    return text.substring(0, end);
  }

  /** Where the stop string that begins first begins; -1 for none. */
  private int stopAt(String continuation) {
    String seenText = complete(continuation);
    int first = -1;
    for (String stop : settings.stop()) {
      int at = seenText.indexOf(stop);
      first = at >= 0 && (first < 0 || at < first) ? at : first;
    }
    return first;
  }

  /**
   * Whether the last tokens' text has a stop string; so many of them that all that end in the
   * newest token are in it. The work for a token does not grow with the text.
   */
  private boolean stopIsNear() {
    int newest = decoder.apply(new long[] {tokens[count - 1]}).length();
    for (int n = longestStop + MARGIN; n < count; n *= 2) {
      String tail = decoder.apply(Arrays.copyOfRange(tokens, count - n, count));
      if (stopAt(tail) >= 0) {
        return true;
      }
      if (tail.length() - newest >= longestStop + MARGIN) {
        return false;
      }
    }
    return stopAt(added(context())) >= 0;
  }

  /** The shortest end of the prompt that has text, or all of it: enough for the first blank. */
  private long[] context() {
    if (context == null) {
      int n = Math.min(MARGIN, prompt.length);
      context = Arrays.copyOfRange(prompt, prompt.length - n, prompt.length);
      while (n < prompt.length && decoder.apply(context).isEmpty()) {
        n = Math.min(2 * n, prompt.length);
        context = Arrays.copyOfRange(prompt, prompt.length - n, prompt.length);
      }
    }
    return context;
  }
}
