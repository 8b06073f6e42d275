package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.List;
import java.util.Map;

/**
 * One loaded adapter: what it does alone, and its parts for sets. Immutable; owns its arrays
 * through one manager, which {@link #close} ends.
 */
public final class Adapter implements AdapterSet, AutoCloseable {
  private final String name;
  private final AdapterConfig config;
  private final AdapterReport report;
  private final Parts parts;
  private final NDManager owner;
  private final MixedSet alone;

  /**
   * What an adapter's file holds, by the module's path or the parameter's name, not yet bound to
   * the base's weights.
   */
  record Parts(
      Map<String, LinearAdapter> linears,
      Map<String, EmbeddingAdapter> embeddings,
      Map<String, NDArray> parameters) {}

  Adapter(
      String name,
      AdapterConfig config,
      AdapterReport report,
      Parts parts,
      BaseModules base,
      NDManager owner) {
    this.name = name;
    this.config = config;
    this.report = report;
    this.parts = parts;
    this.owner = owner;
    this.alone = MixedSet.of(List.of(new MixedSet.Member(this, 1)), base, owner);
  }

  /** Whether it has a weight of its own in place of a module's. */
  public boolean brings(BaseModules.Module module) {
    return parts.parameters().containsKey(module.parameter("weight"));
  }

  /** Whether its own layer gives the labels, which then are its own, too. */
  public boolean bringsLabels(BaseModules base) {
    return base.all().stream().filter(BaseModules.Module::isLabels).anyMatch(this::brings);
  }

  /** Whether every row would come out as under the base model. */
  boolean isNothing() {
    return parts.parameters().isEmpty() && alone.isNothing();
  }

  Parts parts() {
    return parts;
  }

  /** {@code adapter_config.json}. */
  public AdapterConfig config() {
    return config;
  }

  /** What was read and what was not. */
  public AdapterReport report() {
    return report;
  }

  @Override
  public LinearAdapter linear(String path) {
    return alone.linear(path);
  }

  @Override
  public EmbeddingAdapter embedding(String path) {
    return alone.embedding(path);
  }

  @Override
  public NDArray parameter(String parameter) {
    return alone.parameter(parameter);
  }

  @Override
  public Work work() {
    return report.work();
  }

  @Override
  public String toString() {
    return name;
  }

  @Override
  public void close() {
    owner.close();
  }
}
