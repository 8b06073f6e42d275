package dev.medley.model;

import dev.medley.io.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A head's labels by id, and what kind of problem it solves.
 *
 * @param names by label id; empty where a document names none
 * @param problemType HF's {@code problem_type}; null where a document has none
 */
public record Labels(List<String> names, ProblemType problemType) {
  /** A number without names that nobody means would take all memory. */
  private static final long MOST = 1_000_000;

  /** No labels known. */
  public static final Labels NONE = new Labels(List.of(), null);

  /** HF's {@code problem_type}. */
  public enum ProblemType {
    SINGLE_LABEL_CLASSIFICATION,
    MULTI_LABEL_CLASSIFICATION,
    REGRESSION
  }

  /** Reads {@code id2label}, {@code num_labels} and {@code problem_type}. */
  static Labels parse(JsonObject json) {
    json.ignore("label2id");
    Map<String, String> byId = json.stringMap("id2label");
    List<String> names = new ArrayList<>();
    for (int id = 0; id < byId.size(); id++) {
      String name = byId.get(Integer.toString(id));
      if (name == null) {
        json.problem(
            "id2label: expected ids 0 to " + (byId.size() - 1) + ", found " + byId.keySet());
        break;
      }
      names.add(name);
    }
    long numLabels = json.integer("num_labels", names.size());
    if (numLabels < 0 || numLabels > MOST) {
      json.problem("num_labels: expected 0 to " + MOST + ", found " + numLabels);
    } else if (names.isEmpty()) {
      for (int id = 0; id < numLabels; id++) {
        names.add("LABEL_" + id);
      }
    }
    return new Labels(List.copyOf(names), problemType(json));
  }

  /**
   * Labels that stand beside an adapter, in the {@code config.json} that {@code
   * PreTrainedModel.config.save_pretrained} wrote there: PEFT's own files have none.
   */
  public static Labels parseBeside(JsonObject json) {
    Labels labels = parse(json);
    json.ignoreMatching(key -> true); // the rest describes the base, which is read elsewhere
    json.done();
    return labels;
  }

  /** These names if there are as many as a head has outputs, else HF's LABEL_0, LABEL_1, … */
  public List<String> forOutputs(int outputs) {
    if (names.size() == outputs) {
      return names;
    }
    List<String> made = new ArrayList<>();
    for (int id = 0; id < outputs; id++) {
      made.add("LABEL_" + id);
    }
    return made;
  }

  private static ProblemType problemType(JsonObject json) {
    String name = json.string("problem_type", null);
    if (name == null) {
      return null;
    }
    for (ProblemType type : ProblemType.values()) {
      if (type.name().toLowerCase(Locale.ROOT).equals(name)) {
        return type;
      }
    }
    json.problem("problem_type: expected one of HuggingFace's three, found " + name);
    return null;
  }
}
