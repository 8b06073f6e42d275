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
 * The adapters of the batch in work and of the next one; what both need stays in memory from one to
 * the other. The files of those after them are brought near meanwhile.
 */
final class Leases implements AutoCloseable {
  private final AdapterStore store;
  private final Lookahead ahead;
  private final Meter meter;
  private final Map<AdapterRef, Leased> held = new HashMap<>();
  private final Map<AdapterRef, Future<?>> expected = new LinkedHashMap<>();

  /**
   * An adapter or a set that was asked for.
   *
   * @param lease null where there is a problem
   */
  record Leased(Lease lease, LoadException problem) {}

  Leases(AdapterStore store, Lookahead ahead, Meter meter) {
    this.store = store;
    this.ahead = ahead;
    this.meter = meter;
  }

  /** Begins to bring near what is not held. */
  void expect(Collection<AdapterRef> next) {
    for (AdapterRef ref : next) {
      if (!held.containsKey(ref) && !expected.containsKey(ref)) {
        expected.put(ref, ahead.begin(() -> open(ref)));
      }
    }
  }

  private Void open(AdapterRef ref) {
    try {
      store.open(ref);
    } catch (LoadException e) {
      // the lease fails the same way, and says so
    }
    return null;
  }

  /** What a batch needs, loaded where it is not in memory; all else is given back. */
  Map<AdapterRef, Leased> take(Collection<AdapterRef> refs) {
    for (AdapterRef ref : refs) {
      if (held.containsKey(ref)) {
        continue;
      }
      Future<?> coming = expected.get(ref);
      if (coming != null) {
        ahead.get(coming);
      }
      held.put(ref, lease(ref));
      if (expected.remove(ref) != null) {
        store.discard(ref); // where another task has loaded it meanwhile
      }
    }
    Set<AdapterRef> over = new HashSet<>(held.keySet());
    over.removeAll(refs);
    over.forEach(ref -> giveBack(held.remove(ref)));
    return held;
  }

  private Leased lease(AdapterRef ref) {
    try {
      return new Leased(store.lease(ref, meter), null);
    } catch (LoadException e) {
      return new Leased(null, e);
    }
  }

  private static void giveBack(Leased leased) {
    if (leased.lease != null) {
      leased.lease.close();
    }
  }

  /** Gives all back, when what is being brought has come. */
  @Override
  public void close() {
    ahead.rest();
    expected.keySet().forEach(store::discard);
    expected.clear();
    held.values().forEach(Leases::giveBack);
    held.clear();
  }
}
