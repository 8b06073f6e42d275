package dev.medley.spark;

/** The Spark and the Scala that this build is for. */
final class SparkVersion {
  static final String SPARK = "3.5";
  static final String SCALA = "2.12";

  private SparkVersion() {}
}
