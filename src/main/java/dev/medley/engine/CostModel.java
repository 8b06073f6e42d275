package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.adapter.Work;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What products, shares and merges cost on one kind of device: a line through two measurements of
 * each, made once per JVM.
 *
 * @param product seconds of a FLOP of a product with a weight
 * @param weight seconds of each number of a weight that a product is begun with
 * @param share seconds of a FLOP of shares that are added to a product
 * @param call seconds of each map whose share is added
 * @param merge seconds of a FLOP of merging
 * @param write seconds of each number of a weight that is merged
 */
record CostModel(
    double product, double weight, double share, double call, double merge, double write) {
  private static final Map<String, CostModel> OF_THIS_JVM = new ConcurrentHashMap<>();

  /** Inputs and outputs of the weight that is measured. */
  private static final int WIDTH = 768;

  private static final int RANK = 8;
  private static final int FEW = 64;
  private static final int MANY = 512;

  /** For so long each measurement is repeated; six of them are made. */
  private static final long NANOS = 15_000_000;

  /**
   * Measured when first asked for, in about 100 ms.
   *
   * @param owner on the device
   */
  static CostModel of(NDManager owner, Precision precision) {
    String kind = owner.getDevice().getDeviceType() + " " + precision;
    return OF_THIS_JVM.computeIfAbsent(kind, missing -> measured(owner, precision));
  }

  private static CostModel measured(NDManager owner, Precision precision) {
    try (NDManager scratch = owner.newSubManager()) {
      NDArray x = zeros(scratch, precision, MANY, WIDTH);
      NDArray few = Kernels.rows(x, 0, FEW);
      NDArray y = zeros(scratch, precision, MANY, WIDTH);
      NDArray fewOf = Kernels.rows(y, 0, FEW);
      NDArray w = zeros(scratch, precision, WIDTH, WIDTH);
      NDArray merged = zeros(scratch, precision, WIDTH, WIDTH);
      NDArray a = zeros(scratch, precision, RANK, WIDTH);
      NDArray b = zeros(scratch, precision, WIDTH, RANK);
      NDArray wideA = zeros(scratch, precision, 4 * RANK, WIDTH);
      NDArray wideB = zeros(scratch, precision, WIDTH, 4 * RANK);
      Line product =
          Line.through(
              FEW,
              seconds(() -> Kernels.linearInto(fewOf, few, w, null)),
              MANY,
              seconds(() -> Kernels.linearInto(y, x, w, null)));
      Line share =
          Line.through(
              FEW,
              seconds(() -> Kernels.addLowRankInto(fewOf, few, a, b, 1)),
              MANY,
              seconds(() -> Kernels.addLowRankInto(y, x, a, b, 1)));
      Line merge =
          Line.through(
              RANK,
              seconds(() -> Kernels.addProductInto(merged, w, b, a, 1)),
              4 * RANK,
              seconds(() -> Kernels.addProductInto(merged, w, wideB, wideA, 1)));
      double numbers = (double) WIDTH * WIDTH;
      return new CostModel(
          product.slope / (2 * numbers),
          product.start / numbers,
          share.slope / (2 * RANK * 2 * WIDTH),
          share.start,
          merge.slope / (2 * numbers),
          merge.start / numbers);
    }
  }

  private static NDArray zeros(NDManager owner, Precision precision, long rows, long columns) {
    NDArray made = Kernels.empty(owner, precision, rows, columns);
    Kernels.zeroInto(made);
    return made;
  }

  /** The shortest of many: whatever else runs on the machine only adds to it. */
  private static double seconds(Runnable measured) {
    measured.run();
    long best = Long.MAX_VALUE;
    long end = System.nanoTime() + NANOS;
    for (long start = System.nanoTime(); start < end; start = System.nanoTime()) {
      measured.run();
      best = Math.min(best, System.nanoTime() - start);
    }
    return best / 1e9;
  }

  /** start + slope·x, the first not negative and the second positive, however busy the machine. */
  record Line(double start, double slope) {
    static Line through(double x0, double y0, double x1, double y1) {
      double slope = y1 > y0 ? (y1 - y0) / (x1 - x0) : y1 / x1;
      return new Line(Math.max(0, y0 - slope * x0), slope);
    }
  }

  /** Seconds of adding a set's shares to the products of so many tokens. */
  double adding(Work work, double tokens) {
    return work.maps() * call + work.perToken() * tokens * share;
  }

  /** Seconds of merging a set once. */
  double merging(Work work) {
    return work.numbers() * write + work.merge() * merge;
  }

  /** Seconds more that products of a set's own weights take beside the base's in one batch. */
  double apart(Work work) {
    return work.numbers() * weight;
  }

  /** Seconds of the base's own products, of weights of so many numbers. */
  double products(double numbers, double tokens) {
    return numbers * (2 * tokens * product + weight);
  }
}
