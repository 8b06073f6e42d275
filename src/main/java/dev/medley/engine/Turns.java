package dev.medley.engine;

import ai.djl.engine.EngineException;
import dev.medley.engine.RowError.Code;
import dev.medley.tensor.Torch;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread's forward passes: each in its turn on the device, and smaller where that has no
 * memory.
 *
 * <p>Not for concurrent use, but for {@link #waitedNanos}.
 */
final class Turns {
  private static final Logger LOG = LoggerFactory.getLogger(Turns.class);

  private final BaseModel base;
  private final DevicePermits permits;
  private final Runnable check;
  private final TokenBudget budget;
  private volatile long waitedNanos;
  private boolean memoryIsCut;
  private boolean saidShort;

  /**
   * No pass yet.
   *
   * @param check throws where nothing more is to be done
   */
  Turns(Engine engine, Runnable check) {
    this.base = engine.base();
    this.permits = engine.permits();
    this.check = check;
    this.budget = new TokenBudget(engine.spec().passes().batchTokens());
  }

  /** How many tokens a pass of several rows may have now. */
  int tokens() {
    return budget.tokens();
  }

  /** Whether that is less than the spec says. */
  boolean areCut() {
    return budget.isCut();
  }

  /** Nanoseconds that passes have waited for their turn. */
  long waitedNanos() {
    return waitedNanos;
  }

  /** Throws what the caller of a run throws to stop it. */
  void check() {
    check.run();
  }

  /**
   * Runs a forward pass; false where the device has no memory for it. What the pass has made by
   * then is the pass's to free.
   */
  boolean pass(int tokens, Runnable forward) {
    boolean fits = fits(permits.take(check), forward, tokens);
    if (fits) {
      budget.fit();
    } else {
      budget.overran(tokens);
    }
    return fits;
  }

  /** The same of a pass that cannot be smaller, while no other runs on the device. */
  boolean alone(int tokens, Runnable forward) {
    return fits(permits.takeAll(check), forward, tokens);
  }

  /**
   * Takes memory that stays, for so many tokens, or half as many, and so on, as the device has it.
   */
  <T> T memory(long tokens, LongFunction<T> taken) {
    for (long fewer = tokens; ; fewer /= 2) {
      try {
        return taken.apply(fewer);
      } catch (EngineException e) {
        if (!Torch.isOutOfMemory(e) || fewer == 1) {
          throw e;
        }
        memoryIsCut = true;
        say("the keys and values of", fewer, e);
      }
    }
  }

  /** Whether there is less of {@link #memory} than was asked for. */
  boolean memoryIsCut() {
    return memoryIsCut;
  }

  /** The result of a row that no pass has memory for. */
  Result tooLarge() {
    return Result.failed(
        Code.DEVICE_OUT_OF_MEMORY,
        "the device "
            + Devices.name(base.device())
            + " has no memory for this row, while no other pass was running on it; make room on the"
            + " device, or use one with more memory");
  }

  private boolean fits(DevicePermits.Permit turn, Runnable forward, int tokens) {
    try (turn) {
      waitedNanos += turn.waitedNanos();
      forward.run();
      return true;
    } catch (EngineException e) {
      if (!Torch.isOutOfMemory(e)) {
        throw e;
      }
      say("a forward pass of", tokens, e);
      return false;
    }
  }

  /** Once a run. */
  private void say(String what, long tokens, EngineException e) {
    if (!saidShort) {
      saidShort = true;
      LOG.warn(
          "{} has no memory for {} {} tokens; goes on with half as many, and half of that, until"
              + " they fit. A smaller batch-tokens or cache-memory, or fewer tasks at a time, would"
              + " save these attempts",
          Devices.name(base.device()),
          what,
          tokens,
          e);
    }
  }
}
