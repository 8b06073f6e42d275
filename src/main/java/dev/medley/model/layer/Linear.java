package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.LinearAdapter;
import dev.medley.adapter.LowRankBank;
import dev.medley.adapter.RowGroups;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;

/**
 * x·Wᵀ + b for rows of many adapter sets: one product with the base's weight for all of them, and
 * for each slice its set's share.
 */
public final class Linear {
  private final String path;
  private final String weightName;
  private final String biasName;
  private final NDArray weight; // [out, in]; null where the checkpoint has none
  private final NDArray bias; // [out]

  Linear(Module module, NDArray weight, NDArray bias) {
    this.path = module.path();
    this.weightName = module.parameter("weight");
    this.biasName = module.parameter("bias");
    this.weight = weight;
    this.bias = bias;
  }

  /** x [n, …, in] → [n, …, out]; {@code rows} are slices of the first axis. */
  public NDArray forward(NDArray x, RowGroups rows) {
    if (!rows.any(this::isChangedBy)) {
      return Kernels.linear(x, weight, bias);
    }
    LowRankBank bank = rows.bank();
    if (bank != null && !rows.any(this::isReplacedBy) && bank.suits(path, rows)) {
      NDArray y = Kernels.linear(x, weight, bias);
      bank.addInto(y, x, path, rows);
      return y;
    }
    List<Share> shares = new ArrayList<>();
    for (Slice slice : rows.slices()) {
      shares.add(new Share(slice, rows.slices().size() == 1 ? x : part(x, slice)));
    }
    if (shares.size() == 1) {
      return shares.get(0).output();
    }
    boolean fused = shares.stream().allMatch(share -> share.takesBias);
    NDArray y = shared(x, shares, fused ? bias : null); // [n, …, out]
    for (Share share : shares) {
      share.writeInto(part(y, share.slice), fused);
    }
    return y;
  }

  private boolean isChangedBy(AdapterSet set) {
    return set.linear(path) != null || isReplacedBy(set);
  }

  private boolean isReplacedBy(AdapterSet set) {
    return set.parameter(weightName) != null || set.parameter(biasName) != null;
  }

  /**
   * The products with the base's weight, one for all slices that take them where no other slice
   * stands between; what is not theirs is left for them to write.
   */
  private NDArray shared(NDArray x, List<Share> shares, NDArray fusedBias) {
    if (shares.stream().allMatch(share -> share.takesShared)) {
      return Kernels.linear(seen(x, shares), weight, fusedBias);
    }
    long[] shape = x.getShape().getShape();
    shape[shape.length - 1] = shares.get(0).outputs();
    NDArray y = Kernels.emptyLike(x, x.getManager(), shape);
    for (int from = 0; from < shares.size(); ) {
      int to = from;
      while (to < shares.size() && shares.get(to).takesShared) {
        to++;
      }
      if (to > from) {
        List<Share> stretch = shares.subList(from, to);
        Slice first = stretch.get(0).slice;
        int size = stretch.get(stretch.size() - 1).slice.end() - first.start();
        NDArray part = Kernels.rows(x, first.start(), size);
        Kernels.linearInto(
            Kernels.rows(y, first.start(), size), seen(part, stretch), weight, fusedBias);
      }
      from = to + 1;
    }
    return y;
  }

  /** What the base's weight is multiplied with: x itself unless some adapter changes its input. */
  private static NDArray seen(NDArray x, List<Share> shares) {
    return shares.stream().allMatch(share -> share.seen == share.x)
        ? x
        : Kernels.concat(shares.stream().map(share -> share.seen).toList());
  }

  private static NDArray part(NDArray x, Slice slice) {
    return Kernels.rows(x, slice.start(), slice.size());
  }

  /** One slice's part of a product. */
  private final class Share {
    final Slice slice;
    final NDArray x;
    final LinearAdapter adapter; // null for none, and for one that is merged
    final LinearAdapter toMerge; // null for none
    final NDArray seen;
    final NDArray own; // weight in place of the base's; null for none
    final NDArray bias;
    final boolean takesShared; // the product of x with the base's weight
    final boolean takesBias; // the slice's bias may be in y before the adapter's share is

    Share(Slice slice, NDArray x) {
      this.slice = slice;
      this.x = x;
      LinearAdapter change = slice.set().linear(path);
      toMerge = slice.merged() == null ? null : change;
      adapter = toMerge == null ? change : null;
      seen = adapter == null ? x : adapter.input(x);
      own = slice.set().parameter(weightName);
      NDArray ownBias = slice.set().parameter(biasName);
      bias = ownBias == null ? Linear.this.bias : ownBias;
      takesShared = toMerge == null && own == null;
      takesBias =
          !takesShared && adapter == null
              || bias == Linear.this.bias && (adapter == null || adapter.isAdditive());
    }

    long outputs() {
      return (own == null ? weight : own).getShape().get(0);
    }

    /** The weight of this slice alone: merged memory is another slice's once that has asked. */
    private NDArray weight() {
      NDArray plain = own == null ? weight : own;
      return toMerge == null ? plain : slice.merged().merge(path, toMerge, plain);
    }

    /** All of it, where no other slice is in the batch. */
    NDArray output() {
      NDArray product = Kernels.linear(seen, weight(), takesBias ? bias : null);
      NDArray y = adapter == null ? product : adapter.output(x, seen, product);
      return withBias(y, takesBias);
    }

    /**
     * Completes this slice's part.
     *
     * @param fused whether the shared product has its bias already
     */
    void writeInto(NDArray y, boolean fused) {
      boolean isFused = takesShared ? fused : takesBias;
      if (!takesShared) {
        Kernels.linearInto(y, seen, weight(), isFused ? bias : null);
      }
      NDArray output = adapter == null ? y : adapter.output(x, seen, y);
      if (output != y) {
        Kernels.copyInto(y, output);
      }
      withBias(y, isFused);
    }

    private NDArray withBias(NDArray y, boolean isIn) {
      if (!isIn && bias != null) {
        Kernels.addInto(y, bias, 1);
      }
      return y;
    }
  }
}
