package dev.medley.engine;

import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.RowReader.Row;
import java.util.List;

/** Gives the results of an engine their {@link Lineage} where the spec asks for it. */
final class Origins {
  private final Engine engine;
  private final boolean asked;

  /**
   * What a forward pass did with a row.
   *
   * @param tokens that it was given, or generated
   */
  record Applied(Planner.Mode mode, List<Lineage.Member> adapters, int tokens) {}

  Origins(Engine engine) {
    this.engine = engine;
    this.asked = engine.spec().has(Extra.LINEAGE);
  }

  /** The row's result, which is there. */
  Result of(Row row) {
    return asked ? row.result.from(lineage(row)) : row.result;
  }

  private Lineage lineage(Row row) {
    Applied applied = row.applied;
    return new Lineage(
        engine.base().fingerprint(),
        adapterSet(row),
        applied == null ? null : applied.adapters,
        Version.OF_THIS_LIBRARY,
        applied == null ? null : applied.mode.word(),
        engine.device(),
        applied == null ? null : (Integer) applied.tokens,
        row.tokens == null ? null : (Boolean) row.tokens.isTruncated());
  }

  /** Not by the row's choice: rows that fail before they have one must not number sets. */
  private String adapterSet(Row row) {
    if (row.asked == null) {
      return null;
    }
    try {
      return AdapterRef.parse(row.asked).expand(engine.sets()).toString();
    } catch (IllegalArgumentException e) {
      return null;
    }
  }
}
