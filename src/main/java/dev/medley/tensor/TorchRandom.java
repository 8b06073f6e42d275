package dev.medley.tensor;

/**
 * Numbers of torch's generator for the CPU, bit for bit: MT19937 after {@code
 * torch.manual_seed(seed)}, one draw of 32 bits for each single-precision number.
 */
public final class TorchRandom {
  private static final int N = 624;
  private static final int M = 397;

  private final int[] state = new int[N];
  private int next = N;
  private boolean hasSecond;

  /** The low 32 bits of {@code seed} count, as in torch. */
  public TorchRandom(long seed) {
    state[0] = (int) seed;
    for (int i = 1; i < N; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ state[i - 1] >>> 30) + i;
    }
  }

  /** 1 with a probability of p, else 0, for each of so many: {@code torch.bernoulli}. */
  public float[] bernoulli(double p, int length) {
    float[] drawn = new float[length];
    for (int i = 0; i < length; i++) {
      drawn[i] = (draw() & 0xffffff) * 0x1p-24f < (float) p ? 1 : 0;
    }
    return drawn;
  }

  /** Leaves out what {@code torch.Tensor.uniform_} draws for so many numbers. */
  public void skipUniform(long numbers) {
    for (long i = 0; i < numbers; i++) {
      draw();
    }
  }

  /**
   * Leaves out what {@code torch.Tensor.normal_} draws for one tensor of so many numbers. Fewer
   * than 16 are made in pairs, of four draws each, and the second of a pair is kept for the next
   * tensor of fewer than 16; otherwise it is a draw for each number, and 16 more for the last 16
   * again where the numbers are no multiple of 16.
   */
  public void skipNormal(long numbers) {
    if (numbers >= 16) {
      skipUniform(numbers % 16 == 0 ? numbers : numbers + 16);
      return;
    }
    for (long i = 0; i < numbers; i++) {
      if (!hasSecond) {
        skipUniform(4);
      }
      hasSecond = !hasSecond;
    }
  }

  /** 32 bits. */
  private int draw() {
    if (next == N) {
      renew();
    }
    int y = state[next++];
    y ^= y >>> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return y ^ y >>> 18;
  }

  private void renew() {
    for (int k = 0; k < N; k++) {
      int y = state[k] & 0x80000000 | state[(k + 1) % N] & 0x7fffffff;
      state[k] = state[(k + M) % N] ^ y >>> 1 ^ ((y & 1) == 0 ? 0 : 0x9908b0df);
    }
    next = 0;
  }
}
