package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Weights;

/**
 * OFT: W' = W·Rᵀ, R block diagonal (arXiv 2306.07280), and so x·R in place of x. Each block is
 * Cayley's transform of a skew-symmetric Q: the Neumann series of (I+Q)·(I−Q)⁻¹ (arXiv 2506.19847),
 * or, exactly, (I−Q)·(I+Q)⁻¹, where PEFT has the other sign. COFT scales Q down to eps/√n.
 *
 * @param blocks of R, [n, k, k] with n·k = in, or [1, k, k] for all the same
 * @param isNothing whether R = I
 */
record Oft(NDArray blocks, boolean isNothing) implements LinearAdapter {
  @Override
  public NDArray input(NDArray x) {
    return Kernels.rotate(x, blocks);
  }

  @Override
  public boolean turnsInput() {
    return true;
  }

  @Override
  public NDArray merge(NDArray weight) {
    return Kernels.rotateBack(weight, blocks);
  }

  /** OFT on a table: E' = E·R, with n·k = d. */
  record Table(NDArray blocks, boolean isNothing) implements EmbeddingAdapter {
    @Override
    public NDArray output(NDArray ids, NDArray y) {
      return Kernels.rotate(y, blocks);
    }

    @Override
    public NDArray merge(NDArray table) {
      return Kernels.rotate(table, blocks);
    }
  }

  /**
   * {@code OFTConfig}. PEFT moves the one number of size and count that is given to the nearest
   * divisor of a layer's width.
   *
   * @param size of a block, 0 where count is given
   * @param count of blocks, 0 where size is given
   * @param limit eps, infinite without COFT
   * @param terms of the Neumann series, of which 3 and 4 are the same; 0 for the exact transform
   */
  record Config(long size, long count, boolean share, double limit, boolean neumann, long terms)
      implements AdapterMethod {
    /** Each is a product of matrices; PEFT has 5. */
    private static final long MOST_TERMS = 100;

    static Config parse(JsonObject json) {
      json.ignore("module_dropout", "init_weights", "fan_in_fan_out");
      long size = json.integer("oft_block_size"); // PEFT refuses older files, which lack it
      long count = json.integer("r", 0);
      double eps = json.number("eps", 6e-5);
      long terms = json.integer("num_cayley_neumann_terms", 5);
      if (terms > MOST_TERMS) {
        json.problem(
            "num_cayley_neumann_terms: expected at most " + MOST_TERMS + ", found " + terms);
      }
      if (Math.min(size, count) != 0 || Math.max(size, count) <= 0) {
        json.problem(
            "r and oft_block_size: expected one positive and the other 0, found "
                + count
                + " and "
                + size);
      }
      return new Config(
          size,
          count,
          json.bool("block_share", false),
          json.bool("coft", false) ? eps : Double.POSITIVE_INFINITY,
          json.bool("use_cayley_neumann", true),
          terms);
    }

    @Override
    public String rank() {
      return size == 0 ? count + " blocks" : "blocks of " + size;
    }

    @Override
    public Work work(String module, long out, long in) {
      double k = blockSize(in);
      return new Work(1, 2 * k * in, 2 * k * out * in, (double) out * in);
    }

    private long blockSize(long width) {
      return size == 0 ? width / divisor(width, count) : divisor(width, size);
    }

    @Override
    public LinearAdapter linear(String module, Weights params, long out, long in) {
      return read(params, "oft_R.weight", in);
    }

    @Override
    public EmbeddingAdapter embedding(String module, Weights params, long v, long d) {
      Oft rotation = read(params, "oft_embedding_R.weight", d);
      return rotation == null ? null : new Table(rotation.blocks, rotation.isNothing);
    }

    private Oft read(Weights params, String name, long width) {
      long k = blockSize(width);
      long n = share ? 1 : width / k;
      NDArray upper = params.get(name, n, k * (k - 1) / 2); // above each Q's diagonal
      if (upper == null) {
        return null;
      }
      try (upper) {
        double norm = limit / Math.sqrt(n);
        long degree = terms < 3 ? Math.max(0, terms - 1) : Math.max(3, terms - 1);
        boolean still = (neumann && degree == 0) || Kernels.isZero(upper);
        NDArray blocks =
            neumann ? Kernels.neumann(upper, k, norm, degree) : Kernels.cayley(upper, k, norm);
        return new Oft(blocks, still);
      }
    }

    /** The divisor of {@code width} nearest to {@code wish}, the lower of two as near. */
    private static long divisor(long width, long wish) {
      if (wish >= width) {
        return width;
      }
      long distance = 0;
      while (width % (wish - distance) != 0 && width % (wish + distance) != 0) {
        distance++;
      }
      return width % (wish - distance) == 0 ? wish - distance : wish + distance;
    }
  }
}
