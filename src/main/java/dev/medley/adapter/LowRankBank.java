package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.medley.adapter.RowGroups.Slice;
import dev.medley.tensor.Kernels;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * LoRAs of many sets in one memory for each linear map, so that the shares of many short slices are
 * one pair of batched products. A running batch of n sets has n thin slices in each of its steps;
 * taken one by one, they cost more in calls than in numbers.
 *
 * <p>A set has a slot, which is filled when a map first needs it and stays until {@link #keep}. Not
 * for concurrent use. Owns its arrays.
 */
public final class LowRankBank implements AutoCloseable {
  /** Slices are padded to the longest: not to more than so many times as many rows. */
  private static final int PADDING = 3;

  /** Tokens of a slice up to which calls cost more than the copies that are made here. */
  private static final int SHORT = 16;

  private final NDManager parent;
  private final Map<AdapterSet, Integer> slots = new IdentityHashMap<>();
  private final Map<String, Stack> stacks = new HashMap<>();
  private boolean[] used = new boolean[4];
  private NDManager owner;
  private RowGroups laidOut;
  private Layout layout;

  /** Its arrays are on the device of {@code parent}, and closed with it at the latest. */
  public LowRankBank(NDManager parent) {
    this.parent = parent;
    this.owner = parent.newSubManager();
  }

  /** Frees the slots of all other sets. */
  public void keep(Collection<AdapterSet> sets) {
    Map<AdapterSet, Boolean> kept = new IdentityHashMap<>();
    sets.forEach(set -> kept.put(set, true));
    slots
        .entrySet()
        .removeIf(
            entry -> {
              boolean gone = !kept.containsKey(entry.getKey());
              if (gone) {
                int slot = entry.getValue();
                used[slot] = false;
                stacks.values().forEach(stack -> stack.filled[slot] = false);
              }
              return gone;
            });
    laidOut = null;
  }

  /**
   * Whether the share of every slice in a map can be taken from here, and had better be.
   *
   * @param path of a map whose weight and bias are the base's in all slices
   */
  public boolean suits(String path, RowGroups rows) {
    long ranks = 0;
    long largest = 0;
    int changed = 0;
    for (Slice slice : rows.slices()) {
      LinearAdapter adapter = slice.set().linear(path);
      if (adapter instanceof Lora lora && lora.shift() == null) {
        long rank = lora.a().getShape().get(0);
        ranks += rank;
        largest = Math.max(largest, rank);
        changed++;
      } else if (adapter != null) {
        return false;
      }
    }
    if (changed < 2 || changed * largest > PADDING * ranks) {
      return false;
    }
    if (laidOut != rows) {
      lay(rows);
    }
    return layout.isDense;
  }

  /** y ← y + each slice's share. x [n, in], y [n, out]; for what {@link #suits} alone */
  public void addInto(NDArray y, NDArray x, String path, RowGroups rows) {
    long in = x.getShape().get(1);
    long out = y.getShape().get(1);
    Stack stack = stack(path, rows, in, out);
    for (Slice slice : rows.slices()) {
      if (slice.set() != AdapterSet.BASE) {
        stack.fill(slots.get(slice.set()), (Lora) slice.set().linear(path));
      }
    }
    if (layout.isEven) {
      Kernels.addEvenLowRanksInto(y, x, layout.slots, stack.a, stack.b);
    } else {
      Kernels.addLowRanksInto(
          y, x, layout.gather, layout.back, layout.tokens, layout.slots, stack.a, stack.b);
    }
  }

  /** The memory of one map, with room for the largest rank there is. */
  private Stack stack(String path, RowGroups rows, long in, long out) {
    long rank = 1;
    for (Slice slice : rows.slices()) {
      if (slice.set().linear(path) instanceof Lora lora) {
        rank = Math.max(rank, lora.a().getShape().get(0));
      }
    }
    Stack stack = stacks.get(path);
    if (stack == null || stack.rank < rank) {
      if (stack != null) {
        stack.close();
      }
      stack = new Stack(rows, path, rank, in, out);
      stacks.put(path, stack);
    }
    return stack;
  }

  private void lay(RowGroups rows) {
    for (Slice slice : rows.slices()) {
      if (slice.set() != AdapterSet.BASE) {
        slots.computeIfAbsent(slice.set(), set -> freeSlot());
      }
    }
    if (layout != null) {
      layout.close();
    }
    layout = new Layout(rows);
    laidOut = rows;
  }

  private int freeSlot() {
    for (int slot = 0; slot < used.length; slot++) {
      if (!used[slot]) {
        used[slot] = true;
        return slot;
      }
    }
    int slot = used.length;
    used = Arrays.copyOf(used, 2 * slot);
    used[slot] = true;
    stacks.clear(); // made anew with more slots
    owner.close();
    owner = parent.newSubManager();
    layout = null;
    return slot;
  }

  @Override
  public void close() {
    owner.close();
  }

  /** Where each token stands when slices lie by slot, padded to the longest. */
  private final class Layout {
    final NDArray gather; // the token at each place, [slots · longest]
    final NDArray back; // the place of each token that has one, [m]
    final NDArray tokens; // those tokens, [m]
    final int slots;
    final boolean isEven; // every token stands where it is
    final boolean isDense; // else padding would cost more than calls, and nothing is laid out

    Layout(RowGroups rows) {
      int[] sizes = new int[used.length]; // a set may have several slices
      int count = 0;
      int all = 0;
      for (Slice slice : rows.slices()) {
        all += slice.size();
        if (slice.set() != AdapterSet.BASE) {
          sizes[LowRankBank.this.slots.get(slice.set())] += slice.size();
          count += slice.size();
        }
      }
      int longest = Arrays.stream(sizes).max().orElseThrow();
      int highest = sizes.length;
      while (highest > 0 && sizes[highest - 1] == 0) {
        highest--;
      }
      slots = highest;
      isDense = longest <= SHORT && (long) highest * longest <= (long) PADDING * count;
      long[] at = new long[isDense ? highest * longest : 0]; // padding reads the first token
      long[] places = new long[isDense ? count : 0];
      long[] which = new long[places.length];
      boolean even = isDense && count == all && at.length == all;
      if (isDense) {
        int[] filled = new int[highest];
        int next = 0;
        for (Slice slice : rows.slices()) {
          if (slice.set() == AdapterSet.BASE) {
            continue;
          }
          int slot = LowRankBank.this.slots.get(slice.set());
          for (int token = slice.start(); token < slice.end(); token++) {
            int place = slot * longest + filled[slot]++;
            at[place] = token;
            places[next] = place;
            which[next++] = token;
            even &= place == token;
          }
        }
      }
      isEven = even;
      gather = owner.create(at);
      back = owner.create(places);
      tokens = owner.create(which);
      List.of(gather, back, tokens).forEach(NDScope::unregister);
    }

    void close() {
      gather.close();
      back.close();
      tokens.close();
    }
  }

  /** One map's LoRAs by slot, s·b in place of b. */
  private final class Stack {
    final NDArray a; // [slots, rank, in]
    final NDArray b; // [slots, rank, out]
    final long rank;
    final boolean[] filled = new boolean[used.length];

    Stack(RowGroups rows, String path, long rank, long in, long out) {
      this.rank = rank;
      NDArray like = like(rows, path);
      a = Kernels.emptyLike(like, owner, used.length, rank, in);
      b = Kernels.emptyLike(like, owner, used.length, rank, out);
      NDScope.unregister(a);
      NDScope.unregister(b);
    }

    private NDArray like(RowGroups rows, String path) {
      return rows.slices().stream()
          .map(slice -> slice.set().linear(path))
          .filter(Lora.class::isInstance)
          .map(lora -> ((Lora) lora).a())
          .findFirst()
          .orElseThrow();
    }

    void fill(int slot, Lora lora) {
      if (filled[slot]) {
        return;
      }
      if (lora == null) {
        Kernels.clearLowRankInto(b, slot);
        Kernels.clearLowRankInto(a, slot);
      } else {
        Kernels.copyLowRankInto(a, b, lora.a(), lora.b(), slot, lora.s());
      }
      filled[slot] = true;
    }

    void close() {
      a.close();
      b.close();
    }
  }
}
