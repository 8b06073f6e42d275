package dev.medley.adapter;

import dev.medley.io.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * {@code adapter_config.json}: what PEFT's configs have in common, and the part of one type. Every
 * key is read, ignored as training-only, or refused; any other key is an error.
 *
 * @param taskType PEFT's {@code task_type}, such as SEQ_CLS; empty where none was given
 * @param modulesToSave ends of the names of modules that the adapter brings whole
 * @param json the document, so that it can be broadcast and parsed again
 */
public record AdapterConfig(
    AdapterType type,
    AdapterMethod method,
    TargetModules targets,
    List<String> modulesToSave,
    Bias bias,
    String taskType,
    String json) {
  private static final Set<String> TASK_TYPES =
      Set.of(
          "SEQ_CLS",
          "SEQ_2_SEQ_LM",
          "CAUSAL_LM",
          "TOKEN_CLS",
          "QUESTION_ANS",
          "FEATURE_EXTRACTION");

  private static final Set<String> TASKS_WITH_LABELS = Set.of("SEQ_CLS", "TOKEN_CLS");

  /** PEFT's {@code classifier_module_names}. */
  private static final List<String> HEADS = List.of("classifier", "score");

  /** Which biases of the base the adapter replaces. */
  enum Bias {
    NONE,
    ALL,
    ADAPTED
  }

  /**
   * Parses a document.
   *
   * @param where names the document in errors
   * @throws dev.medley.io.LoadException with every problem in it
   */
  public static AdapterConfig parse(String json, String where) {
    JsonObject document = JsonObject.parse(json, where);
    // In PEFT null is an error for a number, and false for what is true where it is absent.
    document.refuseNulls();
    AdapterType type = AdapterType.of(document);
    document.ignore("base_model_name_or_path", "revision", "inference_mode", "peft_version");
    document.ignore("auto_mapping");
    String taskType = taskType(document);
    List<String> modulesToSave = modulesToSave(document, type, taskType);
    Bias bias = bias(document, type);
    TargetModules targets = TargetModules.parse(document, modulesToSave);
    AdapterMethod method = type.parse(document);
    document.done();
    return new AdapterConfig(type, method, targets, modulesToSave, bias, taskType, json);
  }

  /** Rank in short, such as {@code 8} or {@code 4-8} where patterns change it. */
  public String rank() {
    return method.rank();
  }

  /** Why a set may not scale the adapter's contribution so, as in {@code 0.7*math}; or nothing. */
  public List<String> unscalable(String member, double weight) {
    return weight == 1 || method.isScalable()
        ? List.of()
        : List.of(
            member
                + ": what "
                + type
                + " does under this config cannot be scaled apart from the base's output; use the"
                + " adapter whole");
  }

  /** {@code target_modules} in one line. */
  public String targetNames() {
    return targets.toString();
  }

  /** For tasks with labels PEFT adds the names of heads, also where an older file has none. */
  private static List<String> modulesToSave(JsonObject document, AdapterType type, String task) {
    List<String> modules = new ArrayList<>(document.strings("modules_to_save"));
    if (TASKS_WITH_LABELS.contains(task) && type != AdapterType.TRAINABLE_TOKENS) {
      HEADS.stream().filter(head -> !modules.contains(head)).forEach(modules::add);
    }
    return List.copyOf(modules);
  }

  private static String taskType(JsonObject document) {
    if (!document.has("task_type")) {
      document.ignore("task_type"); // null is its default
      return "";
    }
    String name = document.string("task_type");
    if (!name.isEmpty() && !TASK_TYPES.contains(name)) {
      document.problem(
          "task_type: expected one of PEFT's "
              + TASK_TYPES.stream().sorted().toList()
              + ", found "
              + name);
    }
    return name;
  }

  /** For types whose configs have no bias in PEFT. */
  static void refuseBias(JsonObject json) {
    if (!json.string("bias", "none").equals("none")) {
      json.problem("bias: expected none, as PEFT has no biases with this type");
    }
  }

  private static Bias bias(JsonObject document, AdapterType type) {
    String name = document.string("bias", "none");
    String only = type.prefix() + "only";
    if (name.equals("none")) {
      return Bias.NONE;
    }
    if (name.equals("all")) {
      return Bias.ALL;
    }
    if (!name.equals(only)) {
      document.problem("bias: expected none, all or " + only + ", found " + name);
    }
    return Bias.ADAPTED;
  }
}
