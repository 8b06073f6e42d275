package dev.medley.adapter;

import java.util.Arrays;
import java.util.Locale;

/**
 * How LoRAs are made into one: the arguments of PEFT's {@code add_weighted_adapter}. An argument
 * that the type does not use is an error. PEFT's {@code svd_full_matrices} and {@code svd_driver}
 * are not among them: they say how torch computes a decomposition, of which the largest components,
 * all that is used, are the same but for rounding.
 *
 * @param density share of the numbers that is kept, above 0 and up to 1; null for none given
 * @param majoritySign how TIES elects a sign
 * @param svdRank rank of the result of SVD types; null for the largest of the members'
 * @param svdClamp quantile of the factors' numbers beyond which they are cut off; null for no
 *     limit. What is cut off depends on the signs of the singular vectors, which a decomposition
 *     may choose, so another library or machine may give another result
 * @param seed of DARE's random choice, as {@code torch.manual_seed} right before PEFT's call: the
 *     same numbers are kept wherever PEFT's result has the same modules. It has others where {@code
 *     layers_to_transform} or {@code exclude_modules} of the first member take some away, and lacks
 *     the head that {@code ensure_weight_tying} changes
 */
public record Combination(
    Type type,
    Double density,
    MajoritySign majoritySign,
    Integer svdRank,
    Double svdClamp,
    long seed) {

  /** PEFT's {@code combination_type}. s is a member's scaling, w its weight. */
  public enum Type {
    /** [w·s·a] and [b] one after the other: exactly Σ w·ΔW. */
    CAT(Prune.NONE, false, false),
    /** Σ w·ΔW, cut to a rank: the best that the rank can do. */
    SVD(Prune.NONE, false, true),
    /** Σ ±√|w·s|·a and Σ √|w·s|·b: cheap, and not Σ w·ΔW. */
    LINEAR(Prune.NONE, false, false),
    /** The largest numbers of each, where they agree in sign (arXiv 2306.01708). */
    TIES(Prune.MAGNITUDE, true, false),
    /** The same with ΔW in place of its factors, cut to a rank. */
    TIES_SVD(Prune.MAGNITUDE, true, true),
    /** A random choice of the numbers, made up for by 1/density (arXiv 2311.03099). */
    DARE_LINEAR(Prune.RANDOM, false, false),
    /** Both. */
    DARE_TIES(Prune.RANDOM, true, false),
    /** The same with ΔW, cut to a rank. */
    DARE_LINEAR_SVD(Prune.RANDOM, false, true),
    /** The same with ΔW, cut to a rank. */
    DARE_TIES_SVD(Prune.RANDOM, true, true),
    /** The largest numbers of each. */
    MAGNITUDE_PRUNE(Prune.MAGNITUDE, false, false),
    /** The same with ΔW, cut to a rank. */
    MAGNITUDE_PRUNE_SVD(Prune.MAGNITUDE, false, true);

    final Prune prune;
    final boolean elects;
    final boolean svd;

    Type(Prune prune, boolean elects, boolean svd) {
      this.prune = prune;
      this.elects = elects;
      this.svd = svd;
    }

    /** By PEFT's name, such as {@code dare_ties}; IllegalArgumentException for another. */
    public static Type of(String combinationType) {
      return Arrays.stream(values())
          .filter(type -> type.toString().equals(combinationType))
          .findFirst()
          .orElseThrow(
              () ->
                  new IllegalArgumentException(
                      "combination_type: expected one of "
                          + Arrays.toString(values())
                          + ", got "
                          + combinationType));
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** PEFT's {@code majority_sign_method}. */
  public enum MajoritySign {
    /** Of the sum of the members' numbers. */
    TOTAL,
    /** Of the members, one vote each. */
    FREQUENCY
  }

  /** Which numbers are set to zero before members are added up. */
  enum Prune {
    NONE,
    MAGNITUDE,
    RANDOM
  }

  /** Throws IllegalArgumentException for a number that no type takes. */
  public Combination {
    if (density != null && !(density > 0 && density <= 1)) {
      throw new IllegalArgumentException(
          "density: expected a number above 0 and up to 1, got " + density);
    }
    if (svdRank != null && svdRank <= 0) {
      throw new IllegalArgumentException("svd_rank: expected a positive number, got " + svdRank);
    }
    if (svdClamp != null && !(svdClamp > 0 && svdClamp <= 1)) {
      throw new IllegalArgumentException(
          "svd_clamp: expected a quantile above 0 and up to 1, got " + svdClamp);
    }
  }

  /** A type without arguments. */
  public static Combination of(Type type) {
    return new Combination(type, null, null, null, null, 0);
  }

  /** The same with this share of the numbers kept. */
  public Combination density(double share) {
    return new Combination(type, share, majoritySign, svdRank, svdClamp, seed);
  }

  /** The same with signs elected like this; {@link MajoritySign#TOTAL} where nothing is said. */
  public Combination majoritySign(MajoritySign method) {
    return new Combination(type, density, method, svdRank, svdClamp, seed);
  }

  /** The same with a result of this rank. */
  public Combination svdRank(int rank) {
    return new Combination(type, density, majoritySign, rank, svdClamp, seed);
  }

  /** The same with factors cut off at this quantile. */
  public Combination svdClamp(double quantile) {
    return new Combination(type, density, majoritySign, svdRank, quantile, seed);
  }

  /** The same with another random choice. */
  public Combination seed(long number) {
    return new Combination(type, density, majoritySign, svdRank, svdClamp, number);
  }

  /** Throws IllegalArgumentException where an argument is lacking or of no use. */
  void check() {
    if (type.prune != Prune.NONE && density == null) {
      throw new IllegalArgumentException(
          "density: expected the share of the numbers that " + type + " keeps, found none");
    }
    refuse("density", density, type.prune != Prune.NONE);
    refuse("majority_sign_method", majoritySign, type.elects);
    refuse("svd_rank", svdRank, type.svd);
    refuse("svd_clamp", svdClamp, type.svd);
    refuse("seed", seed == 0 ? null : seed, type.prune == Prune.RANDOM);
  }

  private void refuse(String name, Object argument, boolean isUsed) {
    if (argument != null && !isUsed) {
      throw new IllegalArgumentException(
          name + ": " + type + " does not use it; leave out " + argument);
    }
  }

  /** The same as PEFT takes it for one member alone. */
  Combination alone() {
    return of(Type.LINEAR);
  }
}
