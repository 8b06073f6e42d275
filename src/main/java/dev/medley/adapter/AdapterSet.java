package dev.medley.adapter;

import ai.djl.ndarray.NDArray;

/**
 * What the adapters of one row do, module by module. Paths as in {@link BaseModules}; null
 * everywhere means that the module is the base model's.
 */
public interface AdapterSet {
  /** The base model alone. */
  AdapterSet BASE =
      new AdapterSet() {
        @Override
        public LinearAdapter linear(String path) {
          return null;
        }

        @Override
        public EmbeddingAdapter embedding(String path) {
          return null;
        }

        @Override
        public NDArray parameter(String name) {
          return null;
        }

        @Override
        public Work work() {
          return Work.NONE;
        }

        @Override
        public String toString() {
          return "__base__";
        }
      };

  /** The change to a linear map. */
  LinearAdapter linear(String path);

  /** The change to a table of embeddings. */
  EmbeddingAdapter embedding(String path);

  /**
   * A tensor in place of the base model's: {@code modules_to_save}, {@code bias}, and the biases
   * that {@link LinearAdapter#bias} makes of the base's.
   */
  NDArray parameter(String name);

  /** What the changes to linear maps cost. */
  Work work();
}
