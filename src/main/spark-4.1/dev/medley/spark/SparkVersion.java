package dev.medley.spark;

/** The Spark and the Scala that this build is for. */
final class SparkVersion {
  static final String SPARK = "4.1";
  static final String SCALA = "2.13";

  private SparkVersion() {}
}
