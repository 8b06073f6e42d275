package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.BaseModules.Module;
import java.util.List;
import java.util.Map;

/** How adapters of one type become one, module by module. */
interface WeightedMethod {

  /**
   * What one member does to a module.
   *
   * @param linear null for a table
   * @param table null for a linear map
   */
  record Share(Adapter member, double weight, LinearAdapter linear, EmbeddingAdapter table) {}

  /**
   * Is told of every module that some member changes, in the model's order, before the first of
   * them is combined. Throws IllegalArgumentException where members do not fit together.
   */
  void begin(Map<Module, List<Share>> modules);

  /**
   * The result's tensors of a module.
   *
   * @param owner of them
   * @return float32, by their names below the module's, such as {@code lora_A.weight}
   */
  Map<String, NDArray> combine(Module module, List<Share> shares, NDManager owner);

  /** Whether a module with these tensors would do what the base's does. */
  boolean isNothing(Map<String, NDArray> tensors);

  /** Puts what the result has of its own into the config of the first member. */
  void configure(ObjectNode json);
}
