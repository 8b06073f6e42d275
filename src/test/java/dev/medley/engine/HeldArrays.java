package dev.medley.engine;

/** What an engine's base holds in native memory. */
public final class HeldArrays {
  private HeldArrays() {}

  /** Arrays of the base's owner, without those of adapters that are kept for other rows. */
  public static int of(Engine engine) {
    return engine.base().owner().getManagedArrays().size() - engine.store().arrays();
  }
}
