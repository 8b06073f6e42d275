package dev.medley.engine;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Chooses a token of one row's logits [v]: transformers' logits processors in the order of its
 * {@code generate}, then the likeliest token or a draw.
 *
 * <p>Repetition penalty, no early end; for draws temperature, top-k, top-p, min-p, softmax. Kept is
 * what HF keeps, in float where HF's float decides it. Of equal logits at top-k's border all stay;
 * at top-p's the higher ids, where HF's choice depends on how torch sorts equals on a CPU. What
 * takes HF a sort of v numbers takes one or two passes here, and a sort of the few around top-p's
 * border.
 *
 * <p>Holds scratch for v numbers: one for all rows that a thread continues. Not for use by several.
 */
final class Sampler {
  /** Of 1/64 of a logit each, from the highest down; the last has all below. */
  private static final int BUCKETS = 2048;

  private static final int BUCKETS_PER_UNIT = 64;

  /** 2^(i/64). Plain arithmetic and StrictMath, so that draws are the same on every machine. */
  private static final double[] POWERS = new double[64];

  private static final double LN2_64 = StrictMath.log(2) / 64;

  static {
    Arrays.setAll(POWERS, i -> StrictMath.pow(2, i / 64.0));
  }

  private final GenerationSettings settings;
  private final double[] mass = new double[BUCKETS];
  private int[] ids = new int[0];
  private float[] weights = new float[0];
  private long[] keys = new long[0];
  private float[] heap = new float[0];
  private float max;
  private int kept;

  Sampler(GenerationSettings settings) {
    this.settings = settings;
  }

  GenerationSettings settings() {
    return settings;
  }

  /** Divides the logits of these tokens by the repetition penalty, or multiplies negative ones. */
  void penalise(float[] logits, BitSet seen) {
    float penalty = (float) settings.repetitionPenalty();
    if (penalty == 1) {
      return;
    }
    for (int id = seen.nextSetBit(0); id >= 0 && id < logits.length; id = seen.nextSetBit(id + 1)) {
      logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
    }
  }

  /** Takes the end-of-sequence tokens out. */
  void forbidEnd(float[] logits) {
    for (long id : settings.eosTokenIds()) {
      if (id >= 0 && id < logits.length) {
        logits[(int) id] = Float.NEGATIVE_INFINITY;
      }
    }
  }

  /**
   * The token with the highest logit, the lowest of equal ones.
   *
   * @throws IllegalArgumentException where a logit is NaN or infinite, or none is above -∞
   */
  static int likeliest(float[] logits) {
    int best = -1;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < logits.length; i++) {
      float logit = logits[i];
      if (!(logit <= max)) {
        if (!(logit < Float.POSITIVE_INFINITY)) {
          throw new IllegalArgumentException(
              "logit of token " + i + ": expected a number, got " + logit);
        }
        max = logit;
        best = i;
      }
    }
    if (best < 0) {
      throw new IllegalArgumentException("logits: expected one above -Infinity, got none");
    }
    return best;
  }

  /**
   * A token drawn by the settings. Of the tokens that are kept, in the order of their ids, it is
   * the first whose probability and those before it are together above {@code uniform}.
   *
   * @param logits after the penalties; left divided by the temperature
   * @param uniform in [0, 1)
   * @throws IllegalArgumentException as {@link #likeliest}
   */
  int draw(float[] logits, double uniform) {
    keep(logits);
    double target = uniform * sum();
    double below = 0;
    int last = 0;
    for (int i = 0; i < kept; i++) {
      below += weights[i];
      if (below > target) {
        return ids[i];
      }
      last = weights[i] > 0 ? i : last;
    }
    return ids[last]; // rounding took the target up to the sum
  }

  /** Finds the tokens that a draw is from; how many they are. */
  int keep(float[] logits) {
    float temperature = (float) settings.temperature();
    if (temperature != 1) {
      for (int i = 0; i < logits.length; i++) {
        logits[i] /= temperature;
      }
    }
    max = logits[likeliest(logits)];
    topK(logits, settings.topK());
    if (settings.topP() < 1) {
      topP(logits, (float) (1 - settings.topP()));
    }
    if (settings.minP() > 0) {
      minP((float) settings.minP());
    }
    return kept;
  }

  /** The i-th of the kept tokens, in the order of ids. */
  int id(int i) {
    return ids[i];
  }

  /** Its probability. */
  double probability(int i) {
    return weights[i] / sum();
  }

  private void topK(float[] logits, int k) {
    int v = logits.length;
    if (ids.length < v) {
      ids = new int[v];
      weights = new float[v];
    }
    float least = k == 0 || k >= v ? -Float.MAX_VALUE : kthHighest(logits, k); // never -∞
    int[] toIds = ids; // fields in loops cost half the speed
    float[] toWeights = weights;
    float highest = max;
    int n = 0;
    for (int i = 0; i < v; i++) {
      float logit = logits[i];
      if (logit >= least) {
        toIds[n] = i;
        toWeights[n++] = (float) exp(logit - highest);
      }
    }
    kept = n;
  }

  /** By a heap of the k highest so far, the least on top. */
  private float kthHighest(float[] logits, int k) {
    if (heap.length < k) {
      heap = new float[k];
    }
    System.arraycopy(logits, 0, heap, 0, k);
    Arrays.sort(heap, 0, k); // is a heap
    for (int i = k; i < logits.length; i++) {
      if (logits[i] > heap[0]) {
        sink(logits[i], k);
      }
    }
    return Math.max(heap[0], -Float.MAX_VALUE);
  }

  private void sink(float value, int size) {
    int at = 0;
    for (int child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && heap[child + 1] < heap[child]) {
        child++;
      }
      if (value <= heap[child]) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = value;
  }

  /**
   * Takes out the least likely tokens whose probabilities are together at most {@code removed}, as
   * far as that goes in the order of (logit, id), but for the last.
   */
  private void topP(float[] logits, float removed) {
    double scale = 1 / sum();
    double[] masses = mass;
    Arrays.fill(masses, 0);
    for (int i = 0; i < kept; i++) {
      masses[bucket(logits[ids[i]])] += (float) (weights[i] * scale);
    }
    long first = firstKept(logits, removed, scale);
    int from = kept;
    kept = 0;
    for (int i = 0; i < from; i++) {
      if (key(logits, ids[i]) >= first) {
        ids[kept] = ids[i];
        weights[kept++] = weights[i];
      }
    }
  }

  private long firstKept(float[] logits, float removed, double scale) {
    double below = 0;
    long last = 0;
    for (int b = BUCKETS - 1; b >= 0; b--) {
      if (b > 0 && (float) (below + mass[b]) <= removed) {
        below += mass[b];
        continue;
      }
      int n = sortBucket(logits, b);
      for (int i = 0; i < n; i++) {
        last = keys[i];
        below += (float) (exp(logits[(int) last] - max) * scale);
        if ((float) below > removed) {
          return last;
        }
      }
    }
    return last; // bucket 0 has the likeliest
  }

  private int sortBucket(float[] logits, int bucket) {
    int n = 0;
    for (int i = 0; i < kept; i++) {
      if (bucket(logits[ids[i]]) == bucket) {
        if (n == keys.length) {
          keys = Arrays.copyOf(keys, Math.max(1024, 2 * n));
        }
        keys[n++] = key(logits, ids[i]);
      }
    }
    Arrays.sort(keys, 0, n);
    return n;
  }

  private int bucket(float logit) {
    return (int) Math.min(BUCKETS - 1, (max - logit) * BUCKETS_PER_UNIT);
  }

  /** In the order of (logit, id), with the id in the lower half. */
  private static long key(float[] logits, int id) {
    int bits = Float.floatToRawIntBits(logits[id] + 0f); // -0 is 0
    return (long) (bits ^ ((bits >> 31) & Integer.MAX_VALUE)) << 32 | id;
  }

  private void minP(float share) {
    double sum = sum();
    float least = share * (float) (1 / sum); // the likeliest has weight 1
    int from = kept;
    kept = 0;
    for (int i = 0; i < from; i++) {
      if ((float) (weights[i] / sum) >= least) {
        ids[kept] = ids[i];
        weights[kept++] = weights[i];
      }
    }
  }

  private double sum() {
    double sum = 0;
    for (int i = 0; i < kept; i++) {
      sum += weights[i];
    }
    return sum;
  }

  /** eˣ for x ≤ 0, to 10⁻¹¹ of it: 2^(n/64) by table, the rest by its series. */
  static double exp(float x) {
    if (x < -104) {
      return 0; // in float
    }
    int n = (int) (x * (1 / LN2_64) - 0.5);
    double r = x - n * LN2_64; // at most ln(2)/128 either way
    double rest = 1 + r * (1 + r * (1 / 2.0 + r * (1 / 6.0 + r / 24.0)));
    return POWERS[n & 63] * rest * Double.longBitsToDouble((n >> 6) + 1023L << 52);
  }
}
