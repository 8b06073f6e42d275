package dev.medley.engine;

/**
 * How many tokens a forward pass may have. Where a device had no memory for one it is half as many
 * from then on, and after some passes that fit twice as many again, up to the first number. Each
 * time that was too early it takes twice as many passes, so that what is short for good costs ever
 * fewer attempts.
 *
 * <p>Not for concurrent use.
 */
final class TokenBudget {
  private static final int PATIENCE = 8;
  private static final int MOST_PATIENCE = 1024;

  private final int most;
  private int tokens;
  private int patience = PATIENCE;
  private int fitted;
  private boolean hasGrown;

  /** At first, and at most, so many tokens. */
  TokenBudget(int most) {
    this.most = most;
    this.tokens = most;
  }

  /** At least 1. */
  int tokens() {
    return tokens;
  }

  /** Whether it is less than it was at first. */
  boolean isCut() {
    return tokens < most;
  }

  /** A pass went through. */
  void fit() {
    fitted++;
    if (isCut() && fitted >= patience) {
      tokens = (int) Math.min(most, 2L * tokens);
      fitted = 0;
      hasGrown = true;
    }
  }

  /** There was no memory for a pass of so many tokens. */
  void overran(int attempted) {
    tokens = Math.min(tokens, Math.max(1, attempted / 2));
    fitted = 0;
    if (hasGrown) {
      patience = Math.min(MOST_PATIENCE, 2 * patience);
      hasGrown = false;
    }
  }
}
