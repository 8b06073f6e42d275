package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.model.Head;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Kernels.LogProbs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How likely a causal model finds a completion after a prompt, or a text by itself: the logarithm
 * of the probability of each token after those before it, as lm-evaluation-harness's {@code
 * loglikelihood} has it. Blanks at a prompt's end belong to the completion's first token.
 */
public record TextScoring() implements OnePass {
  /** The one there is. */
  public static final TextScoring AUTO = new TextScoring();

  /** Logits that are held at a time, 256 MiB of float32. */
  private static final int LOGITS = 64 << 20;

  @Override
  public String pipeline() {
    return "text-scoring";
  }

  @Override
  public Head head() {
    return Head.CAUSAL_LM;
  }

  /** Another text has another likelihood. */
  @Override
  public boolean mayTruncate() {
    return false;
  }

  @Override
  public List<Prediction> predict(Forward forward, NDArray hidden) {
    List<Prediction> predictions = new ArrayList<>();
    for (Slice slice : forward.rows().slices()) {
      List<Tokens> rows = forward.encoded().subList(slice.start(), slice.end());
      float[] logProbs = new float[rows.stream().mapToInt(Tokens::scored).sum()];
      boolean[] isBest = new boolean[logProbs.length];
      score(forward, hidden, slice, rows, logProbs, isBest);
      int at = 0;
      for (Tokens row : rows) {
        predictions.add(
            Forward.areFinite(logProbs, at, at + row.scored())
                ? prediction(row, logProbs, isBest, at)
                : null);
        at += row.scored();
      }
    }
    return predictions;
  }

  /** Fills the last two, row after row, some tokens at a time. */
  private static void score(
      Forward forward,
      NDArray hidden,
      Slice slice,
      List<Tokens> rows,
      float[] logProbs,
      boolean[] isBest) {
    long[] places = new long[logProbs.length]; // of the tokens before those that are scored
    long[] targets = new long[logProbs.length];
    int width = forward.tokens().width();
    int at = 0;
    for (int i = 0; i < rows.size(); i++) {
      Tokens row = rows.get(i);
      for (int t = row.ids().length - row.scored(); t < row.ids().length; t++) {
        places[at] = (long) (slice.start() + i) * width + t - 1;
        targets[at++] = row.ids()[t];
      }
    }
    int step = Math.max(1, LOGITS / forward.base().model().vocabSize());
    for (int from = 0; from < places.length; from += step) {
      int to = Math.min(places.length, from + step);
      NDArray states = Kernels.tokens(hidden, Arrays.copyOfRange(places, from, to));
      try (states;
          NDArray logits =
              forward.base().model().nextTokens(states, RowGroups.all(to - from, slice.set()))) {
        LogProbs some = Kernels.logProbs(logits, Arrays.copyOfRange(targets, from, to));
        System.arraycopy(some.values(), 0, logProbs, from, to - from);
        System.arraycopy(some.isBest(), 0, isBest, from, to - from);
      }
    }
  }

  private static Prediction prediction(Tokens row, float[] all, boolean[] isBest, int at) {
    float[] logProbs = Arrays.copyOfRange(all, at, at + row.scored());
    long[] scored =
        Arrays.copyOfRange(row.ids(), row.ids().length - row.scored(), row.ids().length);
    double sum = 0;
    boolean greedy = true;
    for (int i = 0; i < logProbs.length; i++) {
      sum += logProbs[i];
      greedy &= isBest[at + i];
    }
    return new Prediction.Likelihood(
        sum,
        Math.exp(-sum / logProbs.length),
        Arrays.stream(scored).mapToInt(Math::toIntExact).toArray(),
        logProbs,
        greedy);
  }
}
