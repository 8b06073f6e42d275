package dev.medley.engine;

/** Why a row has no prediction, or what its reader should know of the one it has. */
public record RowError(Code code, String message) {

  /** What went wrong, for counting and filtering. */
  public enum Code {
    /** The text, the chat or the completion is null. */
    TEXT_NULL,
    /** The text has no character, or none that makes a token. */
    TEXT_EMPTY,
    /** The tokenizer knows a token that the model has no embedding for. */
    TOKEN_UNKNOWN,
    /** More tokens than the model takes, and truncation is off. */
    TEXT_TOO_LONG,
    /** Not an error: the prediction is of the first tokens only. */
    TEXT_TRUNCATED,
    /** The adapter column cannot be read. */
    ADAPTER_SYNTAX,
    /** No adapter has that name. */
    ADAPTER_UNKNOWN,
    /**
     * An adapter's files do not fit the base, or cannot be read, or members do not fit together.
     */
    ADAPTER_UNFIT,
    /** A message of a chat lacks its role or content, or the model's template refuses the chat. */
    MESSAGES_UNFIT,
    /** What the model computed for the row is NaN or infinite. */
    LOGITS_NOT_FINITE,
    /** The device has no memory for the row, alone on it, or for its adapters. */
    DEVICE_OUT_OF_MEMORY,
    /** Neither the base nor the adapter has the head that the task needs. */
    HEAD_MISSING;

    /** Whether the row has a prediction all the same. */
    public boolean isWarning() {
      return this == TEXT_TRUNCATED;
    }
  }
}
