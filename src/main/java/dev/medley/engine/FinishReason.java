package dev.medley.engine;

import java.util.Locale;

/** Why a row's continuation ended. */
public enum FinishReason {
  /** It has as many tokens as were asked for, or as the model has positions for. */
  LENGTH,
  /** Its text came to a stop string. */
  STOP,
  /** The model ended it, by one of its end-of-sequence tokens. */
  EOS;

  /** As it stands in the output: {@code length}, {@code stop} or {@code eos}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
