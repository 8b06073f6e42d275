package dev.medley.engine;

import dev.medley.model.Head;
import java.io.Serializable;

/** What is asked of the model, with its options; named as HuggingFace's pipelines. */
public sealed interface Task extends Serializable permits OnePass, TextGeneration {
  /** HF's pipeline name. */
  String pipeline();

  /** What the task puts on top of the model. */
  Head head();

  /** Whether a text that is too long may be cut, where the job allows it. */
  default boolean mayTruncate() {
    return true;
  }
}
