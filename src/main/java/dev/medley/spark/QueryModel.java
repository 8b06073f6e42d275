package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import dev.medley.engine.EngineSpec.OnError;
import java.io.Serializable;
import java.util.List;
import java.util.Objects;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;

/**
 * A model as a query found it when it was analysed: its files checked, and sent to executors once,
 * however often the plan runs.
 */
final class QueryModel implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String name;
  private final EngineSpec spec;
  private final List<String> baseVersions;
  private final transient SparkSession session;
  private final transient SharedSpec shared;
  private transient Broadcast<byte[]> broadcast;

  /**
   * Of a spec that has been validated.
   *
   * @param name as the query has it
   */
  QueryModel(SparkSession session, String name, EngineSpec validated) {
    this.name = name;
    this.session = session;
    this.shared = Scoring.shared(session, validated.with(OnError.ROW)); // a call fails, not a row
    this.spec = shared.spec();
    this.baseVersions = shared.baseVersions();
  }

  /** On the driver. */
  synchronized Broadcast<byte[]> broadcast() {
    if (broadcast == null) {
      broadcast = Scoring.broadcast(session, shared);
    }
    return broadcast;
  }

  String name() {
    return name;
  }

  boolean hasAdapters() {
    return !spec.adapters().isEmpty();
  }

  /** Models with the same files and settings under one name are one. */
  @Override
  public boolean equals(Object other) {
    return other instanceof QueryModel model
        && name.equals(model.name)
        && spec.equals(model.spec)
        && baseVersions.equals(model.baseVersions);
  }

  @Override
  public int hashCode() {
    return Objects.hash(name, baseVersions);
  }

  /** Without paths, which may hold credentials. */
  @Override
  public String toString() {
    int adapters = spec.adapters().size();
    return name
        + ": "
        + spec.task().pipeline()
        + ", "
        + adapters
        + (adapters == 1 ? " adapter" : " adapters");
  }
}
