package dev.medley.notebook;

import java.util.List;
import java.util.Random;

/**
 * Vectors in the two directions in which they differ most (principal component analysis), for a map
 * of embeddings. The same vectors give the same map: of a direction's two signs that one is taken
 * in which its largest coordinate is positive.
 */
public final class PrincipalComponents {
  private static final int ROUNDS = 300;

  private PrincipalComponents() {}

  /**
   * The map.
   *
   * @param vectors all of one length d, at least two of them
   * @return a pair of numbers for each [n, 2]
   */
  public static double[][] map(List<? extends List<? extends Number>> vectors) {
    if (vectors.size() < 2) {
      throw new IllegalArgumentException("vectors: expected at least two, got " + vectors.size());
    }
    double[][] x = centred(vectors); // [n, d]
    double[] first = direction(x, null);
    double[] second = direction(x, first);
    double[][] map = new double[x.length][];
    for (int i = 0; i < x.length; i++) {
      map[i] = new double[] {dot(x[i], first), dot(x[i], second)};
    }
    return map;
  }

  private static double[][] centred(List<? extends List<? extends Number>> vectors) {
    int d = vectors.get(0).size();
    double[][] x = new double[vectors.size()][d];
    double[] mean = new double[d];
    for (int i = 0; i < x.length; i++) {
      if (vectors.get(i).size() != d) {
        throw new IllegalArgumentException(
            "vector " + i + ": expected " + d + " numbers, got " + vectors.get(i).size());
      }
      for (int j = 0; j < d; j++) {
        x[i][j] = vectors.get(i).get(j).doubleValue();
        mean[j] += x[i][j] / x.length;
      }
    }
    for (double[] row : x) {
      for (int j = 0; j < d; j++) {
        row[j] -= mean[j];
      }
    }
    return x;
  }

  /** By power iteration v ← XᵀXv, orthogonal to another direction where that is not null. */
  private static double[] direction(double[][] x, double[] other) {
    double[] v = new Random(7).doubles(x[0].length, -1, 1).toArray(); // [d]
    for (int round = 0; round < ROUNDS; round++) {
      double[] next = new double[v.length];
      for (double[] row : x) {
        double share = dot(row, v);
        for (int j = 0; j < next.length; j++) {
          next[j] += share * row[j];
        }
      }
      if (other != null) {
        double share = dot(next, other);
        for (int j = 0; j < next.length; j++) {
          next[j] -= share * other[j];
        }
      }
      double length = Math.sqrt(dot(next, next));
      if (length < 1e-12) {
        return new double[v.length]; // they do not differ in any more direction
      }
      for (int j = 0; j < next.length; j++) {
        next[j] /= length;
      }
      v = next;
    }
    int largest = 0;
    for (int j = 1; j < v.length; j++) {
      largest = Math.abs(v[j]) > Math.abs(v[largest]) ? j : largest;
    }
    if (v[largest] < 0) {
      for (int j = 0; j < v.length; j++) {
        v[j] = -v[j];
      }
    }
    return v;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int j = 0; j < a.length; j++) {
      sum += a[j] * b[j];
    }
    return sum;
  }
}
