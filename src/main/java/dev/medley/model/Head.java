package dev.medley.model;

/** What a task puts on top of the last hidden state, and HF's name for a model that has it. */
public enum Head {
  NONE("Model"),
  SEQUENCE("ForSequenceClassification"),
  TOKEN("ForTokenClassification"),
  CAUSAL_LM("ForCausalLM");

  private static final String GPT2 = "LMHeadModel"; // as transformers calls it in GPT-2

  private final String suffix;

  Head(String suffix) {
    this.suffix = suffix;
  }

  /** HF's class with this head, where {@code architecture} is one of the same family. */
  public String in(String architecture) {
    String family = architecture.replaceAll("((LMHead)?Model|For[A-Z].*)$", "");
    return family + (this == CAUSAL_LM && family.equals("GPT2") ? GPT2 : suffix);
  }

  /** Whether a checkpoint of that class, such as BertForTokenClassification, holds this head. */
  boolean isIn(String architecture) {
    return architecture.endsWith(suffix) || this == CAUSAL_LM && architecture.endsWith(GPT2);
  }
}
