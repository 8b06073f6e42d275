package dev.medley.tensor;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.LongStream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * The tensor operations of a forward pass, each one call into libtorch through TorchScript.
 *
 * <p>DJL lacks some of them ({@code scaled_dot_product_attention}, {@code addmm_}), and aborts the
 * JVM when asked for others in bfloat16, a type its native side does not know. TorchScript source
 * is plain text in a zip, so {@code kernels.py} beside this class is packed in memory and loaded
 * once per JVM; there is no Python and no binary.
 *
 * <p>Every result belongs to the manager of the first array given. A name that ends in {@code Into}
 * writes its first argument.
 */
public final class Kernels {
  /** Operator-set version: 9 and later know {@code gelu(approximate)}. */
  private static final String VERSION = "10\n";

  /** Sees a call's name and first array before libtorch does; tests have some of them fail. */
  static volatile BiConsumer<String, NDArray> beforeCall = (method, first) -> {};

  private Kernels() {}

  /** x·weightᵀ + bias; {@code bias} may be null. x […, in], weight [out, in] → […, out]. */
  public static NDArray linear(NDArray x, NDArray weight, NDArray bias) {
    return bias == null ? call("linear", x, weight) : call("linear_bias", x, weight, bias);
  }

  /** Rows of {@code weight} [v, d] at {@code ids} […] → […, d]. */
  public static NDArray embedding(NDArray ids, NDArray weight) {
    return call("embedding", ids, weight);
  }

  /** Layer normalisation over the last axis, arXiv 1607.06450. */
  public static NDArray layerNorm(NDArray x, NDArray weight, NDArray bias, double eps) {
    return call("layer_norm", x, weight, bias, eps);
  }

  /**
   * Scaled dot-product attention of {@code heads} heads, arXiv 1706.03762, of tokens to all of
   * their own row; rows side by side.
   *
   * @param q queries [n, heads·d], like k and v
   * @param runs a pair of numbers for each run of neighbouring rows of one length: how many rows
   *     and how many tokens each; n in all
   * @return [n, heads·d]
   */
  public static NDArray attention(NDArray q, NDArray k, NDArray v, long[] runs, int heads) {
    return call("attention", q, k, v, runs, heads);
  }

  /** x ← x·Φ(x), exact. */
  public static void geluInto(NDArray x) {
    call("gelu_", x).close();
  }

  /** x ← GELU by tanh, HF's gelu_new and gelu_pytorch_tanh. */
  public static void geluTanhInto(NDArray x) {
    call("gelu_tanh_", x).close();
  }

  /** x ← max(x, 0). */
  public static void reluInto(NDArray x) {
    call("relu_", x).close();
  }

  /** max(x, 0). */
  public static NDArray relu(NDArray x) {
    return call("relu", x);
  }

  /** x ← x·σ(x), HF's silu and swish. */
  public static void siluInto(NDArray x) {
    call("silu_", x).close();
  }

  /** tanh(x). */
  public static NDArray tanh(NDArray x) {
    return call("tanh", x);
  }

  /** Average of the vectors that {@code mask} keeps. x [n, t, h], mask bool [n, t] → [n, h] */
  public static NDArray meanPool(NDArray x, NDArray mask) {
    return call("mean_pool", x, mask);
  }

  /** Largest of the vectors that {@code mask} keeps. x [n, t, h], mask bool [n, t] → [n, h] */
  public static NDArray maxPool(NDArray x, NDArray mask) {
    return call("max_pool", x, mask);
  }

  /** The last vector that {@code mask} keeps. x [n, t, h], mask bool [n, t] → [n, h] */
  public static NDArray lastPool(NDArray x, NDArray mask) {
    return call("last_pool", x, mask);
  }

  /** Rows divided by their length. [n, h] → [n, h] */
  public static NDArray normalize(NDArray x) {
    return call("normalize", x);
  }

  /** The vectors at one place of every row. x [n, t, h] → [n, h] */
  public static NDArray at(NDArray x, long place) {
    return call("at", x, place);
  }

  /** x + y. */
  public static NDArray add(NDArray x, NDArray y) {
    return call("add", x, y);
  }

  /** scale·x. */
  public static NDArray scale(NDArray x, double scale) {
    return call("scale", x, scale);
  }

  /** The same by the nearest number of x's own precision. */
  public static NDArray scaleRounded(NDArray x, double scale) {
    return call("scale_rounded", x, scale);
  }

  /** x + scale·y. */
  public static NDArray addScaled(NDArray x, NDArray y, double scale) {
    return call("add_scaled", x, y, scale);
  }

  /** A view of {@code length} rows of x from {@code start} on; writing it writes x. */
  public static NDArray rows(NDArray x, long start, long length) {
    return call("narrow", x, start, length);
  }

  /** A view of {@code length} columns of x from {@code start} on. */
  public static NDArray columns(NDArray x, long start, long length) {
    return call("columns", x, start, length);
  }

  /** x along one axis, a view. */
  public static NDArray flat(NDArray x) {
    return call("flat", x);
  }

  /** The parts one after the other along the first axis. */
  public static NDArray concat(List<NDArray> parts) {
    return call("cat", parts);
  }

  /** xᵀ, laid out anew. */
  public static NDArray transpose(NDArray x) {
    return call("transpose", x);
  }

  /** x / √(mean(x²) + eps) ⊙ weight over the last axis, RMSNorm (arXiv 1910.07467). */
  public static NDArray rmsNorm(NDArray x, NDArray weight, double eps) {
    return call("rms_norm", x, weight, eps);
  }

  /** The same with 1 + weight, which Gemma stores less 1. */
  public static NDArray rmsNormOffset(NDArray x, NDArray weight, double eps) {
    return call("rms_norm_offset", x, weight, eps);
  }

  /** Rows that lie side by side, padded with 0 on the right. x [Σ lengths, h] → [n, t, h] */
  public static NDArray padded(NDArray x, int[] lengths) {
    return call("padded", x, Arrays.stream(lengths).asLongStream().toArray());
  }

  /** Vectors by their place among all. x […, h], places → [places, h] */
  public static NDArray tokens(NDArray x, long[] places) {
    try (NDArray indices = x.getManager().create(places)) {
      return call("tokens", x, indices);
    }
  }

  /** Which element of each row is the largest; −1 for rows with NaN or infinities. x [n, v] */
  public static long[] likeliest(NDArray x) {
    try (NDArray places = call("likeliest", x)) {
      return places.toLongArray();
    }
  }

  /**
   * What {@link #logProbs} gives, for each row.
   *
   * @param values logarithms of probabilities
   * @param isBest whether no other is likelier
   */
  public record LogProbs(float[] values, boolean[] isBest) {}

  /** log softmax of each row, at one place of it, in float32. logits [n, v], places below v [n] */
  public static LogProbs logProbs(NDArray logits, long[] places) {
    try (NDArray ids = logits.getManager().create(places);
        NDArray both = call("log_probs", logits, ids)) {
      float[] flat = both.toFloatArray();
      boolean[] isBest = new boolean[places.length];
      for (int i = 0; i < places.length; i++) {
        isBest[i] = flat[places.length + i] != 0;
      }
      return new LogProbs(Arrays.copyOf(flat, places.length), isBest);
    }
  }

  /** A view of each vector as several of {@code width}. x [n, heads·width] → [n, heads, width] */
  public static NDArray split(NDArray x, long width) {
    return call("split", x, width);
  }

  /** The same back. x [n, heads, width] → [n, heads·width] */
  public static NDArray joined(NDArray x) {
    return call("joined", x);
  }

  /**
   * Cosines and sines of frequency times position, each times {@code scale}, float32.
   *
   * @param frequencies [1, k], or [n, k] where each position has its own
   * @param positions [n]
   * @return [2, n, k]
   */
  public static NDArray angles(NDArray frequencies, NDArray positions, double scale) {
    return call("angles", frequencies, positions, scale);
  }

  /**
   * Rotary positions (arXiv 2104.09864), HF's order: element i of a head's first 2k turns with
   * element i + k.
   *
   * @param x [n, heads·d]
   * @param angles of {@link #angles}, [2, n, k]
   */
  public static NDArray rotary(NDArray x, NDArray angles, int heads) {
    return call("rotary", x, angles, heads);
  }

  /** limit·tanh(x / limit), Gemma 2's soft cap. */
  public static NDArray cap(NDArray x, double limit) {
    return call("cap", x, limit);
  }

  /**
   * Attention of tokens to themselves and to those before them in their own row, rows side by side.
   *
   * @param q queries [n, heads·d]
   * @param k [n, kvHeads·d], like v; a key head serves heads / kvHeads query heads
   * @param lengths of the rows, n in sum
   * @param window how many tokens a token sees, itself included; 0 for all
   * @param limit soft cap of the scores; 0 for none
   * @return [n, heads·d]
   */
  public static NDArray causalAttention(
      NDArray q,
      NDArray k,
      NDArray v,
      long[] lengths,
      int window,
      int kvHeads,
      double scale,
      double limit) {
    return call("causal_attention", q, k, v, lengths, window, kvHeads, scale, limit);
  }

  /**
   * The same with keys and values of earlier tokens in memory, where those of these tokens are
   * written first.
   *
   * @param keys [places, kvHeads·d], like values
   * @param places of these tokens' keys, int64 [n]
   * @param chunks four numbers for each row that has several tokens here: first token, number of
   *     tokens, place of the row's first key, number of its tokens before these
   * @param pages four numbers for each page whose rows have one token here: place of its first key,
   *     rows, places of a row, places to look at
   * @param rows for each page and row of it the token that it has here, int64 [rows]
   * @param masks for each page 0 where a key may be seen and −∞ where not, [rows, 1, 1, looked at]
   * @param at the tokens that are alone, int64 [m]
   * @param order where each of those is among the rows of all pages, int64 [m]
   */
  public static NDArray cachedAttention(
      NDArray q,
      NDArray k,
      NDArray v,
      NDArray keys,
      NDArray values,
      NDArray places,
      long[] chunks,
      long[] pages,
      List<NDArray> rows,
      List<NDArray> masks,
      NDArray at,
      NDArray order,
      int window,
      int kvHeads,
      double scale,
      double limit) {
    return call(
        "cached_attention",
        q,
        k,
        v,
        keys,
        values,
        places,
        chunks,
        pages,
        rows,
        masks,
        at,
        order,
        window,
        kvHeads,
        scale,
        limit);
  }

  /**
   * into ← y + scale·b·a; {@code into} may be y, and both are contiguous. Wide ones are computed in
   * blocks of rows, which took MKL half the time of one piece with 8 terms to a sum.
   */
  public static void addProductInto(NDArray into, NDArray y, NDArray b, NDArray a, double scale) {
    call("add_product_into", into, y, b, a, scale).close();
  }

  /** into ← x + scale·y; {@code into} may be x. */
  public static void addScaledInto(NDArray into, NDArray x, NDArray y, double scale) {
    call("add_scaled_into", into, x, y, scale).close();
  }

  /** y ← x·weightᵀ + bias; {@code bias} may be null. x […, in], weight [out, in], y […, out]. */
  public static void linearInto(NDArray y, NDArray x, NDArray weight, NDArray bias) {
    NDArray out =
        bias == null
            ? call("linear_into", y, x, weight)
            : call("linear_bias_into", y, x, weight, bias);
    out.close();
  }

  /** A view of the first rows·columns numbers of x. x [n] → [rows, columns] */
  public static NDArray start(NDArray x, long rows, long columns) {
    return call("start", x, rows, columns);
  }

  /** y + scale·b·a. y [out, in], b [out, r], a [r, in] → [out, in]. */
  public static NDArray addProduct(NDArray y, NDArray b, NDArray a, double scale) {
    return call("add_product", y, b, a, scale);
  }

  /** y ← y + scale·(x·aᵀ)·bᵀ. y […, out] contiguous, x […, in], a [r, in], b [out, r]. */
  public static void addLowRankInto(NDArray y, NDArray x, NDArray a, NDArray b, double scale) {
    call("add_low_rank_", y, x, a, b, scale).close();
  }

  /**
   * y ← y + x·aᵀ·b for tokens of many slots, each with an a and a b of its own.
   *
   * @param y [n, out]
   * @param x [n, in]
   * @param gather the token at each place of each slot, int64 [slots·places]
   * @param back the place of each of {@code tokens}, int64 [m]
   * @param tokens that have a slot, int64 [m]
   * @param a [slots or more, r, in]
   * @param b [slots or more, r, out]
   */
  public static void addLowRanksInto(
      NDArray y,
      NDArray x,
      NDArray gather,
      NDArray back,
      NDArray tokens,
      int slots,
      NDArray a,
      NDArray b) {
    call("add_low_ranks_", y, x, gather, back, tokens, slots, a, b).close();
  }

  /** The same where the tokens lie slot after slot, as many of each. y [n, out], x [n, in] */
  public static void addEvenLowRanksInto(NDArray y, NDArray x, int slots, NDArray a, NDArray b) {
    call("add_even_low_ranks_", y, x, slots, a, b).close();
  }

  /** Slot {@code slot} of {@link #addLowRanksInto}: a and scale·bᵀ. a [r, in], b [out, r] */
  public static void copyLowRankInto(
      NDArray intoA, NDArray intoB, NDArray a, NDArray b, int slot, double scale) {
    call("copy_low_rank_", intoA, intoB, a, b, slot, scale).close();
  }

  /** Zeros in one slot. */
  public static void clearLowRankInto(NDArray into, int slot) {
    call("clear_low_rank_", into, slot).close();
  }

  /** Uninitialised memory of the precision of {@code like} that belongs to {@code owner}. */
  public static NDArray emptyLike(NDArray like, NDManager owner, long... shape) {
    NDArray made = call("empty_like", like, shape);
    made.attach(owner);
    return made;
  }

  /** y ← y + scale·x·weightᵀ. y […, out] contiguous, x […, in], weight [out, in]. */
  public static void addLinearInto(NDArray y, NDArray x, NDArray weight, double scale) {
    call("add_linear_", y, x, weight, scale).close();
  }

  /**
   * y ← y + scale·e ⊙ ((d ⊙ (x·aᵀ))·bᵀ).
   *
   * @param y […, out] contiguous
   * @param x […, in]
   * @param a of which the first columns are taken, [r, in or more]
   * @param d [r]
   * @param b of which the first rows are taken, [out or more, r]
   * @param e [out]
   */
  public static void addScaledLowRankInto(
      NDArray y, NDArray x, NDArray a, NDArray d, NDArray b, NDArray e, double scale) {
    call("add_scaled_low_rank_", y, x, a, d, b, e, scale).close();
  }

  /** Every row of x times every row of y, element by element. x [m, n], y [k, n] → [m·k, n] */
  public static NDArray rowProducts(NDArray x, NDArray y) {
    return call("row_products", x, y);
  }

  /** Every column of x times every column of y. x [n, m], y [n, k] → [n, m·k] */
  public static NDArray columnProducts(NDArray x, NDArray y) {
    return call("column_products", x, y);
  }

  /** (a·b) ⊙ (c·d). a, c [m, r], b, d [r, n] → [m, n] */
  public static NDArray productOfProducts(NDArray a, NDArray b, NDArray c, NDArray d) {
    return call("product_of_products", a, b, c, d);
  }

  /** x·y. [m, r], [r, n] → [m, n] */
  public static NDArray product(NDArray x, NDArray y) {
    return call("mm", x, y);
  }

  /**
   * y ← y + scale·x·(w1 ⊗ w2)ᵀ, w2 = b·a, or a where b is null. Mixes the blocks of x by w1 and
   * each block by w2; the Kronecker product is not built.
   *
   * @param y […, l·k]
   * @param x […, m·n]
   * @param w1 [l, m]
   * @param a [r, n]
   * @param b [k, r]
   */
  public static void addKroneckerInto(
      NDArray y, NDArray x, NDArray w1, NDArray a, NDArray b, double scale) {
    NDArray out =
        b == null
            ? call("add_kron_", y, x, w1, a, scale)
            : call("add_kron_low_rank_", y, x, w1, a, b, scale);
    out.close();
  }

  /** y + scale·(w1 ⊗ w2). w1 [l, m], w2 [k, n], y [l·k, m·n] → [l·k, m·n] */
  public static NDArray addKronecker(NDArray y, NDArray w1, NDArray w2, double scale) {
    return call("add_kron", y, w1, w2, scale);
  }

  /**
   * (I−Q)·(I+Q)⁻¹ of skew-symmetric Q, each scaled down to the Frobenius norm {@code limit}.
   *
   * @param upper Q above the diagonal, row by row, [n, size·(size−1)/2]
   * @return [n, size, size], computed in float32 and in the precision of {@code upper}
   */
  public static NDArray cayley(NDArray upper, long size, double limit) {
    return call("cayley", upper, size, limit);
  }

  /** I + 2Q + … + 2Qᵈ⁻¹ + Qᵈ, d = {@code degree}; I + 2Q for 1, I for 0. As {@link #cayley}. */
  public static NDArray neumann(NDArray upper, long size, double limit, long degree) {
    return call("neumann", upper, size, limit, degree);
  }

  /** Each block of the last axis of x times r: x·diag(r). x […, n·k], r [n, k, k] or [1, k, k] */
  public static NDArray rotate(NDArray x, NDArray r) {
    return call("rotate", x, r);
  }

  /** x·diag(r)ᵀ. */
  public static NDArray rotateBack(NDArray x, NDArray r) {
    return call("rotate_back", x, r);
  }

  /** Whether every column of {@code places} [2, n] is a row and a column of such a matrix. */
  public static boolean areWithin(NDArray places, long rows, long columns) {
    try (IValue in = IValue.from((PtNDArray) places);
        IValue height = IValue.from(rows);
        IValue width = IValue.from(columns);
        IValue out = IValueUtils.runMethod(Module.MODULE, "within", in, height, width)) {
      return out.toBoolean();
    }
  }

  /**
   * Places in a matrix as one number each, row·columns + column, of the narrowest type that holds
   * them. integers [2, n] → [n]
   */
  public static NDArray flatPlaces(NDArray places, long rows, long columns) {
    int scalarType = rows * columns <= Integer.MAX_VALUE ? 3 : 4; // int32, int64
    return call("flat_places", places, columns, scalarType);
  }

  /** Zeros but for {@code values} [n], added at {@link #flatPlaces} [n] → [rows, columns] */
  public static NDArray scatter(NDArray values, NDArray places, long rows, long columns) {
    return call("scatter", values, places, rows, columns);
  }

  /** into ← y, and scale·values [n] added at {@link #flatPlaces} [n]; {@code into} may be y. */
  public static void addAtInto(
      NDArray into, NDArray y, NDArray values, NDArray places, double scale) {
    call("add_at_into", into, y, values, places, scale).close();
  }

  /** y ← y + scale·x·ΔWᵀ, ΔW as of {@link #scatter}. y […, out] contiguous, x […, in] */
  public static void addSparseLinearInto(
      NDArray y, NDArray x, NDArray values, NDArray places, double scale) {
    call("add_sparse_linear_", y, x, values, places, scale).close();
  }

  /**
   * alpha·cos theta and alpha·sin theta for every element of {@code groups} groups.
   *
   * @param theta [groups·k], like alpha: k is group/2 where pairs share a number, group where each
   *     element has its own, 2·group where cosine and sine have their own
   * @return [2, groups·group]
   */
  public static NDArray turns(NDArray theta, NDArray alpha, long groups, long group) {
    return call("turns", theta, alpha, groups, group);
  }

  /**
   * Turns pairs of elements, i of each group's first half and i of its second, by {@link #turns}. y
   * […, out] → […, out]
   */
  public static NDArray turn(NDArray y, NDArray turns, long group) {
    return call("turn", y, turns, group);
  }

  /** The same in each column. weight [out, in] → [out, in] */
  public static NDArray turnColumns(NDArray weight, NDArray turns, long group) {
    return call("turn_columns", weight, turns, group);
  }

  /**
   * y, and the row of a token wherever {@code ids} have it.
   *
   * @param y […, d]
   * @param ids int64 […]
   * @param tokens int64, ascending [k]
   * @param rows [k, d]
   */
  public static NDArray replaceRows(NDArray y, NDArray ids, NDArray tokens, NDArray rows) {
    return call("replace_rows", y, ids, tokens, rows);
  }

  /** The table with {@code rows} [k, d] at {@code tokens}, int64 [k]. [v, d] → [v, d] */
  public static NDArray copyRows(NDArray table, NDArray tokens, NDArray rows) {
    return call("copy_rows", table, tokens, rows);
  }

  /** y ← y with {@code columns} […, k] at {@code tokens}, int64 [k]. y […, v] */
  public static void copyColumnsInto(NDArray y, NDArray tokens, NDArray columns) {
    call("copy_columns_", y, tokens, columns).close();
  }

  /** Each row of x times its number. x [m, n], d [m] → [m, n] */
  public static NDArray scaleRows(NDArray x, NDArray d) {
    return call("scale_rows", x, d);
  }

  /** y ← y ⊙ d, broadcast. y […, n], d [n] */
  public static void scaleInto(NDArray y, NDArray d) {
    call("mul_", y, d).close();
  }

  /** origin + (x − origin) ⊙ d, origin 0 where null. x, origin, d [n] → [n] */
  public static NDArray scaleFrom(NDArray x, NDArray origin, NDArray d) {
    return origin == null ? call("mul", x, d) : call("scale_from", x, origin, d);
  }

  /** m divided by the Euclidean length of each row of x. m [rows], x [rows, columns] → [rows] */
  public static NDArray gainOfRows(NDArray m, NDArray x) {
    return call("gain", m, x, 1L);
  }

  /** The same by columns. m [columns] → [columns] */
  public static NDArray gainOfColumns(NDArray m, NDArray x) {
    return call("gain", m, x, 0L);
  }

  /** Right singular vectors of the r largest singular values, computed in float32. → [r, in] */
  public static NDArray largest(NDArray weight, long r) {
    return call("largest", weight, r);
  }

  /** Those of the r smallest of min(out, in) singular values. weight [out, in] → [r, in] */
  public static NDArray smallest(NDArray weight, long r) {
    return call("smallest", weight, r);
  }

  /** The first r columns of Q, weight = Q·R with Q orthonormal. weight [out, in] → [out, r] */
  public static NDArray leadingColumns(NDArray weight, long r) {
    return call("leading_columns", weight, r);
  }

  /** x with all but its k largest magnitudes set to zero. [m, n] → [m, n] */
  public static NDArray keepLargest(NDArray x, long k) {
    return call("keep_largest", x, k);
  }

  /** x ⊙ mask / density. */
  public static NDArray keepMasked(NDArray x, NDArray mask, double density) {
    return call("keep_masked", x, mask, density);
  }

  /** Σ weightᵢ·partᵢ. parts [m, n], weights [parts] → [m, n] */
  public static NDArray weightedSum(List<NDArray> parts, NDArray weights) {
    return call("weighted_sum", parts, weights);
  }

  /**
   * The disjoint merge of TIES (arXiv 2306.01708): in every place the mean of the weighted parts
   * whose sign is the one that most are for, zero counting as positive.
   *
   * @param frequency whether each part has one vote, rather than as many as its magnitude
   */
  public static NDArray electedSum(List<NDArray> parts, NDArray weights, boolean frequency) {
    return call("elected_sum", parts, weights, frequency ? 1L : 0L);
  }

  /** x within ± that quantile of the numbers of x and of other together. */
  public static NDArray clampToQuantile(NDArray x, NDArray other, double quantile) {
    return call("clamp_to_quantile", x, other, quantile);
  }

  /** x ⊙ y, broadcast. */
  public static NDArray multiply(NDArray x, NDArray y) {
    return call("mul", x, y);
  }

  /** y ← y + scale·x, broadcast. */
  public static void addInto(NDArray y, NDArray x, double scale) {
    call("add_", y, x, scale).close();
  }

  /** y ← x. */
  public static void copyInto(NDArray y, NDArray x) {
    call("copy_", y, x).close();
  }

  /** x in another precision. */
  public static NDArray to(NDArray x, Precision precision) {
    return to(x, precision.scalarType);
  }

  static NDArray to(NDArray x, int scalarType) {
    return call("to", x, scalarType);
  }

  /** Bytes that the numbers of all these take. */
  public static long bytes(Collection<NDArray> arrays) {
    PtNDArray[] all = arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new);
    try (IValue in = IValue.listFrom(all);
        IValue out = IValueUtils.runMethod(Module.MODULE, "bytes", in)) {
      return out.toLong();
    }
  }

  /** Whether x holds neither NaN nor an infinity. */
  public static boolean isFinite(NDArray x) {
    try (IValue in = IValue.from((PtNDArray) x);
        IValue out = IValueUtils.runMethod(Module.MODULE, "finite", in)) {
      return out.toBoolean();
    }
  }

  /** Whether all of x is 0, as it is of an empty x. */
  public static boolean isZero(NDArray x) {
    try (IValue in = IValue.from((PtNDArray) x);
        IValue out = IValueUtils.runMethod(Module.MODULE, "zero", in)) {
      return out.toBoolean();
    }
  }

  /** Whether both are of one shape and hold the same numbers. */
  public static boolean areEqual(NDArray x, NDArray y) {
    try (IValue one = IValue.from((PtNDArray) x);
        IValue other = IValue.from((PtNDArray) y);
        IValue out = IValueUtils.runMethod(Module.MODULE, "equal", one, other)) {
      return out.toBoolean();
    }
  }

  /** Whether all of x is within {@code tolerance} of {@code value}. */
  public static boolean isNear(NDArray x, double value, double tolerance) {
    try (IValue in = IValue.from((PtNDArray) x);
        IValue to = IValue.from(value);
        IValue by = IValue.from(tolerance);
        IValue out = IValueUtils.runMethod(Module.MODULE, "near", in, to, by)) {
      return out.toBoolean();
    }
  }

  /** Uninitialised memory that belongs to {@code owner}, on its device. */
  public static NDArray empty(NDManager owner, Precision precision, long... shape) {
    try (NDArray like = owner.zeros(new Shape(1))) {
      return empty(like, shape, precision.scalarType);
    }
  }

  /** y ← 0. */
  public static void zeroInto(NDArray y) {
    call("zero_", y).close();
  }

  /** Uninitialised memory on the device of {@code like}; {@code scalarType} as in TorchScript. */
  static NDArray empty(NDArray like, long[] shape, int scalarType) {
    return call("empty", like, shape, scalarType);
  }

  /** Writes {@code raw} bytes, read as {@code scalarType}, from element {@code offset} on. */
  static void decodeInto(NDArray y, long offset, NDArray raw, int scalarType) {
    call("decode_", y, offset, raw, scalarType).close();
  }

  /** Copies of consecutive parts of x, each of its shape. x [Σ of the shapes' products] */
  static List<NDArray> parts(NDArray x, List<long[]> shapes) {
    long[] sizes =
        shapes.stream()
            .flatMapToLong(s -> LongStream.concat(LongStream.of(s.length), LongStream.of(s)))
            .toArray();
    try (IValue in = IValue.from((PtNDArray) x);
        IValue all = IValue.listFrom(sizes);
        IValue out = IValueUtils.runMethod(Module.MODULE, "parts", in, all)) {
      return List.of(out.toTensorArray((PtNDManager) x.getManager()));
    }
  }

  /** {@code length} elements of x from {@code offset} on as bytes of {@code scalarType}. */
  static NDArray encode(NDArray x, long offset, long length, int scalarType) {
    return call("encode", x, offset, length, scalarType);
  }

  private static NDArray call(String method, List<NDArray> first, Object... others) {
    beforeCall.accept(method, first.get(0));
    try (IValue list =
        IValue.listFrom(first.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new))) {
      return call(method, first.get(0).getManager(), list, others);
    }
  }

  private static NDArray call(String method, NDArray first, Object... others) {
    beforeCall.accept(method, first);
    try (IValue in = IValue.from((PtNDArray) first)) {
      return call(method, first.getManager(), in, others);
    }
  }

  private static NDArray call(String method, NDManager owner, IValue first, Object... others) {
    IValue[] in = new IValue[others.length + 1];
    in[0] = first;
    try {
      for (int i = 0; i < others.length; i++) {
        in[i + 1] = value(others[i]);
      }
      try (IValue out = IValueUtils.runMethod(Module.MODULE, method, in)) {
        return out.toTensor((PtNDManager) owner);
      }
    } finally {
      for (int i = 1; i < in.length && in[i] != null; i++) {
        in[i].close();
      }
    }
  }

  private static IValue value(Object argument) {
    if (argument instanceof PtNDArray array) {
      return IValue.from(array);
    }
    if (argument instanceof Double number) {
      return IValue.from(number);
    }
    if (argument instanceof long[] numbers) {
      return IValue.listFrom(numbers);
    }
    if (argument instanceof List<?> arrays) {
      return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
    }
    return IValue.from(((Number) argument).longValue());
  }

  /** Loads when first used: a driver that never runs a forward pass needs no libtorch. */
  private static final class Module {
    static final PtSymbolBlock MODULE = load();

    private static PtSymbolBlock load() {
      try (InputStream source = Kernels.class.getResourceAsStream("kernels.py")) {
        PtNDManager owner = (PtNDManager) Torch.manager(Device.cpu());
        byte[] archive = archive(source.readAllBytes());
        return JniUtils.loadModule(owner, new ByteArrayInputStream(archive), false, false);
      } catch (IOException e) {
        throw new UncheckedIOException("kernels.py cannot be packed", e);
      }
    }

    /** A TorchScript archive of one class without parameters: entries stored, not deflated. */
    private static byte[] archive(byte[] source) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
        store(zip, "k/version", VERSION.getBytes(StandardCharsets.US_ASCII));
        store(zip, "k/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        store(zip, "k/constants.pkl", pickle("", ")."));
        store(zip, "k/data.pkl", pickle("c__torch__\nKernels\n)", "}b."));
        store(zip, "k/code/__torch__.py", source);
      }
      return bytes.toByteArray();
    }

    /** Protocol 2; between head and tail, where there is a head, NEWOBJ builds the object. */
    private static byte[] pickle(String head, String tail) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      bytes.write(0x80);
      bytes.write(2);
      bytes.writeBytes(head.getBytes(StandardCharsets.US_ASCII));
      if (!head.isEmpty()) {
        bytes.write(0x81);
      }
      bytes.writeBytes(tail.getBytes(StandardCharsets.US_ASCII));
      return bytes.toByteArray();
    }

    private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
      ZipEntry entry = new ZipEntry(name);
      entry.setMethod(ZipEntry.STORED);
      entry.setSize(content.length);
      CRC32 crc = new CRC32();
      crc.update(content);
      entry.setCrc(crc.getValue());
      zip.putNextEntry(entry);
      zip.write(content);
      zip.closeEntry();
    }
  }
}
