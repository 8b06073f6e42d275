package dev.medley.adapter;

/**
 * What changes of linear maps cost, in numbers that no machine is in.
 *
 * @param maps that are changed
 * @param perToken FLOPs of each token's share
 * @param merge FLOPs of merging
 * @param numbers of the changed weights, Σ out·in, which merging writes
 */
public record Work(int maps, double perToken, double merge, double numbers) {
  /** Nothing is changed. */
  public static final Work NONE = new Work(0, 0, 0, 0);

  /** A product of b [out, r] and a [r, in] that is added. */
  static Work lowRank(double r, long out, long in) {
    return new Work(1, 2 * r * (out + in), 2 * r * out * in, (double) out * in);
  }

  /** A matrix [out, in] that is added. */
  static Work dense(long out, long in) {
    return new Work(1, 2.0 * out * in, 2.0 * out * in, (double) out * in);
  }

  /** Numbers that inputs or outputs are multiplied with. */
  static Work elementwise(long perToken, long out, long in) {
    return new Work(1, perToken, (double) out * in, (double) out * in);
  }

  /** Both. */
  public Work plus(Work other) {
    return new Work(
        maps + other.maps, perToken + other.perToken, merge + other.merge, numbers + other.numbers);
  }
}
