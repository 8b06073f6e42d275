package dev.medley.job.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Which sets the rows of a job have, as runs of rows of one set. A job is too long to be timed
 * whole, so it is cut into chunks, of which each has whole runs from all over the job.
 */
record Runs(List<Run> runs) {
  /** Neighbouring rows of one set. */
  record Run(String set, int rows) {}

  /** As many rows of each set, or one more of the first. */
  static Runs uniform(List<String> sets, int rows) {
    int each = rows / sets.size();
    int more = rows % sets.size();
    return new Runs(
        IntStream.range(0, sets.size())
            .mapToObj(i -> new Run(sets.get(i), each + (i < more ? 1 : 0)))
            .filter(run -> run.rows > 0)
            .toList());
  }

  /** Zipf's law: the k-th set has a share of rows that goes with k to the power of −exponent. */
  static Runs zipf(List<String> sets, int rows, double exponent) {
    double[] shares =
        IntStream.rangeClosed(1, sets.size()).mapToDouble(k -> Math.pow(k, -exponent)).toArray();
    double all = IntStream.range(0, shares.length).mapToDouble(i -> shares[i]).sum();
    int[] counts = new int[shares.length];
    int given = 0;
    for (int i = 0; i < shares.length; i++) {
      shares[i] *= rows / all;
      counts[i] = (int) shares[i];
      given += counts[i];
    }
    IntStream.range(0, shares.length)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> counts[i] - shares[i])) // largest remainders
        .limit(rows - given)
        .forEach(i -> counts[i]++);
    return new Runs(
        IntStream.range(0, shares.length)
            .filter(i -> counts[i] > 0)
            .mapToObj(i -> new Run(sets.get(i), counts[i]))
            .toList());
  }

  int rows() {
    return runs.stream().mapToInt(Run::rows).sum();
  }

  /**
   * How many chunks of about so many rows there are. Runs longer than half a chunk count as several
   * runs of half a chunk.
   */
  int chunks(int chunkRows) {
    return Math.max(1, Math.round((float) rows() / chunkRows));
  }

  /** Every n-th run, n the number of chunks, from the {@code number}-th on. */
  Runs chunk(int number, int chunkRows) {
    List<Run> pieces = pieces(Math.max(1, chunkRows / 2));
    int step = chunks(chunkRows);
    return new Runs(
        IntStream.iterate(number, i -> i < pieces.size(), i -> i + step)
            .mapToObj(pieces::get)
            .toList());
  }

  /** {@code count} of all chunks, from all over the job. */
  List<Runs> chunks(int chunkRows, int count) {
    int all = chunks(chunkRows);
    return IntStream.range(0, count)
        .mapToObj(i -> chunk((int) ((long) i * all / count) % all, chunkRows))
        .toList();
  }

  private List<Run> pieces(int longest) {
    List<Run> pieces = new ArrayList<>();
    for (Run run : runs) {
      for (int done = 0; done < run.rows; done += longest) {
        pieces.add(new Run(run.set, Math.min(longest, run.rows - done)));
      }
    }
    return pieces;
  }

  /** Every row's set, run after run. */
  List<String> sorted() {
    return runs.stream().flatMap(run -> Stream.generate(() -> run.set).limit(run.rows)).toList();
  }

  /** Every row's set, one row of each run in turn. */
  List<String> interleaved() {
    int longest = runs.stream().mapToInt(Run::rows).max().orElse(0);
    return IntStream.range(0, longest)
        .boxed()
        .flatMap(round -> runs.stream().filter(run -> run.rows > round).map(Run::set))
        .toList();
  }

  /** Names of its sets. */
  List<String> sets() {
    return runs.stream().map(Run::set).distinct().collect(Collectors.toList());
  }
}
