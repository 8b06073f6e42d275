package dev.medley.adapter;

import dev.medley.tensor.Weights;

/**
 * One adapter's configuration, parsed by its type: knows which tensors the type keeps for a module
 * and what they do there. Reads state their shapes, so this is also the description of the file.
 */
interface AdapterMethod {
  /** The largest scale, with which numbers of a set's weight still have room in a float32. */
  double MOST = 1e30;

  /** alpha/r and its like. Notes a problem where it is too large for the numbers it scales. */
  static double scale(double s, Weights params) {
    if (Math.abs(s) > MOST) {
      params.problem(
          params.path()
              + ": expected alpha over the rank to be at most "
              + MOST
              + ", found "
              + s
              + "; correct alpha");
    }
    return s;
  }

  /** Rank in short, for people; empty for types that have none. */
  default String rank() {
    return "";
  }

  /**
   * Whether the contribution can be scaled apart from the base's, as that of a type can which adds
   * to the weight and does nothing else to it.
   */
  default boolean isScalable() {
    return false;
  }

  /**
   * The same with the tensors that all modules share, which stand in the file as {@code
   * base_model.NAME}, such as VeRA's projections.
   *
   * @param out the most outputs of a targeted linear module
   * @param in the most inputs of one
   */
  default AdapterMethod with(Weights shared, long out, long in) {
    return this;
  }

  /**
   * Whether it fits HF's Conv1D, the linear map of GPT-2, which stores its weight the other way
   * round. PEFT has few types there.
   */
  default boolean fitsConv1d() {
    return false;
  }

  /** Whether it first takes from a linear map's weight what it trains, as PiSSA does. */
  default boolean takesFromWeight() {
    return false;
  }

  /** Whether it puts rows in place of a table's, as TRAINABLE_TOKENS does. */
  default boolean replacesRows() {
    return false;
  }

  /** The rows that it replaces beside what it does to its targets. */
  default TokenIndices trainableTokens() {
    return TokenIndices.NONE;
  }

  /** Whether what it does to a table is also done to a head that shares the table's weight. */
  default boolean ensuresWeightTying() {
    return false;
  }

  /**
   * Where below a module's name this type keeps all of the module's parameters, trained as a whole
   * (PEFT's LN_TUNING); null for types that change a module.
   */
  default String replacement() {
    return null;
  }

  /** What its change of a linear map costs; where a type does not say, one product more. */
  default Work work(String module, long out, long in) {
    return Work.dense(out, in);
  }

  /**
   * What the tensors below {@code params} do to a linear map.
   *
   * @param module dotted name as the adapter was trained with, for patterns
   * @param params scoped to the module
   * @return null where {@code params} is an outline or a tensor does not fit
   */
  default LinearAdapter linear(String module, Weights params, long out, long in) {
    params.problem(params.path() + ": adapters of this type fit embeddings only");
    return null;
  }

  /** The same for a table [v, d]; null as in {@link #linear}. */
  default EmbeddingAdapter embedding(String module, Weights params, long v, long d) {
    params.problem(params.path() + ": adapters of this type fit linear modules only");
    return null;
  }
}
