package dev.medley.adapter;

import ai.djl.ndarray.NDArray;

/** Memory for weights that hold a set's changes. The base's are never written. */
public interface MergedWeights {
  /**
   * A weight with a change in it, good until the memory is asked again.
   *
   * @param path of the linear map
   * @param weight that is changed [out, in]
   * @return [out, in]
   */
  NDArray merge(String path, LinearAdapter change, NDArray weight);
}
