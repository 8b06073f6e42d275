package dev.medley.spark;

import dev.medley.io.Sha256;

/**
 * Rows that are scored and committed together.
 *
 * @param id the same as long as it is of the same place in the input, whatever stands there; fit
 *     for the name of a file
 * @param file that the rows are from; empty where they are told apart by a key
 * @param version of the file, or of all files
 * @param start of the part of the file, in bytes; 0 with a key
 * @param piece of that part, or the bucket of keys; from 0
 */
record Chunk(String id, String file, String version, long start, int piece) {
  private static final int ID = 20;

  /** Rows {@code piece · chunk-rows} and following of a part of a file. */
  static Chunk ofFile(String file, String version, long start, int piece) {
    String place = String.join("\n", Long.toString(start), Integer.toString(piece), file);
    return new Chunk(Sha256.of(place).substring(0, ID), file, version, start, piece);
  }

  /** Rows whose keys have a hash in common. */
  static Chunk ofKeys(String version, int bucket) {
    return new Chunk("key%05d".formatted(bucket), "", version, 0, bucket);
  }

  String toText() {
    return String.join("\n", id, version, Long.toString(start), Integer.toString(piece), file);
  }

  static Chunk parse(String text) {
    String[] parts = text.split("\n", 5);
    return new Chunk(
        parts[0], parts[4], parts[1], Long.parseLong(parts[2]), Integer.parseInt(parts[3]));
  }
}
