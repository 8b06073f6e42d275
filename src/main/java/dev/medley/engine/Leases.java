package dev.medley.engine;

import dev.medley.engine.AdapterStore.Lease;
import dev.medley.io.LoadException;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;

/**
 * The adapters of the batch in work, and of the next one, which are read meanwhile. What both need
 * stays in memory from one to the other.
 */
final class Leases implements AutoCloseable {
  private final AdapterStore store;
  private final Lookahead ahead;
  private final Map<AdapterRef, Leased> held = new HashMap<>();
  private final Map<AdapterRef, Future<Leased>> expected = new LinkedHashMap<>();

  /**
   * An adapter or a set that was asked for.
   *
   * @param lease null where there is a problem
   */
  record Leased(Lease lease, LoadException problem) {}

  Leases(AdapterStore store, Lookahead ahead) {
    this.store = store;
    this.ahead = ahead;
  }

  /** Begins to read what is not held. */
  void expect(Collection<AdapterRef> next) {
    for (AdapterRef ref : next) {
      if (!held.containsKey(ref) && !expected.containsKey(ref)) {
        expected.put(ref, ahead.begin(() -> lease(ref)));
      }
    }
  }

  /** What a batch needs, read where nobody expected it; all else is given back. */
  Map<AdapterRef, Leased> take(Collection<AdapterRef> refs) {
    for (AdapterRef ref : refs) {
      if (held.containsKey(ref)) {
        continue;
      }
      Future<Leased> coming = expected.get(ref);
      held.put(ref, coming == null ? lease(ref) : ahead.get(coming));
      expected.remove(ref);
    }
    Set<AdapterRef> over = new HashSet<>(held.keySet());
    over.removeAll(refs);
    over.forEach(ref -> giveBack(held.remove(ref)));
    return held;
  }

  private Leased lease(AdapterRef ref) {
    try {
      return new Leased(store.lease(ref), null);
    } catch (LoadException e) {
      return new Leased(null, e);
    }
  }

  private static void giveBack(Leased leased) {
    if (leased.lease != null) {
      leased.lease.close();
    }
  }

  /** Gives all back, when what is being read has come. */
  @Override
  public void close() {
    ahead.rest();
    for (Future<Leased> coming : expected.values()) {
      if (coming.isDone() && !coming.isCancelled()) {
        try {
          giveBack(ahead.get(coming));
        } catch (RuntimeException | Error e) {
          // it holds nothing, and nobody asks for it any more
        }
      }
    }
    expected.clear();
    held.values().forEach(Leases::giveBack);
    held.clear();
  }
}
