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
    boolean fused = shares.stream().allMatch(share -> share.takesBias);
    NDArray y;
    if (shares.size() == 1) {
      Share only = shares.get(0);
      y = only.output(Kernels.linear(only.seen, only.weight, fused ? only.bias : null));
    } else {
      y = Kernels.linear(seen(x, shares), weight, fused ? bias : null); // [n, …, out]
      for (Share share : shares) {
        share.writeInto(part(y, share.slice), fused);
      }
    }
    if (!fused) {
      for (Share share : shares) {
        if (share.bias != null) {
          Kernels.addInto(part(y, share.slice), share.bias, 1);
        }
      }
    }
    return y;
  }

  private boolean isChangedBy(AdapterSet set) {
    return set.linear(path) != null || isReplacedBy(set);
  }

  private boolean isReplacedBy(AdapterSet set) {
    return set.parameter(weightName) != null || set.parameter(biasName) != null;
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
    final NDArray seen;
    final LinearAdapter adapter; // null for none
    final NDArray weight;
    final NDArray bias;
    final boolean takesBias; // the slice's bias may be in y before the adapter's share is

    Share(Slice slice, NDArray x) {
      this.slice = slice;
      this.x = x;
      adapter = slice.set().linear(path);
      NDArray ownWeight = slice.set().parameter(weightName);
      NDArray ownBias = slice.set().parameter(biasName);
      weight = ownWeight == null ? Linear.this.weight : ownWeight;
      bias = ownBias == null ? Linear.this.bias : ownBias;
      seen = adapter == null ? x : adapter.input(x);
      takesBias = bias == Linear.this.bias && (adapter == null || adapter.isAdditive());
    }

    NDArray output(NDArray y) {
      return adapter == null ? y : adapter.output(x, seen, y);
    }

    void writeInto(NDArray y, boolean fused) {
      NDArray product =
          weight == Linear.this.weight ? y : Kernels.linear(seen, weight, fused ? bias : null);
      NDArray output = output(product);
      if (output != y) {
        Kernels.copyInto(y, output);
      }
    }
  }
}
