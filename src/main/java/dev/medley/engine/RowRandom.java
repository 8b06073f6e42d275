package dev.medley.engine;

import dev.medley.io.Sha256;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * A row's own random numbers: draw i is 53 bits of SHA-256(key : i), the key the SHA-256 of what
 * the row is. The algorithm is fixed by FIPS 180-4 and is in every Java; {@code L64X128MixRandom}
 * is in a module that a Java may lack, and the documentation of {@code SplittableRandom} does not
 * say what it computes. Draws are numbered, so that none depends on how many were made before.
 *
 * @param key 64 hexadecimal digits
 */
record RowRandom(String key) {

  /**
   * Numbers that depend on these four and nothing else, so that equal rows get equal ones.
   *
   * @param seed of the job
   * @param rowSeed the row's own; null for none, which is another one than any number
   * @param prompt as the model takes it
   * @param adapters the row's set, as text; empty for the base
   */
  static RowRandom of(long seed, Long rowSeed, long[] prompt, String adapters) {
    String ids = Arrays.stream(prompt).mapToObj(Long::toString).collect(Collectors.joining(" "));
    return new RowRandom(
        Sha256.of(String.join("\n", "" + seed, "" + rowSeed, ids, adapters))); // free text last
  }

  /** A multiple of 2⁻⁵³ in [0, 1), the same whenever it is asked for. */
  double draw(int i) {
    String hash = Sha256.of(key + ":" + i);
    return (Long.parseUnsignedLong(hash.substring(0, 16), 16) >>> 11) * 0x1p-53;
  }
}
