package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Tokens of many rows side by side, without padding, each of which sees itself and those before it
 * in its own row. Either whole rows, or the next tokens of rows whose earlier keys and values are
 * in a {@link KvCache}.
 *
 * <p>Arrays are made on the device of {@code owner} and belong to it.
 */
public final class CausalBatch {
  private final NDManager owner;
  private final List<Part> parts;
  private final KvCache cache;
  private final Precision precision;
  private final int tokens;
  private final Map<Rope, NDArray> angles = new IdentityHashMap<>();
  private final Map<Integer, List<NDArray>> masks = new HashMap<>();
  private Steps steps;

  /**
   * What of one row is in the batch.
   *
   * @param ids its next tokens
   * @param past how many tokens the row had before these
   * @param length of the row, as far as it is known: what some kinds of {@link Rope} go by
   * @param slot where its keys and values are; null for whole rows
   */
  public record Part(long[] ids, int past, int length, KvCache.Slot slot) {}

  private CausalBatch(NDManager owner, List<Part> parts, KvCache cache, Precision precision) {
    this.owner = owner;
    this.parts = parts;
    this.cache = cache;
    this.precision = precision;
    this.tokens = parts.stream().mapToInt(part -> part.ids.length).sum();
  }

  /** Whole rows. */
  public static CausalBatch of(NDManager owner, List<long[]> rows) {
    List<Part> parts = rows.stream().map(ids -> new Part(ids, 0, ids.length, null)).toList();
    return new CausalBatch(owner, parts, null, null);
  }

  /** The next tokens of rows in a cache. */
  public static CausalBatch of(
      NDManager owner, List<Part> parts, KvCache cache, Precision precision) {
    return new CausalBatch(owner, List.copyOf(parts), cache, precision);
  }

  /** Number of tokens of each row that are in the batch. */
  public int[] lengths() {
    return parts.stream().mapToInt(part -> part.ids.length).toArray();
  }

  /** {@code input_ids} [n]. */
  public NDArray ids() {
    long[] flat = new long[tokens];
    int at = 0;
    for (Part part : parts) {
      System.arraycopy(part.ids, 0, flat, at, part.ids.length);
      at += part.ids.length;
    }
    return owner.create(flat);
  }

  /** {@code position_ids} [n]. */
  public NDArray positions() {
    return owner.create(places());
  }

  private long[] places() {
    long[] flat = new long[tokens];
    int at = 0;
    for (Part part : parts) {
      for (int i = 0; i < part.ids.length; i++) {
        flat[at++] = part.past + i;
      }
    }
    return flat;
  }

  NDArray angles(Rope rope) {
    return angles.computeIfAbsent(
        rope,
        r -> {
          int[] lengths = new int[tokens];
          int at = 0;
          for (Part part : parts) {
            Arrays.fill(lengths, at, at + part.ids.length, part.length);
            at += part.ids.length;
          }
          return kept(r.angles(owner, places(), lengths));
        });
  }

  /**
   * What each token takes from those that it sees, in one layer.
   *
   * @param q [n, heads·d], like k and v with the positions of rotary models turned in
   * @return [n, heads·d]
   */
  public NDArray attend(int layer, NDArray q, NDArray k, NDArray v, Heads heads) {
    if (cache == null) {
      long[] lengths = parts.stream().mapToLong(part -> part.ids.length).toArray();
      return Kernels.causalAttention(
          q, k, v, lengths, heads.window(), heads.keyValue(), heads.scale(), heads.softcap());
    }
    if (steps == null) {
      steps = new Steps();
    }
    return Kernels.cachedAttention(
        q,
        k,
        v,
        cache.keys(layer),
        cache.values(layer),
        steps.places,
        steps.chunks,
        steps.pages,
        steps.rows,
        masks.computeIfAbsent(heads.window(), steps::masks),
        steps.at,
        steps.order,
        heads.window(),
        heads.keyValue(),
        heads.scale(),
        heads.softcap());
  }

  /** It outlives the layer in which it was first asked for. */
  private static NDArray kept(NDArray array) {
    NDScope.unregister(array);
    return array;
  }

  /** Where in the cache everything is, the same for all layers. */
  private final class Steps {
    final NDArray places;
    final long[] chunks;
    final long[] pages;
    final List<NDArray> rows = new ArrayList<>();
    final NDArray at;
    final NDArray order;
    private final List<int[]> seen = new ArrayList<>(); // by page, tokens that each slot's row has

    Steps() {
      long[] flat = new long[tokens];
      List<Long> several = new ArrayList<>();
      Map<Long, List<Integer>> single = new TreeMap<>(); // tokens that are alone, by page
      Map<Integer, Part> partOf = new HashMap<>();
      int token = 0;
      for (Part part : parts) {
        for (int i = 0; i < part.ids.length; i++) {
          flat[token + i] = part.slot.start() + part.past + i;
        }
        if (part.ids.length > 1) {
          several.addAll(
              List.of((long) token, (long) part.ids.length, part.slot.start(), (long) part.past));
        } else {
          single.computeIfAbsent(part.slot.pageStart(), page -> new ArrayList<>()).add(token);
          partOf.put(token, part);
        }
        token += part.ids.length;
      }
      places = kept(owner.create(flat));
      chunks = several.stream().mapToLong(n -> n).toArray();
      List<Long> wholes = new ArrayList<>();
      List<Long> alone = new ArrayList<>();
      List<Long> from = new ArrayList<>();
      long before = 0;
      for (List<Integer> ofPage : single.values()) {
        int slots =
            ofPage.stream().mapToInt(t -> partOf.get(t).slot.index()).max().orElseThrow() + 1;
        long[] tokenOf = new long[slots];
        int[] length = new int[slots];
        Arrays.fill(tokenOf, ofPage.get(0)); // what a slot without a row computes is not used
        Arrays.fill(length, 1);
        for (int t : ofPage) {
          Part part = partOf.get(t);
          tokenOf[part.slot.index()] = t;
          length[part.slot.index()] = part.past + 1;
          alone.add((long) t);
          from.add(before + part.slot.index());
        }
        KvCache.Slot any = partOf.get(ofPage.get(0)).slot;
        long longest = Arrays.stream(length).max().orElseThrow();
        wholes.addAll(List.of(any.pageStart(), (long) slots, (long) any.size(), longest));
        rows.add(kept(owner.create(tokenOf)));
        seen.add(length);
        before += slots;
      }
      pages = wholes.stream().mapToLong(n -> n).toArray();
      at = kept(owner.create(alone.stream().mapToLong(n -> n).toArray()));
      order = kept(owner.create(from.stream().mapToLong(n -> n).toArray()));
    }

    List<NDArray> masks(int window) {
      List<NDArray> made = new ArrayList<>();
      for (int[] length : seen) {
        int longest = Arrays.stream(length).max().orElseThrow();
        float[] mask = new float[length.length * longest];
        Arrays.fill(mask, Float.NEGATIVE_INFINITY);
        for (int row = 0; row < length.length; row++) {
          int first = window == 0 ? 0 : Math.max(0, length[row] - window);
          Arrays.fill(mask, row * longest + first, row * longest + length[row], 0);
        }
        Shape shape = new Shape(length.length, 1, 1, longest);
        made.add(kept(Kernels.to(kept(owner.create(mask, shape)), precision)));
      }
      return made;
    }
  }
}
