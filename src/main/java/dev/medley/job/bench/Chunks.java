package dev.medley.job.bench;

import java.util.List;
import java.util.stream.IntStream;

/** The chunks of a job that are timed, with texts of equal length. */
final class Chunks {
  private Chunks() {}

  /** Of a job that is sorted by sets. */
  static List<Rows> sorted(Workbench bench, Runs job) {
    return sorted(bench, job.chunks(bench.settings().chunkRows(), bench.settings().chunks()));
  }

  /** The same of chunks that are cut already. */
  static List<Rows> sorted(Workbench bench, List<Runs> chunks) {
    return IntStream.range(0, chunks.size())
        .mapToObj(i -> bench.rows(i, chunks.get(i).sorted()))
        .toList();
  }

  /** Of a window in which neighbours have different sets. */
  static List<Rows> interleaved(Workbench bench, Runs window) {
    List<Runs> chunks = window.chunks(bench.settings().chunkRows(), bench.settings().chunks());
    return IntStream.range(0, chunks.size())
        .mapToObj(i -> bench.rows(i, chunks.get(i).interleaved()))
        .toList();
  }
}
