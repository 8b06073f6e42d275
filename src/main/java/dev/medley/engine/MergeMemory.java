package dev.medley.engine;

import ai.djl.ndarray.NDManager;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.LayerScratch;
import dev.medley.adapter.MergedWeights;
import dev.medley.adapter.RunWeights;

/** One thread's memory for merged weights, made when first needed. */
final class MergeMemory implements AutoCloseable {
  private final NDManager parent;
  private final long most; // numbers of a run's
  private RunWeights run; // null until needed, like the next
  private LayerScratch layer;

  /** Its arrays are on the device of {@code parent}, and closed with it at the latest. */
  MergeMemory(NDManager parent, long numbers) {
    this.parent = parent;
    this.most = numbers;
  }

  /** Where a set is merged; null for modes that do not merge. */
  MergedWeights of(Planner.Mode mode, AdapterSet set) {
    return switch (mode) {
      case BASE, ADDED -> null;
      case SCRATCH -> layer = layer == null ? new LayerScratch(parent) : layer;
      case MERGED -> ofRun(set);
    };
  }

  private RunWeights ofRun(AdapterSet set) {
    run = run == null ? new RunWeights(parent) : run;
    double needed = set.work().numbers();
    if (run.numbers() > needed && run.numbers() + needed > most) {
      run.clear(); // it is of other maps
    }
    run.begin(set);
    return run;
  }

  @Override
  public void close() {
    if (run != null) {
      run.close();
      run = null;
    }
    if (layer != null) {
      layer.close();
      layer = null;
    }
  }
}
