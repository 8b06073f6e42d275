package dev.medley.model;

/** What a task puts on top of the last hidden state, and HF's name for a model that has it. */
public enum Head {
  NONE("Model"),
  SEQUENCE("ForSequenceClassification"),
  TOKEN("ForTokenClassification");

  private final String suffix;

  Head(String suffix) {
    this.suffix = suffix;
  }

  /** HF's class with this head, where {@code architecture} is one of the same family. */
  public String in(String architecture) {
    return architecture.replaceAll("((LMHead)?Model|For[A-Z].*)$", "") + suffix;
  }

  /** Whether a checkpoint of that class, such as BertForTokenClassification, holds this head. */
  boolean isIn(String architecture) {
    return architecture.endsWith(suffix);
  }
}
