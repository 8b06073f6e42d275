package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of the tokens of a running batch, for every layer, in memory that is taken once.
 *
 * <p>The memory is cut into pages of as many places as the budget allows, at most {@link #PAGE}. A
 * page holds slots of one size, a slot the tokens of one row: the rows of a page lie evenly, so
 * that one call attends for all of them and nothing is gathered. A row of more places than a page
 * gets several pages in a row. A page without rows can be cut anew.
 *
 * <p>Not for concurrent use. Owns its arrays.
 */
public final class KvCache implements AutoCloseable {
  /** Places of a page. */
  static final int PAGE = 1024;

  /** Fewest places of a page. */
  private static final int LEAST = 16;

  /** Fewest pages, as far as that leaves them places: rows of unlike length share none. */
  private static final int FEWEST = 8;

  private final NDManager owner;
  private final List<NDArray> keys = new ArrayList<>(); // by layer, [places, width]
  private final List<NDArray> values = new ArrayList<>();
  private final Page[] pages;
  private final int pageSize;

  /**
   * Takes memory for at most so many tokens.
   *
   * @param layers of the model
   * @param width numbers of a token's keys in a layer
   */
  public KvCache(NDManager parent, int layers, int width, Precision precision, long tokens) {
    pageSize =
        (int)
            Math.min(PAGE, Long.highestOneBit(Math.max(Math.min(LEAST, tokens), tokens / FEWEST)));
    pages = new Page[(int) Math.max(1, Math.min(Integer.MAX_VALUE / pageSize, tokens / pageSize))];
    for (int i = 0; i < pages.length; i++) {
      pages[i] = new Page(i);
    }
    owner = parent.newSubManager();
    try {
      for (int layer = 0; layer < layers; layer++) {
        keys.add(Kernels.empty(owner, precision, places(), width));
        values.add(Kernels.empty(owner, precision, places(), width));
      }
    } catch (RuntimeException | Error e) {
      owner.close();
      throw e;
    }
  }

  /** How many tokens fit when rows fill their slots. */
  public long places() {
    return (long) pages.length * pageSize;
  }

  /** How many slots are taken. */
  public int rows() {
    int rows = 0;
    for (Page page : pages) {
      rows += page.taken;
    }
    return rows;
  }

  /**
   * Room for a row of that many tokens; null where there is none at present.
   *
   * @throws IllegalArgumentException where there never is any
   */
  public Slot take(int tokens) {
    if (tokens > places()) {
      throw new IllegalArgumentException(
          "a row of " + tokens + " tokens in a memory of " + places());
    }
    if (tokens > pageSize) {
      return takePages((tokens + pageSize - 1) / pageSize);
    }
    Page best = null;
    for (Page page : pages) { // an open page whose slots are the least too large
      boolean fits = page.slotSize >= tokens && page.slotSize <= 2 * tokens + LEAST;
      if (fits && page.hasRoom() && (best == null || page.slotSize < best.slotSize)) {
        best = page;
      }
    }
    for (int i = 0; best == null && i < pages.length; i++) {
      if (pages[i].isFree()) {
        best = pages[i];
        best.cut(Math.max(1, pageSize / Math.max(tokens, LEAST)));
      }
    }
    for (int i = 0; best == null && i < pages.length; i++) { // however large the slots are
      best = pages[i].slotSize >= tokens && pages[i].hasRoom() ? pages[i] : null;
    }
    return best == null ? null : best.take();
  }

  private Slot takePages(int count) {
    int free = 0;
    for (int i = 0; i < pages.length; i++) {
      free = pages[i].isFree() ? free + 1 : 0;
      if (free == count) {
        Page first = pages[i - count + 1];
        first.span(count);
        for (int j = 1; j < count; j++) {
          pages[first.number + j].within = true;
        }
        return first.take();
      }
    }
    return null;
  }

  /**
   * What is masked is multiplied by 0, which makes NaN of what memory may hold at first, and of
   * what a row left whose numbers went out of bounds.
   */
  private void clear(Slot slot) {
    for (int layer = 0; layer < keys.size(); layer++) {
      for (NDArray all : List.of(keys.get(layer), values.get(layer))) {
        try (NDArray mine = Kernels.rows(all, slot.start(), slot.size())) {
          Kernels.zeroInto(mine);
        }
      }
    }
  }

  /** Copies the keys and values of a row's first tokens to another slot. */
  public void move(Slot from, Slot to, int tokens) {
    for (int layer = 0; tokens > 0 && layer < keys.size(); layer++) {
      for (NDArray all : List.of(keys.get(layer), values.get(layer))) {
        try (NDArray old = Kernels.rows(all, from.start(), tokens);
            NDArray mine = Kernels.rows(all, to.start(), tokens)) {
          Kernels.copyInto(mine, old);
        }
      }
    }
  }

  /** Gives a slot back. */
  public void free(Slot slot) {
    Page page = slot.page;
    page.used[slot.index] = false;
    page.taken--;
    if (page.taken == 0) {
      for (int j = 1; j < page.spans; j++) {
        pages[page.number + j].within = false;
      }
      page.reset();
    }
  }

  NDArray keys(int layer) {
    return keys.get(layer);
  }

  NDArray values(int layer) {
    return values.get(layer);
  }

  @Override
  public void close() {
    owner.close();
  }

  /** Some of the places, cut into slots of one size. */
  private final class Page {
    final int number;
    int spans; // pages that it is made of; 0 while free
    int slotSize;
    int taken;
    boolean within; // a page before it that spans several
    boolean[] used;

    Page(int number) {
      this.number = number;
      reset();
    }

    void reset() {
      spans = 0;
      slotSize = 0;
      used = new boolean[0];
    }

    boolean isFree() {
      return spans == 0 && !within;
    }

    boolean hasRoom() {
      return taken < used.length;
    }

    void cut(int slots) {
      spans = 1;
      slotSize = pageSize / slots;
      used = new boolean[slots];
    }

    void span(int count) {
      spans = count;
      slotSize = count * pageSize;
      used = new boolean[1];
    }

    Slot take() {
      int index = 0;
      while (used[index]) {
        index++;
      }
      used[index] = true;
      taken++;
      Slot slot = new Slot(this, index, number * pageSize, slotSize);
      clear(slot);
      return slot;
    }
  }

  /** A row's places. */
  public static final class Slot {
    private final Page page;
    private final int index;
    private final int pageStart;
    private final int size;

    private Slot(Page page, int index, int pageStart, int size) {
      this.page = page;
      this.index = index;
      this.pageStart = pageStart;
      this.size = size;
    }

    /** How many tokens it has room for. */
    public int size() {
      return size;
    }

    /** Place of the row's first token. */
    long start() {
      return (long) pageStart + (long) index * size;
    }

    /** Place of the page's first slot; slots of a page have one start alone. */
    long pageStart() {
      return pageStart;
    }

    /** Which slot of its page it is. */
    int index() {
      return index;
    }
  }
}
