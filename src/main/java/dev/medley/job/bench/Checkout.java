package dev.medley.job.bench;

import java.nio.file.Path;

/** Files of the repository that are no resources: where {@code jobs/medley} lies, else here. */
final class Checkout {
  private Checkout() {}

  /** Below the root. */
  static Path path(String first, String... more) {
    String root = System.getenv("MEDLEY_HOME");
    Path path = Path.of(first, more);
    return root == null ? path : Path.of(root).resolve(path);
  }
}
