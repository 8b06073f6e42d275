package dev.medley.io;

import java.util.regex.Pattern;

/**
 * What the Hub says of a file at a commit.
 *
 * @param etag names the content: the SHA-256 of what lies in LFS, else git's hash of the blob
 * @param size in bytes; -1 where it is not said
 */
record HubFile(String commit, String etag, long size) {
  private static final Pattern ETAG = Pattern.compile("[A-Za-z0-9_][\\w.-]{0,200}");
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  /** An ETag header as huggingface_hub makes a file's name of it. */
  static String normalized(String etag) {
    return etag.replaceFirst("^[W/]+", "").replaceAll("^\"+|\"+$", "");
  }

  /** Whether the etag can be the name of a file in the cache folder. */
  static boolean isName(String etag) {
    return ETAG.matcher(etag).matches() && !etag.contains("..");
  }

  /** Whether the etag says what the bytes must be. */
  boolean isHash() {
    return SHA256.matcher(etag).matches();
  }
}
